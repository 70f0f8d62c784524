"""How much memory the machine has, and how much of it is free, by whatever system it runs. Never raises."""

import sys
from pathlib import Path

from gglib.core.fit import MachineMemory
from gglib.core.memory_state import MemoryState
from gglib.system.gpus import read_gpus
from gglib.system.linux import read_linux_memory, read_oom_kills
from gglib.system.macos import ask, read_macos_memory
from gglib.system.ram import Ram


def read_memory() -> MachineMemory:
    """Return what programs can have now; None, and no GPUs, where the system does not say.

    In a container its limit is what counts. A Mac's graphics processor works in the RAM, and so is none of the GPUs.
    Takes milliseconds, on a Mac two short processes; a graphics driver that does not answer is not waited for longer
    than two seconds. Blocks: call it in a worker thread.
    """
    ram = _read_ram(sys.platform)
    return MachineMemory(total_bytes=ram.total_bytes, available_bytes=ram.available_bytes, gpus=read_gpus())


def read_memory_state() -> MemoryState:
    """Return how many processes were killed for want of memory so far, and how much is free now.

    Takes less than a millisecond on Linux, on a Mac two short processes. Blocks; never raises.
    """
    kills = read_oom_kills(Path("/")) if sys.platform == "linux" else None
    return MemoryState(oom_kills=kills, available_bytes=_read_ram(sys.platform).available_bytes)


def _read_ram(platform: str) -> Ram:
    if platform == "linux":
        return read_linux_memory(Path("/"))
    if platform == "darwin":
        return read_macos_memory(ask)
    return Ram()
