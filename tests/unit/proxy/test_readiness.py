"""The states of a server, as load balancers see them."""

from gglib.proxy.readiness import Readiness, ReadyState


def test_a_server_is_ready_unless_it_starts() -> None:
    """Programs that embed the proxy need not know of it."""
    assert Readiness().state is ReadyState.READY


def test_a_server_starts_then_is_ready_then_drains() -> None:
    """Once each."""
    readiness = Readiness(ReadyState.STARTING)
    states = [readiness.state]
    for change in (readiness.finish_start, readiness.begin_drain):
        change()
        states.append(readiness.state)
    assert states == [ReadyState.STARTING, ReadyState.READY, ReadyState.DRAINING]


def test_a_start_that_ends_during_the_drain_makes_nothing_ready() -> None:
    """A stop in the middle of the start."""
    readiness = Readiness(ReadyState.STARTING)
    readiness.begin_drain()
    readiness.finish_start()
    assert readiness.state is ReadyState.DRAINING
