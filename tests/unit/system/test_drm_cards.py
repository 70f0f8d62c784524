"""The cards of AMD and Intel, and their states."""

from pathlib import Path

from tests.unit.system.recorded_gpus import AMDGPU, XE, card, descriptor, kfd_node, kfd_process, write

from gglib.core.memory import GpuMemory
from gglib.system.drm_cards import DrmCard, read_drm_cards, read_drm_states
from gglib.system.gpu_kinds import GpuState, GpuVendor

MIB, GIB = 1024**2, 1024**3
AMD_ID, INTEL_ID, NVIDIA_ID = "0x1002", "0x8086", "0x10de"
AMD, INTEL = "0000:11:00.0", "0000:03:00.0"


def radeon(root: Path, used: int = 6 * GIB) -> None:
    """Write a card of 16 GiB."""
    files = {"mem_info_vram_total": 16 * GIB, "mem_info_vram_used": used, "mem_info_gtt_total": 31 * GIB}
    card(root, 1, AMD, AMD_ID, product_name="Radeon RX 7800 XT", **files)


def test_cards_are_listed_by_their_address(tmp_path: Path) -> None:
    """Not by their number, which changes with a start of the system, nor as a text: 2 is before 10."""
    radeon(tmp_path)
    card(tmp_path, 10, INTEL, INTEL_ID, tile0__physical_vram_size_bytes=8 * GIB)
    card(tmp_path, 2, "0000:21:00.0", NVIDIA_ID)
    card(tmp_path, 3, "0000:22:00.0", "0x1a03")
    (tmp_path / "sys/class/drm/renderD128").mkdir()
    (tmp_path / "sys/class/drm/card1-HDMI-A-1").mkdir()
    assert read_drm_cards(tmp_path) == (
        DrmCard(vendor=GpuVendor.INTEL, address=INTEL, total_bytes=8 * GIB),
        DrmCard(
            vendor=GpuVendor.AMD,
            address=AMD,
            product="Radeon RX 7800 XT",
            total_bytes=16 * GIB,
            used_bytes=6 * GIB,
        ),
        DrmCard(vendor=GpuVendor.NVIDIA, address="0000:21:00.0"),
    )


def test_amd_has_its_memory_from_its_driver(tmp_path: Path) -> None:
    """Also what the desktop uses; and each process that is shown."""
    radeon(tmp_path)
    descriptor(tmp_path, 40, 5, AMDGPU)
    memory = GpuMemory(name="AMD Radeon RX 7800 XT", total_bytes=16 * GIB, free_bytes=10 * GIB, vendor="AMD")
    assert read_drm_states(tmp_path) == (GpuState(memory, {40: 5 * GIB}),)


def test_rocm_counts_as_far_as_it_is_more(tmp_path: Path) -> None:
    """Its allocations may be in the figures of the descriptor, too."""
    radeon(tmp_path)
    descriptor(tmp_path, 40, 5, AMDGPU)
    kfd_node(tmp_path, 1, 33912, 0x1100)
    kfd_process(tmp_path, 40, 33912, 7 * GIB)
    kfd_process(tmp_path, 41, 33912, GIB)
    (state,) = read_drm_states(tmp_path)
    assert state.process_bytes == {40: 7 * GIB, 41: GIB}


def test_intel_has_free_what_its_processes_do_not_use(tmp_path: Path) -> None:
    """The driver says only how much there is, by tile."""
    tiles = {"tile0__physical_vram_size_bytes": 8 * GIB, "tile1__physical_vram_size_bytes": 8 * GIB}
    card(tmp_path, 0, INTEL, INTEL_ID, **tiles)
    descriptor(tmp_path, 40, 5, XE)
    memory = GpuMemory(name="Intel GPU", total_bytes=16 * GIB, free_bytes=13 * GIB, vendor="Intel")
    assert read_drm_states(tmp_path) == (GpuState(memory, {40: 3 * GIB}),)


def test_intel_s_own_release_of_the_older_driver(tmp_path: Path) -> None:
    """Has the total beside ``device``."""
    card(tmp_path, 0, INTEL, INTEL_ID)
    write(tmp_path / "sys/class/drm/card0/lmem_total_bytes", f"{16 * GIB}\n")
    (found,) = read_drm_cards(tmp_path)
    assert found.total_bytes == 16 * GIB


def test_gpus_without_memory_of_their_own_have_no_state(tmp_path: Path) -> None:
    """Those of processors, those of an unknown size, and those of NVIDIA, which its driver reports."""
    card(tmp_path, 0, "0000:00:02.0", INTEL_ID)
    card(tmp_path, 1, "0000:05:00.0", AMD_ID, mem_info_vram_total=512 * MIB, mem_info_vram_used=0)
    card(tmp_path, 2, "0000:06:00.0", NVIDIA_ID, mem_info_vram_total=8 * GIB)
    assert read_drm_states(tmp_path) == ()


def test_more_used_than_there_is_leaves_nothing_free(tmp_path: Path) -> None:
    """Figures of different moments."""
    radeon(tmp_path, used=17 * GIB)
    assert read_drm_states(tmp_path)[0].memory.free_bytes == 0


def test_figures_that_are_none_are_unknown(tmp_path: Path) -> None:
    """A card of another bus has its name for an address."""
    card(tmp_path, 4, "", AMD_ID, mem_info_vram_total="x")
    assert read_drm_cards(tmp_path) == (DrmCard(vendor=GpuVendor.AMD, address="card4"),)
    assert read_drm_cards(tmp_path / "no") == ()
