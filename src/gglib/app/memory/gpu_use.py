"""Which GPUs there are, and whether the engine in use can use them, in words. Pure, except for ``read_gpu_use``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gglib.core.memory import RAM, DeviceBytes, GpuMemory
from gglib.core.sizes import format_size
from gglib.runtime.engines import EmbeddedEngine, Engine
from gglib.system.gpu_kinds import Gpu, GpuVendor
from gglib.system.present_gpus import read_present_gpus

HELP = "docs/models.md#gpus"
_BACKENDS = {
    GpuVendor.NVIDIA: "CUDA or Vulkan",
    GpuVendor.AMD: "ROCm or Vulkan",
    GpuVendor.INTEL: "SYCL or Vulkan",
    GpuVendor.APPLE: "Metal",
}


_DEVICE_VENDORS = {"CUDA": GpuVendor.NVIDIA, "ROCm": GpuVendor.AMD, "SYCL": GpuVendor.INTEL}
"""The maker whose GPUs a backend of llama.cpp uses, by the beginning of its devices' names. Vulkan uses all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUse:
    """The GPUs of this machine, and those of the engine."""

    gpus: tuple[Gpu, ...]
    engine_kind: str
    """``Engine.kind``."""
    devices: tuple[str, ...] | None
    """``Engine.gpu_devices``; None if unknown, or if there is no GPU."""

    @property
    def is_lost(self) -> bool:
        """Whether a GPU with memory of its own is not used."""
        return self.devices == () and any(gpu.is_discrete for gpu in self.gpus)


def can_use(gpu: GpuMemory, devices: Sequence[str] | None) -> bool:
    """Whether an engine with these devices can use a GPU.

    ``devices`` is None for an engine that cannot list them, an old build: most of these are for NVIDIA's GPUs or for
    the CPU, so that others do not count.
    """
    if devices is None:
        return gpu.vendor not in {GpuVendor.AMD.value, GpuVendor.INTEL.value}
    makers = {_DEVICE_VENDORS.get(name.rstrip("0123456789")) for name in devices}
    return None in makers or any(maker is not None and maker.value == gpu.vendor for maker in makers)


def read_gpu_use(engine: Engine) -> GpuUse:
    """Return the GPUs and their use. The engine is asked only if there are any; blocks for up to 20 s then."""
    gpus = read_present_gpus()
    return GpuUse(gpus=gpus, engine_kind=engine.kind, devices=engine.gpu_devices() if gpus else None)


def gpu_text(use: GpuUse) -> str | None:
    """Return the GPUs and whether the engine uses them, and what to do if it does not; None without a GPU."""
    if not use.gpus:
        return None
    names = gpu_names(use.gpus)
    if use.devices:
        return f"{names}: used by the engine ({', '.join(use.devices)})"
    if use.devices is None:
        return f"{names}: this llama-server cannot list its devices, so whether it uses it is unknown"
    if not any(gpu.has_driver for gpu in use.gpus):
        return f"{names}: not used, its driver is missing or does not respond. Install it first ({HELP})."
    if use.engine_kind == EmbeddedEngine.kind:
        return (
            f"{names}: not used, the included engine is a CPU build. 'gglib engine install' installs one with "
            f"{backends_for(use)} ({HELP})."
        )
    return (
        f"{names}: not used, this llama-server finds no device. 'gglib engine install' installs one with "
        f"{backends_for(use)}; it needs the GPU's driver ({HELP})."
    )


def backends_for(use: GpuUse) -> str:
    """Return the backends of llama.cpp for the first GPU with a driver, as a phrase."""
    return _BACKENDS[next(gpu.vendor for gpu in use.gpus if gpu.has_driver)]


def gpu_names(gpus: Sequence[Gpu]) -> str:
    """Return the names with the memory; equal ones are counted."""
    counts = Counter(_described(gpu) for gpu in gpus)
    return ", ".join(text if count == 1 else f"{count} x {text}" for text, count in counts.items())


def resident_gpu_text(gpus: Sequence[Gpu], sizes: Mapping[str, DeviceBytes]) -> str | None:
    """Return whether the models in memory use the GPUs, by the devices of their ``sizes``; None without a GPU.

    Only GPUs with memory of their own are among the devices: for the others ``gglib doctor`` asks the engine.
    """
    if not gpus:
        return None
    names = gpu_names(gpus)
    if not sizes or not all(gpu.is_discrete and gpu.has_driver for gpu in gpus):
        return f"{names} ('gglib doctor' says whether the engine uses it)"
    users = [name for name, size in sizes.items() if any(size[device] for device in size if device != RAM)]
    if not users:
        return f"{names}: not used by the models in memory; 'gglib doctor' says why"
    return f"{names}: used by {', '.join(users)}"


def _described(gpu: Gpu) -> str:
    return gpu.name if gpu.memory_bytes is None else f"{gpu.name}, {format_size(gpu.memory_bytes)}"
