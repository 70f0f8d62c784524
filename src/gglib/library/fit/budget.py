"""How much memory all models together may take, by device. Pure; sizes in bytes.

1. The budget of a device is the setting ``memory``, at most its total; by default the total minus the larger of 1 GiB
   and 10 %, and at least half of the total.
2. The limit is the budget, at most what is free now plus what the running engines would give back.
"""

from collections.abc import Mapping

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
    """Return the budget of each device. ``setting`` may name only some devices, or devices that do not exist."""
    return {device: min(total, setting.get(device, _default(total))) for device, total in totals.items()}


def limits(budget: DeviceBytes, *, free: DeviceBytes, held: Mapping[str, int | None]) -> dict[str, int]:
    """Return the limit of each device of ``budget``.

    ``held`` is what the engines would give back: no clean file pages, which Linux already counts as free. None, or an
    unknown free size: only the budget limits the device, because the memory of the engines themselves would count
    against them.
    """
    return {device: _limit(size, free.get(device), held.get(device, 0)) for device, size in budget.items()}


def is_within(size: DeviceBytes, limit: DeviceBytes) -> bool:
    """Whether ``size`` fits into ``limit``, in which a missing device has no limit."""
    return all(used <= limit.get(device, used) for device, used in size.items())


def _default(total: int) -> int:
    return max(total - max(_RESERVE_BYTES, total // _RESERVE_SHARE), total // _LEAST_SHARE)


def _limit(budget: int, free: int | None, held: int | None) -> int:
    return budget if free is None or held is None else min(budget, free + held)
