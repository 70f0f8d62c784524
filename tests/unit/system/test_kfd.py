"""The video memory of ROCm's processes."""

from pathlib import Path

import pytest
from tests.unit.system.recorded_gpus import kfd_node, kfd_process, write

from gglib.system.kfd import read_kfd_bytes


@pytest.mark.parametrize(
    ("location", "domain", "address"),
    [(0x0300, 0, "0000:03:00.0"), (0xC500, 0, "0000:c5:00.0"), (0x4119, 2, "0002:41:03.1")],
)
def test_processes_are_listed_by_the_address_of_the_card(
    tmp_path: Path, location: int, domain: int, address: str
) -> None:
    """Which is packed into a number."""
    kfd_node(tmp_path, 0, 0, 0)
    kfd_node(tmp_path, 1, 33912, location, domain)
    kfd_process(tmp_path, 40, 33912, 7_351_832_576)
    kfd_process(tmp_path, 41, 33912, 0)
    kfd_process(tmp_path, 42, 51545, 5)
    assert read_kfd_bytes(tmp_path) == {address: {40: 7_351_832_576}}


def test_without_rocm_there_are_none(tmp_path: Path) -> None:
    """And unreadable files are no error."""
    assert read_kfd_bytes(tmp_path) == {}
    write(tmp_path / "sys/class/kfd/kfd/topology/nodes/1/gpu_id", "x\n")
    write(tmp_path / "sys/class/kfd/kfd/topology/nodes/2/gpu_id", "7\n")
    assert read_kfd_bytes(tmp_path) == {}
