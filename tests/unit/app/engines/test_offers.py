"""When ``gglib up`` offers an engine."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app.engines import offers
from gglib.app.memory.gpu_use import GpuUse
from gglib.app.settings import Settings
from gglib.system.gpu_kinds import Gpu, GpuVendor

RTX = Gpu(vendor=GpuVendor.NVIDIA, name="NVIDIA RTX 3060", memory_bytes=12_884_901_888)
UNUSED = GpuUse(gpus=(RTX,), engine_kind="embedded", devices=())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of an empty home."""
    return Settings(home=tmp_path / "home")


def test_an_unused_gpu_is_worth_an_offer(settings: Settings) -> None:
    """With a driver only; the question names it and the backends."""
    assert offers.is_due(settings, UNUSED)
    assert offers.question(UNUSED) == (
        "NVIDIA RTX 3060, 12.9 GB: the engine in use cannot use it. Install a build of llama.cpp with CUDA or Vulkan?"
    )


@pytest.mark.parametrize(
    "use",
    [
        replace(UNUSED, gpus=()),
        replace(UNUSED, devices=("CUDA0",)),
        replace(UNUSED, devices=None),
        replace(UNUSED, gpus=(replace(RTX, has_driver=False),)),
        replace(UNUSED, gpus=(Gpu(vendor=GpuVendor.INTEL, name="Intel GPU"),)),
    ],
)
def test_nothing_is_offered_without_a_gain(settings: Settings, use: GpuUse) -> None:
    """A used or unknown GPU, one without a driver, one without memory of its own."""
    assert not offers.is_due(settings, use)


def test_a_refusal_is_remembered_for_these_gpus(settings: Settings) -> None:
    """Another card is another offer; a damaged note is none."""
    offers.remember(settings, UNUSED)
    assert not offers.is_due(settings, UNUSED)
    other = replace(UNUSED, gpus=(RTX, RTX))
    assert offers.is_due(settings, other)
    offers.remember(settings, other)
    assert not offers.is_due(settings, other)
    for content in (b"", b"[]", b'{"gpus": 1}'):
        (settings.engines_dir / "refused.json").write_bytes(content)
        assert offers.is_due(settings, UNUSED)
