"""The GPUs of a machine, from drivers and virtual files."""

from pathlib import Path

import pytest

from gglib.core.memory import GpuMemory
from gglib.system.gpu_kinds import Gpu, GpuState, GpuVendor
from gglib.system.present_gpus import read_present_gpus

RTX = GpuMemory(name="NVIDIA GeForce RTX 3060", total_bytes=12 << 30, free_bytes=11 << 30)


def card(root: Path, number: int, **files: str) -> None:
    """Write a card's directory below ``/sys``."""
    device = root / f"sys/class/drm/card{number}/device"
    device.mkdir(parents=True)
    for name, text in files.items():
        (device / name).write_text(f"{text}\n")


def read(root: Path, *nvidia: GpuMemory) -> tuple[Gpu, ...]:
    """Return the GPUs of a Linux machine."""
    return read_present_gpus("linux", "x86_64", root, read_nvidia=lambda: tuple(map(GpuState, nvidia)))


def test_cards_of_three_makers_count(tmp_path: Path) -> None:
    """With name and memory where the driver has them; connectors and displays of servers do not count."""
    card(tmp_path, 0, vendor="0x8086")
    card(tmp_path, 1, vendor="0x1002", product_name="Radeon RX 7800 XT", mem_info_vram_total=str(16 << 30))
    card(tmp_path, 2, vendor="0x1a03")
    (tmp_path / "sys/class/drm/card1-HDMI-A-1").mkdir()
    assert read(tmp_path) == (
        Gpu(vendor=GpuVendor.INTEL, name="Intel GPU"),
        Gpu(vendor=GpuVendor.AMD, name="AMD Radeon RX 7800 XT", memory_bytes=16 << 30),
    )
    assert [gpu.is_discrete for gpu in read(tmp_path)] == [False, True]


def test_nvidia_is_listed_once(tmp_path: Path) -> None:
    """By its driver, and not again as a card; other names get the maker."""
    card(tmp_path, 0, vendor="0x10de")
    tesla = GpuMemory(name="Tesla T4", total_bytes=1, free_bytes=1)
    assert [gpu.name for gpu in read(tmp_path, RTX, tesla)] == [RTX.name, "NVIDIA Tesla T4"]
    assert read(tmp_path, RTX)[0].memory_bytes == 12 << 30


def test_nvidia_without_its_driver_is_seen(tmp_path: Path) -> None:
    """The card is there, and nothing can use it."""
    card(tmp_path, 0, vendor="0x10de")
    assert read(tmp_path) == (Gpu(vendor=GpuVendor.NVIDIA, name="NVIDIA GPU", has_driver=False),)


@pytest.mark.parametrize(
    ("machine", "chip", "names"),
    [("arm64", "Apple M2\n", ["Apple M2"]), ("x86_64", "Intel(R) Core(TM)", []), ("arm64", "", [])],
)
def test_mac_has_a_gpu_in_its_chip(machine: str, chip: str, names: list[str]) -> None:
    """Apple's own only: engines do not use the GPU of an Intel Mac."""
    found = read_present_gpus("darwin", machine, run=lambda _: chip)
    assert [gpu.name for gpu in found] == names
    assert not any(gpu.is_discrete for gpu in found)


def test_nothing_is_no_error(tmp_path: Path) -> None:
    """A container without ``/sys``, or another system."""
    assert read(tmp_path) == ()
    assert read_present_gpus("win32", read_nvidia=lambda: ()) == ()
