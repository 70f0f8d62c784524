"""Lists the GPUs of this machine, also those that no engine uses. Never raises."""

import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from gglib.core.memory import GpuMemory
from gglib.system.gpu_kinds import Gpu, GpuVendor
from gglib.system.gpus import read_gpus
from gglib.system.macos import run_command
from gglib.system.virtual_files import read_text

ROOT = Path("/")
_CARDS = "sys/class/drm"
_VENDORS = {"0x10de": GpuVendor.NVIDIA, "0x1002": GpuVendor.AMD, "0x8086": GpuVendor.INTEL}
"""PCI vendor ids (https://pci-ids.ucw.cz). Others are displays of servers and virtual machines."""
_CHIP = ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")


def read_present_gpus(
    system: str = sys.platform,
    machine: str = platform.machine(),
    root: Path = ROOT,
    *,
    read_nvidia: Callable[[], tuple[GpuMemory, ...]] = read_gpus,
    run: Callable[[Sequence[str]], str] = run_command,
) -> tuple[Gpu, ...]:
    """Return the GPUs: NVIDIA's by its driver, others from Linux's ``/sys`` (``root``), and a Mac's by its chip.

    Takes milliseconds, with a driver that does not respond two seconds.
    """
    if system == "darwin":
        chip = run(_CHIP).strip() if machine == "arm64" else ""
        return (Gpu(vendor=GpuVendor.APPLE, name=chip),) if chip else ()
    nvidia = tuple(_nvidia(gpu) for gpu in read_nvidia())
    cards = _cards(root / _CARDS) if system == "linux" else ()
    return (*nvidia, *(card for card in cards if not (nvidia and card.vendor is GpuVendor.NVIDIA)))


def _nvidia(gpu: GpuMemory) -> Gpu:
    maker = GpuVendor.NVIDIA
    name = gpu.name if gpu.name.startswith(maker.value) else f"{maker.value} {gpu.name}"
    return Gpu(vendor=maker, name=name, memory_bytes=gpu.total_bytes)


def _cards(directory: Path) -> tuple[Gpu, ...]:
    names = []
    with suppress(OSError):
        names = [path for path in directory.iterdir() if path.name.removeprefix("card").isdecimal()]
    found = (_card(path / "device") for path in sorted(names))
    return tuple(card for card in found if card is not None)


def _card(device: Path) -> Gpu | None:
    """Return the GPU of a directory; None for a display of another maker.

    ``mem_info_vram_total`` and ``product_name`` are amdgpu's (docs.kernel.org/gpu/amdgpu). An NVIDIA card that its
    driver has not listed has none that engines can use.
    """
    vendor = _VENDORS.get(_text(device / "vendor"))
    if vendor is None:
        return None
    memory = _text(device / "mem_info_vram_total")
    product = _text(device / "product_name")
    return Gpu(
        vendor=vendor,
        name=product if product.startswith(vendor.value) else f"{vendor.value} {product or 'GPU'}",
        memory_bytes=int(memory) if memory.isdecimal() else None,
        has_driver=vendor is not GpuVendor.NVIDIA,
    )


def _text(path: Path) -> str:
    return read_text(path).strip()
