"""The required context size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.context import FALLBACK_TRAINED_CONTEXT, UNLIMITED_CONTEXT, ContextRequest, is_enough


@pytest.mark.parametrize(
    ("requested", "setting", "default", "trained", "needed", "at_launch"),
    [
        (None, None, 8192, 32768, 8192, 8192),
        (None, 10_000, 8192, 32768, 10_000, 10_000),
        (5_000, 10_000, 8192, 32768, 5_000, 8192),
        (8192, None, 4096, 32768, 8192, 8192),
        (100_000, None, 8192, 32768, 32768, 32768),
        (20_000, None, 8192, 24_000, 20_000, 24_000),
        (None, None, UNLIMITED_CONTEXT, 2048, 2048, 2048),
        (None, None, UNLIMITED_CONTEXT, None, FALLBACK_TRAINED_CONTEXT, FALLBACK_TRAINED_CONTEXT),
        (1, None, 8192, 32768, 1, 1),
    ],
)
def test_request_then_model_then_default_up_to_the_trained(  # noqa: PLR0917 - a table
    requested: int | None, setting: int | None, default: int, trained: int | None, needed: int, at_launch: int
) -> None:
    """The user's value is exact; a request's value is rounded up to a power of two."""
    wish = ContextRequest(requested=requested, model_setting=setting, default=default, trained=trained)
    assert (wish.needed, wish.at_launch) == (needed, at_launch)


@given(st.lists(st.integers(1, 10**30), min_size=1), st.integers(1, 200_000))
def test_any_sequence_of_requests_causes_few_relaunches(wishes: list[int], trained: int) -> None:
    """Clients that send another num_ctx with each request cause at most log2(trained) reloads."""
    running, launches = 0, 0
    for requested in wishes:
        wish = ContextRequest(requested=requested, model_setting=None, default=8192, trained=trained)
        if not is_enough(running=running, needed=wish.needed):
            assert wish.at_launch > running
            running, launches = wish.at_launch, launches + 1
    assert launches <= trained.bit_length() + 1
    assert running <= trained
