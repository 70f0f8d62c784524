"""Lists the GPUs of this machine, also those that no engine uses. Never raises."""

import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from gglib.core.memory import GpuMemory
from gglib.system.drm_cards import DrmCard, read_drm_cards
from gglib.system.gpu_kinds import Gpu, GpuState, GpuVendor
from gglib.system.macos import run_command
from gglib.system.nvidia import read_nvidia_states

ROOT = Path("/")
_CHIP = ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")


def read_present_gpus(
    system: str = sys.platform,
    machine: str = platform.machine(),
    root: Path = ROOT,
    *,
    read_nvidia: Callable[[], tuple[GpuState, ...]] = read_nvidia_states,
    run: Callable[[Sequence[str]], str] = run_command,
) -> tuple[Gpu, ...]:
    """Return the GPUs: NVIDIA's by its driver, others from Linux's ``/sys`` (``root``), and a Mac's by its chip.

    Takes milliseconds, with a driver that does not respond two seconds.
    """
    if system == "darwin":
        chip = run(_CHIP).strip() if machine == "arm64" else ""
        return (Gpu(vendor=GpuVendor.APPLE, name=chip),) if chip else ()
    nvidia = tuple(_nvidia(gpu.memory) for gpu in read_nvidia())
    cards = read_drm_cards(root) if system == "linux" else ()
    return (*nvidia, *(_other(card) for card in cards if not (nvidia and card.vendor is GpuVendor.NVIDIA)))


def _nvidia(gpu: GpuMemory) -> Gpu:
    maker = GpuVendor.NVIDIA
    name = gpu.name if gpu.name.startswith(maker.value) else f"{maker.value} {gpu.name}"
    return Gpu(vendor=maker, name=name, memory_bytes=gpu.total_bytes)


def _other(card: DrmCard) -> Gpu:
    """Return a card; an NVIDIA card that its driver has not listed has none that engines can use."""
    return Gpu(
        vendor=card.vendor,
        name=card.name,
        memory_bytes=card.total_bytes,
        has_driver=card.vendor is not GpuVendor.NVIDIA,
    )
