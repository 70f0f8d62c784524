"""All GPUs with memory of their own."""

from pathlib import Path

from tests.unit.system.recorded_gpus import card

from gglib.core.memory import GpuMemory
from gglib.system.gpu_kinds import GpuState
from gglib.system.gpus import read_gpu_states

RTX = GpuState(GpuMemory(name="RTX 4090", total_bytes=24, free_bytes=8, vendor="NVIDIA"), {7: 5})


def test_those_of_nvidia_come_first(tmp_path: Path) -> None:
    """In the order in which CUDA's devices are numbered; then the others."""
    card(tmp_path, 0, "0000:03:00.0", "0x1002", mem_info_vram_total=8 << 30, mem_info_vram_used=1 << 30)
    found = read_gpu_states("linux", tmp_path, read_nvidia=lambda: (RTX,))
    assert found[0] == RTX
    assert [state.memory.vendor for state in found] == ["NVIDIA", "AMD"]


def test_only_linux_shows_the_others(tmp_path: Path) -> None:
    """A Mac's GPU uses the RAM."""
    card(tmp_path, 0, "0000:03:00.0", "0x1002", mem_info_vram_total=8 << 30)
    assert read_gpu_states("darwin", tmp_path, read_nvidia=lambda: ()) == ()
