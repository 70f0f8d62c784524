"""Decides whether the memory of a stopped engine is free again on its GPUs. Pure; sizes in bytes.

RAM is free when the process is reaped. A GPU's driver may release memory later, and the next load would fail. In order:

1. The engine had no memory on any GPU, as far as the driver shows processes: nothing to wait for.
2. The driver shows the engine: wait until it does not, and its memory is free.
3. The driver shows no processes at all (in a container): wait until the free memory stops growing.
"""

from collections.abc import Sequence

from gglib.system.gpus import GpuState

_TOLERANCE_SHARE = 20
"""Another program may take a little meanwhile."""


def may_wait(before: Sequence[GpuState], pid: int) -> bool:
    """Whether memory on GPUs has to come back after the process ``pid`` has exited; ``before`` is from before."""
    is_shown = any(gpu.process_bytes for gpu in before)
    return any(_held(gpu, pid) for gpu in before) if is_shown else bool(before)


def is_back(before: Sequence[GpuState], readings: Sequence[Sequence[GpuState]], pid: int) -> bool:
    """Whether the memory is free again; ``readings`` are from after the exit, oldest first, at least one."""
    now = readings[-1]
    if any(_held(gpu, pid) for gpu in now):
        return False
    if len(now) != len(before):
        return True  # the driver does not respond any more
    if any(_held(gpu, pid) for gpu in before):
        return all(_is_free(then, gpu, pid) for then, gpu in zip(before, now, strict=True)) or _is_steady(
            readings
        )
    return _is_steady(readings)


def _held(gpu: GpuState, pid: int) -> int:
    return gpu.process_bytes.get(pid, 0)


def _is_free(before: GpuState, now: GpuState, pid: int) -> bool:
    held = _held(before, pid)
    return now.memory.free_bytes >= before.memory.free_bytes + held - held // _TOLERANCE_SHARE


def _is_steady(readings: Sequence[Sequence[GpuState]]) -> bool:
    """Whether no GPU got more free memory since the reading before."""
    if len(readings) < 2:
        return False
    earlier, now = readings[-2:]
    return all(
        gpu.memory.free_bytes <= then.memory.free_bytes for then, gpu in zip(earlier, now, strict=False)
    )
