"""How many slots an engine can count."""

import pytest

from gglib.core.runtime.slots import MAX_CACHE_TOKENS, clamp_slots


@pytest.mark.parametrize(
    ("wanted", "context", "slots"),
    [
        (4, 131_072, 4),
        (0, 131_072, 1),
        (2, MAX_CACHE_TOKENS // 3, 2),
        (3, MAX_CACHE_TOKENS // 3, 3),
        (4, MAX_CACHE_TOKENS // 3, 3),
        (2, MAX_CACHE_TOKENS // 2 + 1, 1),
        (4, MAX_CACHE_TOKENS, 1),
        (4, 2 * MAX_CACHE_TOKENS, 1),
        (4, 0, 4),
    ],
)
def test_slots_are_limited_to_a_cache_that_an_engine_can_count(wanted: int, context: int, slots: int) -> None:
    """Slots times context stays within a signed 32-bit integer; one slot is always left."""
    assert clamp_slots(wanted, context) == slots


def test_the_limit_is_the_largest_signed_32_bit_integer() -> None:
    """A cache with one token more would overflow the engine's counter."""
    assert MAX_CACHE_TOKENS.bit_length() == 31
    assert (MAX_CACHE_TOKENS + 1).bit_length() == 32
