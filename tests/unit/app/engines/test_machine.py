"""What an engine's build is chosen for."""

import platform
import sys

import pytest

from gglib.app.engines import machine
from gglib.engine_store.builds import GpuMaker
from gglib.system.gpu_kinds import Gpu, GpuVendor

CARD = Gpu(vendor=GpuVendor.NVIDIA, name="NVIDIA RTX 3060")
RADEON = Gpu(vendor=GpuVendor.AMD, name="AMD GPU")


@pytest.mark.parametrize("system", [("linux", "x86_64", "linux x64"), ("darwin", "arm64", "macos arm64")])
def test_the_platform_is_that_of_python(
    system: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the names of the releases; without a GPU no driver is asked."""
    monkeypatch.setattr(sys, "platform", system[0])
    monkeypatch.setattr(platform, "machine", lambda: system[1])
    monkeypatch.setattr(machine, "read_present_gpus", lambda: (RADEON,))
    monkeypatch.setattr(machine, "read_cuda_version", lambda: pytest.fail("asked"))
    found = machine.read_machine()
    assert (str(found.platform), found.makers, found.cuda) == (system[2], frozenset((GpuMaker.AMD,)), None)


def test_only_gpus_with_a_driver_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build for another one would find nothing."""
    lost = Gpu(vendor=GpuVendor.INTEL, name="Intel GPU", has_driver=False)
    monkeypatch.setattr(machine, "read_present_gpus", lambda: (CARD, lost))
    monkeypatch.setattr(machine, "read_cuda_version", lambda: (13, 4))
    found = machine.read_machine()
    assert (found.makers, found.cuda) == (frozenset((GpuMaker.NVIDIA,)), (13, 4))
