"""Stops an engine process and waits until its memory is free again."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from gglib.runtime.local.memory_return import is_back, may_wait
from gglib.system.gpus import GpuState

TIMEOUT_S = 5.0
"""Limit of the wait. Afterwards the next load shows whether there is enough memory."""
POLL_S = 0.03


class StoppableProcess(Protocol):
    """What a stop needs of an ``EngineProcess``."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        ...

    async def stop(self) -> None:
        """Stop it; does nothing after the exit."""
        ...


async def stop_engine(
    process: StoppableProcess,
    read_gpus: Callable[[], Sequence[GpuState]] | None,
    *,
    timeout_s: float = TIMEOUT_S,
    poll_s: float = POLL_S,
) -> None:
    """Stop the process, and wait until its memory on GPUs is free, for ``timeout_s`` at most.

    ``read_gpus`` is None without GPUs: RAM is free as soon as the process is reaped, and nothing is waited for.
    """
    if read_gpus is None:
        await process.stop()
        return
    before = await asyncio.to_thread(read_gpus)
    # A process that exited by itself is not in the driver's list, even if its memory is not free yet.
    waits = process.exit_code is not None or may_wait(before, process.pid)
    await process.stop()
    if not (waits and before):
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    readings = [await asyncio.to_thread(read_gpus)]
    while not is_back(before, readings, process.pid) and loop.time() < deadline:
        await asyncio.sleep(poll_s)
        readings = [readings[-1], await asyncio.to_thread(read_gpus)]
