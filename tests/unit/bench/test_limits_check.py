"""The verification of limits finds what exceeds them."""

from bench.limits_check import KeyRun, Seen, most_in_window, violations

from gglib.core.api_keys import KeyLimits


def test_only_what_is_certainly_in_a_window_counts() -> None:
    """A request that was answered later may have been admitted later."""
    spans = [(0.0, 1.0, 1), (10.0, 59.9, 1), (20.0, 60.0, 1), (60.0, 60.5, 1)]
    assert most_in_window(spans) == 3  # from 10 to 70
    assert most_in_window([(0.0, 1.0, 5), (0.5, 60.2, 7), (60.0, 60.1, 9)]) == 16
    assert most_in_window([]) == 0


def test_each_limit_is_verified() -> None:
    """Also that a key gets what it is allowed."""
    seen = [Seen(number, number + 0.1, number + 0.2, 10) for number in range(5)]
    exact = KeyRun(KeyLimits(rpm=5, tpm=50, parallel=2), seen, most_at_once=2)
    assert violations(exact, 50) == []
    beyond = KeyRun(KeyLimits(rpm=4, tpm=49, parallel=1), seen, most_at_once=2, other_statuses=[500])
    assert len(violations(beyond, 50)) == 4
    assert violations(KeyRun(KeyLimits(rpm=5), seen), 130) == ["only 5 requests were admitted"]
