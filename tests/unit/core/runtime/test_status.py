"""The memory in a status."""

from gglib.core.runtime.status import ResidentStatus, RuntimeStatus


def resident(**size: int) -> ResidentStatus:
    """Return a model with a size by device."""
    return ResidentStatus(model_id=1, model_name="m", state="ready", effective_ctx=1, size=size)


def test_used_memory_is_the_sum_of_the_sizes() -> None:
    """By device; a model whose size is unknown counts nothing."""
    status = RuntimeStatus(residents=(resident(ram=5, gpu0=7), resident(ram=1), resident()))
    assert status.used == {"ram": 6, "gpu0": 7}
    assert RuntimeStatus().used == {}


def test_memory_is_optional() -> None:
    """A runtime of an embedding program may report none."""
    plain = ResidentStatus(model_id=1, model_name="m", state="ready", effective_ctx=1)
    assert (plain.size, plain.is_measured, plain.is_pinned, plain.threads) == ({}, False, False, None)
    assert (RuntimeStatus().limits, RuntimeStatus().hint) == ({}, None)
