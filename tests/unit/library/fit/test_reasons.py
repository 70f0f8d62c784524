"""The sentence that explains a fit."""

import pytest

from gglib.core.memory import GpuMemory, MachineMemory, MemoryNeed
from gglib.library.fit.reasons import fit_reason, is_memory_known
from gglib.library.fit.slots import fit_slots

GB = 1000**3
GPU = GpuMemory(name="gpu", total_bytes=8 * GB, free_bytes=8 * GB)


def need(slots: int, *, base: int = 2 * GB) -> MemoryNeed:
    """Return a need that grows by a gigabyte with each slot."""
    return MemoryNeed(
        weights_bytes=base, kv_bytes=slots * GB, compute_bytes=0, overhead_bytes=0, is_exact=True
    )


@pytest.mark.parametrize(
    ("free_gb", "gpus", "reason"),
    [
        (32, (), "It needs 6.0 GB and fits into the free memory."),
        (5, (), "It needs 4.0 GB and fits with memory for 2 requests at a time instead of 4."),
        (3, (), "It needs 3.0 GB, most of the free memory or more: unload models or close programs first."),
        (1, (), "It needs 3.0 GB, more than this machine can provide."),
        (32, (GPU,), "It needs 6.0 GB and fits into the free memory."),
        (
            32,
            (GpuMemory(name="gpu", total_bytes=GB, free_bytes=GB),),
            "It needs 3.0 GB, more than the GPUs have free: a part stays in RAM, which is slower.",
        ),
    ],
)
def test_each_verdict_has_its_sentence(free_gb: int, gpus: tuple[GpuMemory, ...], reason: str) -> None:
    """With the size, and what to do where something helps."""
    memory = MachineMemory(total_bytes=free_gb * GB, available_bytes=free_gb * GB, gpus=gpus)
    assert fit_reason(fit_slots(need, memory, wanted=4), memory) == reason


def test_memory_is_known_by_any_of_its_values() -> None:
    """Without all of them nothing can be judged."""
    assert not is_memory_known(MachineMemory(total_bytes=None, available_bytes=None))
    assert is_memory_known(MachineMemory(total_bytes=GB, available_bytes=None))
    assert is_memory_known(MachineMemory(total_bytes=None, available_bytes=0))
    assert is_memory_known(MachineMemory(total_bytes=None, available_bytes=None, gpus=(GPU,)))
