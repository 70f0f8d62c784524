"""Reads the memory of the GPUs that have their own, and of the processes that use them: the only reader. Never raises.

NVIDIA's by NVML (``nvidia``), those of AMD and Intel from Linux's virtual files (``drm_cards``). A GPU that uses the
RAM, as in a Mac, has no memory of its own and is not among them.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from gglib.core.memory import GpuMemory
from gglib.system.drm_cards import read_drm_states
from gglib.system.gpu_kinds import GpuState
from gglib.system.nvidia import read_nvidia_states

__all__ = ["GpuState", "read_gpu_states", "read_gpus"]

ROOT = Path("/")


def read_gpus() -> tuple[GpuMemory, ...]:
    """Return each GPU's memory, as ``read_gpu_states`` does."""
    return tuple(state.memory for state in read_gpu_states())


def read_gpu_states(
    platform: str = sys.platform,
    root: Path = ROOT,
    *,
    read_nvidia: Callable[[], tuple[GpuState, ...]] = read_nvidia_states,
) -> tuple[GpuState, ...]:
    """Return each GPU's state: NVIDIA's in the order of its driver, then the others in the order of their addresses.

    Takes milliseconds, and two seconds with a driver that does not respond. Blocks: call it in a worker thread.
    """
    return (*read_nvidia(), *(read_drm_states(root) if platform == "linux" else ()))
