"""New limits of models and memory."""

from tests.unit.runtime.scheduler.memory_playbook import (
    A,
    B,
    C,
    request_for,
    scheduler_with,
    stopped,
    without_wakeups,
)

from gglib.runtime.scheduler.events import (
    BecameReady,
    Exited,
    Launch,
    Measured,
    Reconfigured,
    Requested,
    RequestEnded,
    StopReason,
    Tick,
    WakeAt,
)
from gglib.runtime.scheduler.scheduler import Scheduler


def test_a_reduced_budget_stops_idle_models() -> None:
    """The least valuable idle model goes now, a busy one when it becomes idle."""
    scheduler = scheduler_with((A, 50), (B, 50))
    scheduler.handle(request_for(1, A, 50), 10)
    effects = scheduler.handle(Reconfigured(1, None, 5.0, 10), 11)
    assert stopped(effects) == {2: StopReason.EXCESS}
    scheduler.handle(Exited(2), 12)
    assert not stopped(scheduler.handle(Tick(), 13))
    assert scheduler.handle(request_for(2, B), 14) == [WakeAt(19)]


def test_a_busy_model_beyond_a_reduced_budget_stops_when_it_is_idle() -> None:
    """The fast path does not end its request."""
    scheduler = scheduler_with((A, 50), (B, 50))
    scheduler.handle(request_for(1, A, 50), 10)
    scheduler.handle(request_for(2, B, 50), 10)
    assert not stopped(scheduler.handle(Reconfigured(64, {"ram": 60}, 15.0, 10), 11))
    assert not scheduler.try_release(1, 12)
    assert stopped(scheduler.handle(RequestEnded(1), 12)) == {1: StopReason.EXCESS}


def test_a_new_budget_counts_requests_and_models_from_before() -> None:
    """Their sizes come with it: a waiter that does not fit beside the busy model waits on."""
    scheduler = Scheduler(capacity=1)
    for ticket, spec in ((1, A), (2, B), (3, C)):
        scheduler.handle(Requested(ticket, spec, 8192, 8192, waits=spec is not C), 0)
    scheduler.handle(BecameReady(1), 1)
    sizes = {(spec, 8192): {"ram": ram} for spec, ram in ((A, 50), (B, 60), (C, 60))}
    assert without_wakeups(scheduler.handle(Reconfigured(64, {"ram": 100}, 15.0, 10, sizes), 2)) == []
    assert scheduler.residents[0].size == {"ram": 50}
    scheduler.handle(RequestEnded(1), 3)
    assert without_wakeups(scheduler.handle(Exited(1), 4)) == [Launch(2, B, 8192)]
    assert scheduler.residents[0].size == {"ram": 60}
    assert scheduler.pending_loads[0].size == {"ram": 60}


def test_a_new_budget_keeps_measured_sizes() -> None:
    """What is known of a running model stays."""
    scheduler = Scheduler(capacity=1)
    scheduler.handle(Requested(1, A, 8192, 8192), 0)
    scheduler.handle(BecameReady(1), 1)
    scheduler.handle(Measured(1, {"ram": 40}), 2)
    scheduler.handle(Reconfigured(64, {"ram": 100}, 15.0, 10, {(A, 8192): {"ram": 50}}), 3)
    assert scheduler.residents[0].size == {"ram": 40}


def test_measured_models_count_with_their_sizes_under_the_new_budget() -> None:
    """Without a limit the model counted with what it took, and with the former budget it was cut to that."""
    scheduler = Scheduler(capacity=64, budget={"ram": 60})
    scheduler.handle(request_for(1, A, 50), 0)
    scheduler.handle(BecameReady(1), 1)
    for budget, counted in ((60, 60), (70, 70), (None, 80), (100, 80), (40, 80)):
        limits = None if budget is None else {"ram": budget}
        event = Reconfigured(64, limits, 15.0, 10, measured={1: {"ram": 80}})
        scheduler.handle(event, 20)
        assert scheduler.residents[0].size == {"ram": counted}
    assert stopped(scheduler.handle(RequestEnded(1), 21)) == {1: StopReason.EXCESS}
