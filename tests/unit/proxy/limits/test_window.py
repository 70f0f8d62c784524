"""The sliding window, against a list of all amounts."""

from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.limits.window import WINDOW_S, SlidingWindow

TICK_S = 1 / 1024
"""A power of two, so that sums of times are exact."""
STEPS = st.lists(
    st.tuples(st.one_of(st.integers(0, 4), st.integers(0, 70_000)), st.integers(1, 9)),
    min_size=1,
    max_size=80,
)


@given(STEPS, st.integers(0, 100))
def test_sums_and_waits_are_those_of_all_amounts(steps: list[tuple[int, int]], allowed: int) -> None:
    """An amount counts for at least 60 seconds and for at most a millisecond longer."""
    window, added, now_s = SlidingWindow(), list[tuple[float, int]](), 1.0
    for ticks, amount in steps:
        now_s += ticks * TICK_S
        window.add(now_s, amount)
        added.append((now_s, amount))
        used = window.used(now_s)
        assert used >= sum(number for at_s, number in added if now_s - at_s < WINDOW_S)
        assert used <= sum(number for at_s, number in added if now_s - at_s < WINDOW_S + 0.001)
        wait_s = window.wait_s(now_s, allowed)
        assert 0 <= wait_s <= WINDOW_S
        assert (wait_s == 0) == (used <= allowed)
    later_s = now_s + window.wait_s(now_s, allowed)
    assert window.used(later_s) <= allowed
    assert window.used(later_s + WINDOW_S) == 0


def test_memory_is_bounded() -> None:
    """Amounts of one millisecond share an entry, and expired entries are removed."""
    window = SlidingWindow()
    for number in range(400_000):
        window.add(number * 0.0005, 1)
    assert window.used(400_000 * 0.0005) >= 120_000 - 2
    assert len(window) < 130_000
    assert window.used(1000.0) == 0
    assert len(window) == 0


def test_an_earlier_time_counts_as_the_last_one() -> None:
    """Requests that are restored and new ones may overlap."""
    window = SlidingWindow()
    window.add(10.0, 1)
    window.add(5.0, 2)
    assert window.used(69.9) == 3
    assert window.used(70.0) == 0
