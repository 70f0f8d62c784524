"""Whether the memory of a stopped engine is free again on its GPUs."""

import pytest

from gglib.core.memory import GpuMemory
from gglib.runtime.local.memory_return import is_back, may_wait
from gglib.system.gpus import GpuState

PID = 7


def gpu(free: int, **processes: int) -> GpuState:
    """Return a GPU of 100 bytes; processes are given as ``p7=60``."""
    memory = GpuMemory(name="gpu", total_bytes=100, free_bytes=free)
    return GpuState(memory, {int(name[1:]): size for name, size in processes.items()})


@pytest.mark.parametrize(
    ("before", "waits"),
    [
        ([], False),
        ([gpu(40, p7=60)], True),
        ([gpu(100), gpu(40, p7=60)], True),
        ([gpu(40, p8=60)], False),
        ([gpu(40)], True),
    ],
    ids=["no GPU", "shown", "shown on the second", "another process", "no processes are shown"],
)
def test_a_wait_is_for_memory_on_gpus_only(before: list[GpuState], *, waits: bool) -> None:
    """An engine on the CPU is never waited for, unless the driver hides who uses its memory."""
    assert may_wait(before, PID) is waits


def test_shown_memory_is_back_when_it_is_free() -> None:
    """First the process disappears from the driver's list, then its memory becomes free, to a twentieth."""
    before = [gpu(40, p7=60)]
    assert not is_back(before, [[gpu(40, p7=60)]], PID)
    assert not is_back(before, [[gpu(70)]], PID)
    assert not is_back(before, [[gpu(70)], [gpu(80)]], PID)
    assert is_back(before, [[gpu(70)], [gpu(97)]], PID)


def test_memory_that_another_program_took_is_not_waited_for() -> None:
    """When the free memory stops growing, the wait ends."""
    assert is_back([gpu(40, p7=60)], [[gpu(70, p9=30)], [gpu(70, p9=30)]], PID)


def test_hidden_memory_is_back_when_it_stops_growing() -> None:
    """In a container only the free memory is known."""
    before = [gpu(40)]
    assert not is_back(before, [[gpu(60)]], PID)
    assert not is_back(before, [[gpu(60)], [gpu(90)]], PID)
    assert is_back(before, [[gpu(60)], [gpu(90)], [gpu(90)]], PID)


def test_a_driver_that_stops_responding_ends_the_wait() -> None:
    """Nothing more is known."""
    assert is_back([gpu(40, p7=60)], [[]], PID)
