"""The devices that a llama-server lists."""

from pathlib import Path

import pytest

from gglib.runtime.engines import LlamaServerEngine
from gglib.runtime.engines.llama_cpp.device_list import LIST_OPTION, parse_devices
from gglib.runtime.engines.llama_cpp.help_page import NEEDED_OPTIONS
from gglib.runtime.engines.program_output import ProgramOutput

TWO = """ggml_cuda_init: found 2 CUDA devices:
  Device 0: NVIDIA GeForce RTX 3060, compute capability 8.6, VMM: yes
Available devices:
  CUDA0: NVIDIA GeForce RTX 3060 (12036 MiB, 11000 MiB free)
  Vulkan1: AMD Radeon (RADV NAVI32) (16368 MiB, 16000 MiB free)
  BLAS: OpenBLAS (0 MiB, 0 MiB free)
  RPC[10.0.0.2:50052]: RPC[10.0.0.2:50052] (9000 MiB, 9000 MiB free)
"""


@pytest.mark.parametrize(
    ("output", "devices"),
    [
        (TWO, ("CUDA0", "Vulkan1")),
        ("Available devices:\n", ()),
        ("Available devices:\n  (none)\n", ()),
        ("error: invalid argument: --list-devices\n", None),
    ],
)
def test_devices_with_memory_on_this_machine_count(output: str, devices: tuple[str, ...] | None) -> None:
    """Neither lines before the list, nor accelerators of the CPU, nor other machines."""
    assert parse_devices(output) == devices


def engine(path: Path, *options: str, runs: list[str]) -> LlamaServerEngine:
    """Return an engine that knows some options, and records the programs that it runs."""

    def run(option: str) -> ProgramOutput:
        runs.append(option)
        return ProgramOutput(" ".join((*NEEDED_OPTIONS, *options)) if option == "--help" else TWO, 0)

    path.write_text("v1")
    return LlamaServerEngine(path, reason="", run=run)


def test_binary_is_run_once_for_each_version(tmp_path: Path) -> None:
    """A replaced file is asked again."""
    runs: list[str] = []
    path = tmp_path / "llama-server"
    found = engine(path, LIST_OPTION, runs=runs)
    assert found.gpu_devices() == found.gpu_devices() == ("CUDA0", "Vulkan1")
    assert runs.count(LIST_OPTION) == 1
    path.write_text("version 2")
    found.gpu_devices()
    assert runs.count(LIST_OPTION) == 2


def test_old_build_is_not_run_with_an_option_that_it_lacks(tmp_path: Path) -> None:
    """Nor a missing program: the use is unknown."""
    runs: list[str] = []
    path = tmp_path / "llama-server"
    assert engine(path, runs=runs).gpu_devices() is None
    assert LIST_OPTION not in runs
    assert LlamaServerEngine(tmp_path / "nothing", reason="").gpu_devices() is None
