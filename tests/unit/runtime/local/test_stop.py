"""A stop is over when the engine's memory is free."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from gglib.core.memory import GpuMemory
from gglib.runtime.local.stop import stop_engine
from gglib.system.gpus import GpuState


@dataclass
class Process:
    """A process that records its stop."""

    events: list[str] = field(default_factory=list)
    exit_code: int | None = None
    pid: int = 7

    async def stop(self) -> None:
        """Stop."""
        self.events.append("stop")


def gpu(free: int, held: int = 0) -> list[GpuState]:
    """Return a machine with one GPU; 7 holds ``held`` bytes."""
    memory = GpuMemory(name="gpu", total_bytes=100, free_bytes=free)
    return [GpuState(memory, {7: held} if held else {})]


def reader(process: Process, *readings: Sequence[GpuState]) -> Callable[[], Sequence[GpuState]]:
    """Return a reader that records its calls and repeats the last reading."""
    left = list(readings)

    def read() -> Sequence[GpuState]:
        process.events.append("read")
        return left.pop(0) if len(left) > 1 else left[0]

    return read


async def test_without_gpus_nothing_is_waited_for() -> None:
    """On the CPU the memory is back when the process is reaped."""
    process = Process()
    await stop_engine(process, None)
    assert process.events == ["stop"]


async def test_a_stop_waits_for_the_memory_of_the_gpu() -> None:
    """The next launch starts when the driver has released the memory."""
    process = Process()
    read = reader(process, gpu(40, 60), gpu(40, 60), gpu(60), gpu(100))
    await stop_engine(process, read, poll_s=0)
    assert process.events == ["read", "stop", "read", "read", "read"]


@pytest.mark.parametrize("before", [[], [GpuState(gpu(40)[0].memory, {8: 60})]], ids=["no GPU", "on the CPU"])
async def test_an_engine_without_gpu_memory_is_not_waited_for(before: list[GpuState]) -> None:
    """One reading before the stop decides."""
    process = Process()
    await stop_engine(process, reader(process, before))
    assert process.events == ["read", "stop"]


async def test_the_memory_of_an_engine_that_died_is_waited_for() -> None:
    """It is not in the driver's list any more: the free memory decides."""
    process = Process(exit_code=-9)
    read = reader(process, [GpuState(gpu(40)[0].memory, {8: 5})], gpu(60), gpu(90), gpu(90))
    await stop_engine(process, read, poll_s=0)
    assert process.events == ["read", "stop", "read", "read", "read"]


async def test_a_wait_is_bounded() -> None:
    """A driver that never releases the memory does not block the next launch."""
    process = Process()
    await stop_engine(process, reader(process, gpu(40, 60)), timeout_s=0, poll_s=0)
    assert process.events == ["read", "stop", "read"]
