"""What is said of the GPUs."""

from dataclasses import replace

import pytest

from gglib.app.memory.gpu_use import GpuUse, can_use, gpu_names, gpu_text, resident_gpu_text
from gglib.core.memory import GpuMemory
from gglib.system.gpu_kinds import Gpu, GpuVendor

RTX = Gpu(vendor=GpuVendor.NVIDIA, name="NVIDIA RTX 3060", memory_bytes=12_884_901_888)
RADEON = Gpu(vendor=GpuVendor.AMD, name="AMD RX 7800", memory_bytes=17_000_000_000)
INTEL = Gpu(vendor=GpuVendor.INTEL, name="Intel GPU")
M2 = Gpu(vendor=GpuVendor.APPLE, name="Apple M2")
LOST = replace(RTX, has_driver=False)


def use(*gpus: Gpu, devices: tuple[str, ...] | None = (), kind: str = "embedded") -> GpuUse:
    """Return the use by an engine that lists these devices."""
    return GpuUse(gpus=gpus, engine_kind=kind, devices=devices)


@pytest.mark.parametrize(
    ("gpu_use", "text"),
    [
        (use(), None),
        (use(RTX, devices=("CUDA0",)), "NVIDIA RTX 3060, 12.9 GB: used by the engine (CUDA0)"),
        (
            use(RTX),
            (
                "NVIDIA RTX 3060, 12.9 GB: not used, the included engine is a CPU build. 'gglib engine install' "
                "installs one with CUDA or Vulkan (docs/models.md#gpus)."
            ),
        ),
        (
            use(RADEON, kind="llama-server"),
            (
                "AMD RX 7800, 17.0 GB: not used, this llama-server finds no device. 'gglib engine install' "
                "installs one with ROCm or Vulkan; it needs the GPU's driver (docs/models.md#gpus)."
            ),
        ),
        (
            use(RTX, devices=None, kind="llama-server"),
            "NVIDIA RTX 3060, 12.9 GB: this llama-server cannot list its devices, so whether it uses it is unknown",
        ),
        (
            use(LOST),
            (
                "NVIDIA RTX 3060, 12.9 GB: not used, its driver is missing or does not respond. Install it first "
                "(docs/models.md#gpus)."
            ),
        ),
        (use(M2, devices=("MTL0",)), "Apple M2: used by the engine (MTL0)"),
    ],
)
def test_use_is_said_with_the_next_step(gpu_use: GpuUse, text: str | None) -> None:
    """Which backends help depends on the maker."""
    assert gpu_text(gpu_use) == text


def test_backend_is_that_of_a_gpu_with_a_driver() -> None:
    """Not of the one that nothing can use."""
    assert "SYCL or Vulkan" in str(gpu_text(use(LOST, INTEL)))


def test_only_memory_of_its_own_is_lost() -> None:
    """A GPU in the processor is not worth a warning; an unknown use is none."""
    assert use(RTX).is_lost
    assert not use(INTEL).is_lost
    assert not use(RTX, devices=None).is_lost
    assert not use(RTX, devices=("CUDA0",)).is_lost


def test_equal_gpus_are_counted() -> None:
    """In the order of the first."""
    assert gpu_names([RTX, INTEL, RTX]) == "2 x NVIDIA RTX 3060, 12.9 GB, Intel GPU"


def test_ps_says_which_models_use_it() -> None:
    """By the devices of their sizes; where these have no GPU, ``doctor`` knows."""
    assert resident_gpu_text([], {"m": {"ram": 1}}) is None
    assert str(resident_gpu_text([RTX], {"a": {"ram": 1, "gpu0": 5}, "b": {"ram": 1}})).endswith(
        ": used by a"
    )
    assert "not used by the models in memory" in str(resident_gpu_text([RTX], {"b": {"ram": 1}}))
    assert str(resident_gpu_text([RTX, RADEON], {"a": {"ram": 1, "gpu1": 5}})).endswith(": used by a")
    for gpus, sizes in (([RTX], {}), ([INTEL], {"b": {"ram": 1}}), ([LOST], {"b": {"ram": 1}})):
        assert "'gglib doctor' says whether" in str(resident_gpu_text(gpus, sizes))


@pytest.mark.parametrize(
    ("devices", "vendors"),
    [
        (("CUDA0", "CUDA1"), ["NVIDIA"]),
        (("ROCm0",), ["AMD"]),
        (("SYCL0",), ["Intel"]),
        (("Vulkan0", "Vulkan1"), ["NVIDIA", "AMD", "Intel", ""]),
        (("CUDA0", "Vulkan0"), ["NVIDIA", "AMD", "Intel", ""]),
        (("ROCm0", "SYCL10"), ["AMD", "Intel"]),
        ((), []),
        (None, ["NVIDIA", ""]),
    ],
)
def test_an_engine_uses_the_gpus_of_its_backends(devices: tuple[str, ...] | None, vendors: list[str]) -> None:
    """Vulkan those of all makers; an engine that cannot list its devices those of NVIDIA, as far as is known."""
    found = [
        vendor
        for vendor in ("NVIDIA", "AMD", "Intel", "")
        if can_use(GpuMemory(name="g", total_bytes=1, free_bytes=1, vendor=vendor), devices)
    ]
    assert found == vendors
