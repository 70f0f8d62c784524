"""The video memory of processes, by the descriptors that they have open."""

from pathlib import Path

import pytest
from tests.unit.system.recorded_gpus import AMDGPU, I915, OLD_AMDGPU, OTHER_FILE, XE, descriptor, write

from gglib.system.drm_clients import DrmClient, parse_client, read_client_bytes

MIB = 1024**2
AMD, INTEL, ARC = "0000:11:00.0", "0000:03:00.0", "0000:04:00.0"


@pytest.mark.parametrize(
    ("text", "client"),
    [
        (AMDGPU, DrmClient(AMD, "185", 5120 * MIB)),
        (OLD_AMDGPU, DrmClient(AMD, "", 1024 * MIB)),
        (XE, DrmClient(INTEL, "3", 3072 * MIB)),
        (I915, DrmClient(ARC, "7", 256 * MIB)),
        (OTHER_FILE, None),
        ("", None),
        ("drm-driver:\tvirtio_gpu\n", None),
    ],
)
def test_video_memory_counts_and_nothing_else(text: str, client: DrmClient | None) -> None:
    """What is in it now, not what was reserved, nor RAM."""
    assert parse_client(text) == client


@pytest.mark.parametrize(
    ("value", "size"), [("0", 0), ("12", 12), ("12 KiB", 12 * 1024), ("2 GiB", 2 << 30), ("x KiB", 0)]
)
def test_units_are_those_of_the_kernel(value: str, size: int) -> None:
    """Without one, a number is in bytes."""
    text = f"drm-driver:\txe\ndrm-pdev:\t{INTEL}\ndrm-resident-vram0:\t{value}\n"
    assert parse_client(text) == DrmClient(INTEL, "", size)


def test_all_tiles_of_a_card_count() -> None:
    """A region each."""
    regions = "drm-resident-vram0:\t1 MiB\ndrm-resident-vram1:\t2 MiB\n"
    found = parse_client(f"drm-driver:\txe\ndrm-pdev:\t{INTEL}\n{regions}")
    assert found == DrmClient(INTEL, "", 3 * MIB)


def test_processes_are_listed_by_card(tmp_path: Path) -> None:
    """A process may use several."""
    descriptor(tmp_path, 40, 5, AMDGPU)
    descriptor(tmp_path, 40, 6, XE, "/dev/dri/renderD129")
    descriptor(tmp_path, 7, 3, I915, "/dev/dri/card2")
    descriptor(tmp_path, 7, 4, OTHER_FILE, "/dev/null")
    write(tmp_path / "proc/meminfo", "MemTotal: 1 kB\n")
    assert read_client_bytes(tmp_path) == {
        ARC: {7: 256 * MIB},
        AMD: {40: 5120 * MIB},
        INTEL: {40: 3072 * MIB},
    }


def test_a_shared_descriptor_counts_once(tmp_path: Path) -> None:
    """Duplicated in a process, and inherited by another one."""
    for pid, number in ((40, 5), (40, 6), (41, 5)):
        descriptor(tmp_path, pid, number, AMDGPU)
    assert read_client_bytes(tmp_path) == {AMD: {40: 5120 * MIB}}


def test_descriptors_of_one_process_are_added(tmp_path: Path) -> None:
    """Each has a number of its own."""
    descriptor(tmp_path, 40, 5, AMDGPU)
    descriptor(tmp_path, 40, 6, AMDGPU.replace("185", "186"))
    assert read_client_bytes(tmp_path) == {AMD: {40: 2 * 5120 * MIB}}


def test_without_numbers_the_largest_counts(tmp_path: Path) -> None:
    """They may be duplicates."""
    descriptor(tmp_path, 40, 5, OLD_AMDGPU)
    descriptor(tmp_path, 40, 6, OLD_AMDGPU.replace("1048576", "2097152"))
    assert read_client_bytes(tmp_path) == {AMD: {40: 2048 * MIB}}


def test_hidden_processes_are_no_error(tmp_path: Path) -> None:
    """Those of other users, and those that have just exited."""
    (tmp_path / "proc/12").mkdir(parents=True)
    descriptor(tmp_path, 13, 4, AMDGPU)
    (tmp_path / "proc/13/fdinfo/4").unlink()
    assert read_client_bytes(tmp_path) == {}
    assert read_client_bytes(tmp_path / "no") == {}
