"""Reads the memory of this machine, or of the container that gglib runs in: the only reader there is. Never raises."""

import sys
from pathlib import Path

from gglib.core.memory import MachineMemory
from gglib.system.gpus import read_gpus
from gglib.system.linux import read_linux_memory, read_oom_kills
from gglib.system.macos import ask, read_macos_memory
from gglib.system.ram import MemoryState, Ram

ROOT = Path("/")


def read_ram(platform: str = sys.platform, root: Path = ROOT) -> Ram:
    """Return the RAM, its limits by control groups included; ``Ram()`` on a system that is not known.

    ``root`` is where Linux's virtual files are. Takes less than a millisecond there, on a Mac two short processes.
    Blocks: call it in a worker thread.
    """
    if platform == "linux":
        return read_linux_memory(root)
    if platform == "darwin":
        return read_macos_memory(ask)
    return Ram()


def read_memory() -> MachineMemory:
    """Return the RAM and the memory of each GPU; None, and no GPUs, where the system does not say.

    A Mac's graphics processor works in the RAM, and so is none of the GPUs. A graphics driver that does not answer is
    not waited for longer than two seconds. Blocks as ``read_ram`` does.
    """
    ram = read_ram()
    return MachineMemory(total_bytes=ram.total_bytes, available_bytes=ram.available_bytes, gpus=read_gpus())


def read_memory_state() -> MemoryState:
    """Return how many processes were killed for want of memory so far, and how much is free now.

    Blocks as ``read_ram`` does.
    """
    kills = read_oom_kills(ROOT) if sys.platform == "linux" else None
    return MemoryState(oom_kills=kills, available_bytes=read_ram().available_bytes)
