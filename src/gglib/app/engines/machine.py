"""Reads what an engine's build is chosen for: system, processor, GPUs."""

import platform
import sys

from gglib.engine_store.builds import GpuMaker, Machine, platform_of
from gglib.system.cuda_driver import read_cuda_version
from gglib.system.gpu_kinds import GpuVendor
from gglib.system.present_gpus import read_present_gpus

_MAKERS = {
    GpuVendor.NVIDIA: GpuMaker.NVIDIA,
    GpuVendor.AMD: GpuMaker.AMD,
    GpuVendor.INTEL: GpuMaker.INTEL,
    GpuVendor.APPLE: GpuMaker.APPLE,
}


def read_machine() -> Machine:
    """Return this machine; only GPUs with a driver count. May block for seconds."""
    makers = frozenset(_MAKERS[gpu.vendor] for gpu in read_present_gpus() if gpu.has_driver)
    return Machine(
        platform=platform_of(sys.platform, platform.machine()),
        makers=makers,
        cuda=read_cuda_version() if GpuMaker.NVIDIA in makers else None,
    )
