"""How much memory all models together may take, by device. Pure; sizes in bytes.

1. The budget of a device is the setting ``memory``, at most its total; by default the total minus the larger of 1 GiB
   and 10 %, and at least half of the total. Where the total is unknown, only the setting counts.
2. The limit is the budget, at most what is usable: free now plus what the running engines would give back.
3. Where the system or the driver reports nothing, the last known usable memory applies, and without any the budget.
4. The engines on a GPU hold what its driver shows. A driver that shows none of them, as in a container, hides them, or
   they have not allocated anything yet. They hold what they are expected to take, then; while one of them loads, that
   is an upper bound, and the usable memory is not above the last known one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gglib.core.memory import RAM, DeviceBytes, MachineMemory
from gglib.library.fit.devices import gpu_name

_RESERVE_BYTES = 1024**3
_RESERVE_SHARE = 10
_LEAST_SHARE = 2


def totals_of(machine: MachineMemory) -> dict[str, int]:
    """Return the total memory of each device; an unknown total is missing."""
    ram = {} if machine.total_bytes is None else {RAM: machine.total_bytes}
    return ram | {gpu_name(number): gpu.total_bytes for number, gpu in enumerate(machine.gpus)}


def free_of(machine: MachineMemory) -> dict[str, int]:
    """Return the free memory of each device; unknown free memory is missing."""
    ram = {} if machine.available_bytes is None else {RAM: machine.available_bytes}
    return ram | {gpu_name(number): gpu.free_bytes for number, gpu in enumerate(machine.gpus)}


def budgets(totals: DeviceBytes, setting: DeviceBytes) -> dict[str, int]:
    """Return the budget of each device.

    ``setting`` may name only some devices, or GPUs that do not exist. It is also the budget of a RAM of unknown size,
    which has none otherwise.
    """
    ram = {RAM: setting[RAM]} if RAM in setting else {}
    return ram | {
        device: min(total, setting.get(device, _default(total))) for device, total in totals.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOnGpu:
    """The memory of one engine on one GPU."""

    shown_bytes: int
    """What the driver shows; 0 also if it does not show the process."""
    expected_bytes: int | None
    """None: unknown."""
    is_ready: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What the engines hold of a device, and would give back."""

    size_bytes: int
    is_upper_bound: bool = False


def held_on_gpu(engines: Sequence[EngineOnGpu]) -> Held | None:
    """Return what engines hold on one GPU by rule 4; None if it is unknown."""
    if any(engine.shown_bytes for engine in engines):
        return Held(sum(engine.shown_bytes for engine in engines))
    expected = [engine.expected_bytes for engine in engines]
    known = [size for size in expected if size is not None]
    if len(known) < len(expected):
        return None
    return Held(
        sum(known), is_upper_bound=any(engine.expected_bytes and not engine.is_ready for engine in engines)
    )


def usable(free: DeviceBytes, held: Mapping[str, Held | None], *, last: DeviceBytes) -> dict[str, int]:
    """Return how much the engines may take of each device whatever the budget, by rules 2 to 4.

    ``held`` has no clean file pages, which Linux already counts as free. ``last`` is the last known result.
    """
    found = dict(last)
    for device, held_now in held.items():
        if device in free and held_now is not None:
            size = free[device] + held_now.size_bytes
            found[device] = min(size, last.get(device, size)) if held_now.is_upper_bound else size
    return found


def limits(budget: DeviceBytes, usable_now: DeviceBytes) -> dict[str, int]:
    """Return the limit of each device of ``budget``; where the usable memory is unknown, the budget."""
    return {device: min(size, usable_now.get(device, size)) for device, size in budget.items()}


def is_within(size: DeviceBytes, limit: DeviceBytes) -> bool:
    """Whether ``size`` fits into ``limit``, in which a missing device has no limit."""
    return all(used <= limit.get(device, used) for device, used in size.items())


def _default(total: int) -> int:
    return max(total - max(_RESERVE_BYTES, total // _RESERVE_SHARE), total // _LEAST_SHARE)
