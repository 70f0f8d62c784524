"""The slots of a launch: the requested number if it fits, at least one."""

from hypothesis import given
from hypothesis import strategies as st

from gglib.core.memory import Fit, GpuMemory, MachineMemory, MemoryNeed
from gglib.library.fit.estimate import judge_fit
from gglib.library.fit.slots import fit_slots, model_fit

GIB = 1024**3


def need_of(slots: int, *, base: int = 4 * GIB, each: int = GIB) -> MemoryNeed:
    """Return the need of a number of slots: something for the model, and something for each."""
    return MemoryNeed(
        weights_bytes=base, kv_bytes=slots * each, compute_bytes=0, overhead_bytes=0, is_exact=True
    )


def free(gib: float, *gpus: int) -> MachineMemory:
    """Return a machine with the given free memory."""
    return MachineMemory(
        total_bytes=int(gib * GIB),
        available_bytes=int(gib * GIB),
        gpus=tuple(GpuMemory(name="gpu", total_bytes=gpu * GIB, free_bytes=gpu * GIB) for gpu in gpus),
    )


def test_slots_are_reduced_one_by_one_as_memory_gets_short() -> None:
    """A model of 4 GiB with 1 GiB for each slot and a tenth to spare has as many as fit; the last slot stays."""
    found = [
        (fit.slots, fit.fit)
        for fit in (fit_slots(need_of, free(gib), wanted=4) for gib in (9, 8, 7, 6, 5, 4))
    ]
    assert found == [
        (4, Fit.FITS), (3, Fit.FITS), (2, Fit.FITS), (1, Fit.FITS), (1, Fit.TIGHT), (1, Fit.TOO_LARGE),
    ]  # fmt: skip
    short = fit_slots(need_of, free(7), wanted=4)
    assert (short.wanted, short.is_short, short.requests) == (4, True, "2 requests")
    assert short.need == need_of(2)


def test_memory_of_the_device_with_the_model_counts() -> None:
    """A model that is fully offloaded needs its slots on the GPU, too; a partly offloaded model gets one."""
    assert fit_slots(need_of, free(2, 24), wanted=4).slots == 4
    assert fit_slots(need_of, free(64, 7), wanted=4).slots == 2
    assert fit_slots(need_of, free(64, 4), wanted=4).slots == 1


def test_unknown_memory_keeps_the_requested_slots() -> None:
    """Unknown memory reduces nothing."""
    unknown = MachineMemory(total_bytes=None, available_bytes=None)
    assert fit_slots(need_of, unknown, wanted=64).slots == 64
    assert fit_slots(need_of, unknown, wanted=0).slots == 1


def test_no_cache_is_larger_than_an_engine_counts() -> None:
    """Slots times context stays within 32 bits with a sign, whatever is wanted."""
    unknown = MachineMemory(total_bytes=None, available_bytes=None)
    assert model_fit(None, weights_bytes=1, context=2**30, slots=9, memory=unknown).slots == 1


@given(
    wanted=st.integers(1, 200),
    base=st.integers(0, 64 * GIB),
    each=st.integers(0, 8 * GIB),
    available=st.integers(0, 128),
    gpu=st.integers(0, 48),
)
def test_result_is_the_largest_number_that_fits(
    wanted: int, base: int, each: int, available: int, gpu: int
) -> None:
    """One more would not fit, and the result fits, unless not even one slot does."""
    memory = free(available, *([gpu] if gpu else []))

    def fits(slots: int) -> bool:
        return judge_fit(need_of(slots, base=base, each=each), memory) is Fit.FITS

    slots = fit_slots(lambda count: need_of(count, base=base, each=each), memory, wanted=wanted).slots
    assert slots == max([count for count in range(1, wanted + 1) if fits(count)], default=1)
