"""The version of CUDA that NVIDIA's driver supports, from recorded answers of its library."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from gglib.system.cuda_driver import read_cuda_version


def library(version: object = 13040, *, fails: str = "") -> Any:
    """Return the calls that are used; one of them may fail."""

    def call(name: str, result: object = None) -> Any:
        def answer() -> object:
            if name == fails:
                raise RuntimeError("NVML: Driver Not Loaded")
            return result

        return answer

    names = {"nvmlInit": None, "nvmlSystemGetCudaDriverVersion_v2": version, "nvmlShutdown": None}
    return SimpleNamespace(**{name: call(name, result) for name, result in names.items()})


@pytest.mark.parametrize(("number", "version"), [(13040, (13, 4)), (12080, (12, 8)), (11000, (11, 0))])
def test_the_version_is_read_from_its_number(number: int, version: tuple[int, int]) -> None:
    """1000 for the major version, 10 for the minor one."""
    assert read_cuda_version(lambda: library(number)) == version


@pytest.mark.parametrize("fails", ["nvmlInit", "nvmlSystemGetCudaDriverVersion_v2", "nvmlShutdown"])
def test_a_driver_that_fails_is_none(fails: str) -> None:
    """At whatever call."""
    assert read_cuda_version(lambda: library(fails=fails)) is None


def test_without_the_library_there_is_no_version() -> None:
    """Nor with one that says something else."""

    def missing() -> Any:
        raise ImportError("pynvml")

    assert read_cuda_version(missing) is None
    assert read_cuda_version(lambda: library("x")) is None


def test_a_driver_that_hangs_is_none() -> None:
    """The call is not waited for."""
    hangs = threading.Event()
    try:
        assert read_cuda_version(lambda: hangs.wait(60), timeout_s=0.0) is None
    finally:
        hangs.set()
