"""When a download tries again."""

import pytest

from gglib.hf.download.retries import Retries, RetryLimits

LIMITS = RetryLimits(first_pause_s=1.0, longest_pause_s=8.0, most_tries=6, longest_obeyed_s=60.0)


def test_pauses_double_up_to_the_longest_and_then_it_gives_up() -> None:
    """Six tries in a row without a byte: five pauses."""
    retries = Retries(LIMITS)
    assert [retries.lost(0, 1.0) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 8.0, None]


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_chance_takes_up_to_half_of_a_pause(chance: float, expected: float) -> None:
    """So that not all who were cut off come back at the same moment."""
    assert Retries(LIMITS).lost(0, chance) == expected


def test_as_long_as_bytes_come_it_goes_on() -> None:
    """A hundred cuts, each after a further byte, are no reason to give up."""
    retries = Retries(LIMITS)
    assert {retries.lost(come, 1.0) for come in range(100)} == {1.0}


def test_bytes_that_were_here_before_are_no_progress() -> None:
    """A server that always begins again, and always ends at the same place, is given up."""
    retries = Retries(LIMITS)
    assert [retries.lost(500, 1.0) for _ in range(6)][-1] is None


def test_a_server_that_asks_for_patience_gets_it() -> None:
    """No less than it asks for, and a little more by chance."""
    assert Retries(LIMITS).told_to_wait(30.0, 0, 0.0) == 30.0
    assert Retries(LIMITS).told_to_wait(30.0, 0, 1.0) == 31.0
    assert Retries(LIMITS).told_to_wait(0.0, 0, 1.0) == 1.0


def test_for_more_patience_than_is_reasonable_the_user_is_asked() -> None:
    """Beyond a minute here: it gives up at once."""
    assert Retries(LIMITS).told_to_wait(60.0, 0, 0.0) is not None
    assert Retries(LIMITS).told_to_wait(60.1, 0, 0.0) is None
