"""The memory need of a model by device, as llama.cpp distributes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.memory import RAM, MemoryNeed
from gglib.core.runtime.offload import Offload
from gglib.library.fit.devices import GPU_CONTEXT_BYTES, device_sizes

MIB = 1024**2
GIB = 1024**3
NEED = MemoryNeed(
    weights_bytes=8 * GIB, kv_bytes=2 * GIB, compute_bytes=GIB, overhead_bytes=64 * MIB, is_exact=True
)
ONE = {"gpu0": 24 * GIB}
TWO = {"gpu0": 24 * GIB, "gpu1": 8 * GIB}
FIXED = GIB + GPU_CONTEXT_BYTES
CPU = {RAM: 11 * GIB + 64 * MIB}


def sizes(gpus: dict[str, int], offload: Offload | None = None, *, cache: int = 0) -> dict[str, int]:
    """Return the sizes of a model with 31 layers, and so 32 parts."""
    return device_sizes(NEED, gpus=gpus, offload=offload or Offload(), layers=31, prompt_cache_bytes=cache)


def test_without_gpus_all_is_in_ram() -> None:
    """One budget: the whole need and the prompt cache."""
    assert sizes({}) == CPU
    assert sizes({}, cache=GIB) == {RAM: CPU[RAM] + GIB}


def test_a_launch_without_devices_is_in_ram() -> None:
    """With ``--device none`` the GPUs stay free."""
    assert sizes(ONE, Offload(gpus=())) == CPU


def test_a_gpu_takes_the_model_and_ram_the_process() -> None:
    """Weights, cache, buffers and the driver's context are on the GPU; process and prompt cache in RAM."""
    assert sizes(ONE, cache=GIB) == {RAM: 64 * MIB + GIB, "gpu0": 10 * GIB + FIXED}


def test_layers_are_split_by_the_memory_of_the_gpus() -> None:
    """Three quarters of the memory get three quarters of the layers; each GPU has its own buffers."""
    assert sizes(TWO) == {RAM: 64 * MIB, "gpu0": 15 * GIB // 2 + FIXED, "gpu1": 5 * GIB // 2 + FIXED}


def test_layers_are_split_by_the_shares_of_the_launch() -> None:
    """``--tensor-split 1,0`` uses the first GPU only; shares of GPUs that do not exist are ignored."""
    assert sizes(TWO, Offload(shares=(1.0, 0.0, 5.0))) == {RAM: 64 * MIB, "gpu0": 10 * GIB + FIXED}


def test_one_gpu_of_several() -> None:
    """``--main-gpu 1`` with ``--split-mode none`` uses the second GPU, and RAM for what does not fit there."""
    assert sizes(TWO, Offload(gpus=(1,))) == {
        "gpu1": 8 * GIB,
        RAM: 10 * GIB - (8 * GIB - FIXED) + GIB + 64 * MIB,
    }


def test_a_gpu_that_does_not_exist_is_not_used() -> None:
    """A device that the machine does not have takes nothing."""
    assert sizes(ONE, Offload(gpus=(3,))) == CPU


def test_chosen_layers_are_placed_whether_they_fit_or_not() -> None:
    """All layers on a GPU that is too small exceed its capacity: the launch cannot fit."""
    assert sizes({"gpu0": 4 * GIB}, Offload(gpu_layers=99)) == {RAM: 64 * MIB, "gpu0": 10 * GIB + FIXED}


def test_half_of_the_layers() -> None:
    """The other half stays in RAM, with a compute buffer there."""
    assert sizes(ONE, Offload(gpu_layers=16)) == {
        RAM: 5 * GIB + GIB + 64 * MIB,
        "gpu0": 5 * GIB + FIXED,
    }


def test_no_layers_on_the_gpu_still_use_it_for_large_batches() -> None:
    """With ``--gpu-layers 0`` the GPU has a compute buffer and a context, and RAM all layers."""
    assert sizes(ONE, Offload(gpu_layers=0)) == {**CPU, "gpu0": FIXED}


def test_experts_in_ram_count_in_full_there_and_a_fifth_on_the_gpu() -> None:
    """The share of attention in these layers is unknown: both counts are upper bounds."""
    found = sizes(ONE, Offload(cpu_expert_layers=2**31 - 1))
    assert found == {RAM: 8 * GIB + GIB + 64 * MIB, "gpu0": round(10 * GIB - 6.4 * GIB) + FIXED}
    assert sum(found.values()) > sum(sizes(ONE).values())


def test_an_unknown_number_of_layers_is_assumed() -> None:
    """A header without the number still gives a split."""
    found = device_sizes(NEED, gpus=ONE, offload=Offload(gpu_layers=11), layers=None)
    assert found["gpu0"] == pytest.approx(10 * GIB / 3 + FIXED, abs=1)


@given(
    gpus=st.lists(st.integers(0, 40 * GIB), max_size=3),
    layers=st.one_of(st.none(), st.integers(0, 100)),
    experts=st.integers(0, 40),
)
def test_nothing_is_lost(gpus: list[int], layers: int | None, experts: int) -> None:
    """The devices together hold at least the whole need; an automatic placement does not exceed a GPU's capacity."""
    capacity = {f"gpu{number}": size for number, size in enumerate(gpus)}
    found = sizes(capacity, Offload(gpu_layers=layers, cpu_expert_layers=experts))
    assert sum(found.values()) >= NEED.weights_bytes + NEED.kv_bytes + NEED.overhead_bytes - len(gpus)
    if layers is None:
        assert all(found.get(name, 0) <= size for name, size in capacity.items())
