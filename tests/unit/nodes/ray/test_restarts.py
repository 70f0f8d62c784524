"""When a process is started again."""

from gglib.nodes.ray.restarts import MAX_DELAY_S, STEADY_S, Restarts


def test_the_first_start_is_due_at_once() -> None:
    """Also at a clock's zero."""
    assert Restarts().is_due(0)


def test_starts_become_rarer() -> None:
    """After 1, 2, 4 and up to 30 s."""
    restarts, now_s, delays = Restarts(), 100.0, []
    for _ in range(8):
        restarts.started(now_s)
        assert not restarts.is_due(now_s)
        delays.append(restarts.next_s - now_s)
        now_s = restarts.next_s
        assert restarts.is_due(now_s)
    assert delays == [1, 2, 4, 8, 16, MAX_DELAY_S, MAX_DELAY_S, MAX_DELAY_S]


def test_a_process_that_ran_for_long_is_started_at_once() -> None:
    """One that ran a moment is not."""
    restarts = Restarts()
    restarts.running(0)
    restarts.started(10)
    restarts.running(10 + STEADY_S - 1)
    assert not restarts.is_due(10)
    restarts.running(10 + STEADY_S)
    assert restarts.is_due(10)
