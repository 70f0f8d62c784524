"""Reads the memory of this machine, or of the container that gglib runs in: the only reader. Never raises."""

import sys
from pathlib import Path

from gglib.core.memory import MachineMemory
from gglib.system.gpus import read_gpus
from gglib.system.linux import read_linux_memory, read_oom_kills
from gglib.system.macos import read_macos_memory, run_command
from gglib.system.ram import MemoryState, Ram

ROOT = Path("/")


def read_ram(platform: str = sys.platform, root: Path = ROOT) -> Ram:
    """Return the RAM, with the limits of control groups; ``Ram()`` on an unknown system.

    ``root`` is where Linux's virtual files are. Takes less than a millisecond there, on a Mac two short processes.
    Blocks: call it in a worker thread.
    """
    if platform == "linux":
        return read_linux_memory(root)
    if platform == "darwin":
        return read_macos_memory(run_command)
    return Ram()


def read_memory() -> MachineMemory:
    """Return the RAM and the memory of each GPU; None, and no GPUs, if the system does not say.

    A Mac's GPU uses the RAM, and is not listed. The wait for a graphics driver that does not respond is limited to two
    seconds. Blocks as ``read_ram`` does.
    """
    ram = read_ram()
    return MachineMemory(total_bytes=ram.total_bytes, available_bytes=ram.available_bytes, gpus=read_gpus())


def read_memory_state() -> MemoryState:
    """Return how many processes the OOM killer has killed so far, and how much memory is free now.

    Blocks as ``read_ram`` does.
    """
    kills = read_oom_kills(ROOT) if sys.platform == "linux" else None
    return MemoryState(oom_kills=kills, available_bytes=read_ram().available_bytes)
