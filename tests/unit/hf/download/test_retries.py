"""When a download retries."""

import pytest

from gglib.hf.download.retries import Retries, RetryLimits

LIMITS = RetryLimits(first_pause_s=1.0, max_pause_s=8.0, max_attempts=6, max_retry_after_s=60.0)


def test_pauses_double_up_to_the_maximum_and_then_retries_end() -> None:
    """Six consecutive attempts without a byte have five pauses."""
    retries = Retries(LIMITS)
    assert [retries.record_failure(0, 1.0) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 8.0, None]


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_jitter_is_up_to_half_of_a_pause(chance: float, expected: float) -> None:
    """Jitter spreads the retries of disconnected clients."""
    assert Retries(LIMITS).record_failure(0, chance) == expected


def test_progress_resets_the_retries() -> None:
    """A hundred interruptions, each after another byte, do not end the retries."""
    retries = Retries(LIMITS)
    assert {retries.record_failure(come, 1.0) for come in range(100)} == {1.0}


def test_bytes_received_before_are_no_progress() -> None:
    """Retries end if the server always starts over and fails at the same offset."""
    retries = Retries(LIMITS)
    assert [retries.record_failure(500, 1.0) for _ in range(6)][-1] is None


def test_retry_after_is_respected() -> None:
    """The pause is at least the requested one, plus jitter."""
    assert Retries(LIMITS).record_retry_after(30.0, 0, 0.0) == 30.0
    assert Retries(LIMITS).record_retry_after(30.0, 0, 1.0) == 31.0
    assert Retries(LIMITS).record_retry_after(0.0, 0, 1.0) == 1.0


def test_excessive_retry_after_ends_the_retries() -> None:
    """A longer wait than the limit ends the retries at once."""
    assert Retries(LIMITS).record_retry_after(60.0, 0, 0.0) is not None
    assert Retries(LIMITS).record_retry_after(60.1, 0, 0.0) is None
