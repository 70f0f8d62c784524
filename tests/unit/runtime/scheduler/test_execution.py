"""Launches for all waiters, and drains that are cancelled or assigned to another waiter."""

from dataclasses import replace
from pathlib import Path

from tests.unit.runtime.scheduler.playbook import (
    A,
    B,
    C,
    D,
    effects_without_wakeups,
    request_for,
    request_without_wait,
    scheduler_with_ready,
)

from gglib.runtime.scheduler.events import (
    BecameReady,
    Effect,
    Eviction,
    Exited,
    Grant,
    Launch,
    ModelRemoved,
    RequestEnded,
    Stop,
    StopReason,
    Tick,
    WaitTimedOut,
    WakeAt,
)
from gglib.runtime.scheduler.pending_loads import PENDING_LOAD_S
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.state import ResidentState

A2 = replace(A, path=Path("/v2/a.gguf"))
"""Model A with the files of a newer version."""


def two_busy_and_one_draining() -> Scheduler:
    """Return a scheduler with places for two, both busy (A by 1, C by 2), in which A drains for B (3) since 24."""
    scheduler = Scheduler(capacity=2, swap_wait_s=15)
    for ticket, spec in ((1, A), (2, C)):
        scheduler.handle(request_for(ticket, spec), 0)
        scheduler.handle(BecameReady(ticket), 0)
    scheduler.handle(request_for(3, B), 9)
    scheduler.handle(Tick(), 24)
    return scheduler


def test_the_newest_settings_are_launched() -> None:
    """After a changed setting, the older waiter's copy of the spec is not used."""
    scheduler = scheduler_with_ready(B)
    mended = replace(A, size_bytes=7)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, mended), 0)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 1)) == [Launch(2, mended, 8192)]


def test_a_launch_is_large_enough_for_all_waiters() -> None:
    """The launch has the largest context of all waiters, not the first one's."""
    scheduler = scheduler_with_ready(B)
    scheduler.handle(request_for(1, A, 2048), 0)
    scheduler.handle(request_for(2, A, 16384), 0)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 1)) == [Launch(2, A, 16384)]


def test_a_launch_is_large_enough_for_the_pending_load_too() -> None:
    """One load for the waiting request and for the one that will retry."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_without_wait(2, B, 16384), 1)
    scheduler.handle(request_for(3, B, 2048), 2)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 3)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 4)) == [Launch(2, B, 16384)]


def test_an_unneeded_drain_is_cancelled() -> None:
    """The waiter that the running model drained for has left: it takes requests again at once."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(Tick(), 15)
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 16)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 20)) == [Grant(3, 1)]


def test_a_long_drain_does_not_reserve_an_idle_resident() -> None:
    """With capacity 2: one model drains behind a long stream, the other becomes idle and is evicted."""
    scheduler = scheduler_with_ready(A, capacity=2)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(BecameReady(2), 0)
    scheduler.handle(request_for(3, C), 1)
    scheduler.handle(Tick(), 16)
    assert ResidentState.DRAINING in {resident.state for resident in scheduler.residents}
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 17)) == [Stop(2)]


def test_two_overdue_waiters_get_a_place_each() -> None:
    """The second waiter does not count on the first waiter's place."""
    scheduler = two_busy_and_one_draining()
    scheduler.handle(request_for(4, D), 24)
    scheduler.handle(Tick(), 39)
    assert [resident.state for resident in scheduler.residents] == [ResidentState.DRAINING] * 2


def test_a_drain_is_cancelled_when_its_waiter_gets_another_place() -> None:
    """The other model became idle and made room: the draining one's place is not needed any more."""
    scheduler = two_busy_and_one_draining()
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 25)) == [Stop(2)]
    assert effects_without_wakeups(scheduler.handle(Exited(2), 25.1)) == [Launch(3, B, 8192)]
    assert effects_without_wakeups(scheduler.handle(request_for(5, A), 26)) == [Grant(5, 1)]


def test_a_drain_is_cancelled_when_a_reopened_model_serves_its_waiter() -> None:
    """A and C drain for B and D, whose waiters leave; the reopened one serves the last waiter, and no drain is needed.

    Found by ``scripts/check_promises.py``: A was evicted for no request.
    """
    scheduler = two_busy_and_one_draining()
    scheduler.handle(request_for(4, A), 24)
    scheduler.handle(request_for(5, D), 24)
    scheduler.handle(Tick(), 39)
    assert [resident.state for resident in scheduler.residents] == [ResidentState.DRAINING] * 2
    scheduler.handle(RequestEnded(3), 40)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(5), 41)) == [Grant(4, 1)]
    assert [resident.state for resident in scheduler.residents] == [ResidentState.READY] * 2


def test_a_drain_whose_waiter_left_makes_room_for_the_next_waiter() -> None:
    """The stop names its request, and the load for that request follows also when it leaves."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 1)
    scheduler.handle(request_for(3, C), 1)
    scheduler.handle(Tick(), 16)
    scheduler.handle(RequestEnded(2), 17)
    (stop,) = effects_without_wakeups(scheduler.handle(RequestEnded(1), 18))
    assert isinstance(stop, Stop)
    assert stop.eviction is not None
    assert (stop.eviction.reason, stop.eviction.ticket) == (StopReason.OVERDUE, 3)
    scheduler.handle(RequestEnded(3), 19)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 20)) == [Launch(2, C, 8192)]


def test_a_drain_whose_waiter_left_is_not_for_the_draining_model_itself() -> None:
    """Of the overdue waiters, the oldest that needs another model gets the place."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(Tick(), 15)
    scheduler.handle(request_for(3, A), 16)
    scheduler.handle(request_for(4, C), 17)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 40)) == []
    (stop,) = effects_without_wakeups(scheduler.handle(RequestEnded(1), 41))
    assert isinstance(stop, Stop)
    assert stop.eviction is not None
    assert (stop.eviction.reason, stop.eviction.ticket) == (StopReason.OVERDUE, 4)


def test_an_abandoned_load_is_followed_by_the_load_it_was_stopped_for() -> None:
    """A's load was stopped for B, and B's client leaves before the stop is over."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(RequestEnded(1), 1)
    assert effects_without_wakeups(scheduler.handle(request_for(2, B), 2)) == [Stop(1)]
    scheduler.handle(RequestEnded(2), 2.1)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 3)) == [Launch(2, B, 8192)]


def test_clients_with_short_timeouts_of_two_slow_models_are_served_eventually() -> None:
    """Loads take 20 s, client timeouts 10 s: an abandoned load is stopped at once, but the next one is protected."""
    scheduler = Scheduler(swap_wait_s=15)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 5)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 10)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 10)) == [Launch(2, B, 8192)]
    scheduler.handle(request_for(3, A), 11)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 15)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(3), 21)) == []
    scheduler.handle(request_for(4, B), 22)
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 30)) == [Grant(4, 2)]


def test_a_protected_load_is_stopped_for_an_overdue_waiter() -> None:
    """It has no waiters, and a request for another model has waited for ``swap_wait_s``."""
    scheduler = Scheduler(swap_wait_s=15)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 1)
    scheduler.handle(RequestEnded(1), 2)
    scheduler.handle(Exited(1), 2)
    scheduler.handle(request_for(3, A), 3)
    assert scheduler.handle(RequestEnded(2), 4) == [WakeAt(18)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 18)) == [Stop(2)]


def test_a_reopened_resident_drains_again_for_an_overdue_request() -> None:
    """B left, for which A drained: the older request of A is granted, and A stops after it for the larger context.

    Found by ``scripts/check_promises.py``: A took further requests until the next event.
    """
    scheduler = Scheduler(capacity=1, swap_wait_s=15)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(request_for(2, B), 1)
    scheduler.handle(Tick(), 16)
    scheduler.handle(request_for(3, A), 20)
    scheduler.handle(request_for(4, A, 16384), 21)
    scheduler.handle(Tick(), 36)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 36)) == [Grant(3, 1)]
    assert scheduler.residents[0].state is ResidentState.DRAINING
    assert scheduler.try_grant(5, A, 2048, 36) is None


def test_a_pending_load_ends_when_a_drain_is_cancelled() -> None:
    """Its model is ready again, so it is not loaded once more after it has stopped.

    Found by ``scripts/check_promises.py``: the engine stalled before the next event.
    """
    scheduler = Scheduler(capacity=1, swap_wait_s=15)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(request_for(2, B), 1)
    scheduler.handle(Tick(), 16)
    scheduler.handle(request_without_wait(3, A, 8192), 17)
    assert scheduler.pending_loads
    scheduler.handle(RequestEnded(2), 18)
    assert not scheduler.pending_loads


def draining_older_version() -> Scheduler:
    """Return a scheduler in which A's older version is busy (1) and drains since 16 for the newer one, for 2."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, A2), 1)
    scheduler.handle(Tick(), 16)
    return scheduler


def eviction_of_stop(effects: list[Effect]) -> Eviction:
    """Return the eviction of the only effect, a stop."""
    (stop,) = effects_without_wakeups(effects)
    assert isinstance(stop, Stop)
    assert stop.eviction is not None
    return stop.eviction


def test_an_older_version_whose_waiter_left_stops_for_no_request() -> None:
    """No load follows, also not for a request that comes and leaves while the model stops.

    Found by ``scripts/check_promises.py``: a model was evicted for a load that does not follow.
    """
    scheduler = draining_older_version()
    scheduler.handle(RequestEnded(2), 17)
    assert eviction_of_stop(scheduler.handle(RequestEnded(1), 18)) == Eviction(StopReason.UPDATED, 16)
    scheduler.handle(request_for(3, A2), 18.1)
    scheduler.handle(RequestEnded(3), 18.2)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 19)) == []


def test_an_older_version_whose_waiter_left_stops_for_another_request() -> None:
    """The load for that request follows also when it leaves during the stop."""
    scheduler = draining_older_version()
    scheduler.handle(request_for(3, A2), 17)
    scheduler.handle(RequestEnded(2), 17)
    assert eviction_of_stop(scheduler.handle(RequestEnded(1), 18)) == Eviction(StopReason.UPDATED, 16, 3)
    scheduler.handle(RequestEnded(3), 18.1)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 19)) == [Launch(2, A2, 8192)]


def test_an_older_version_whose_pending_load_expired_stops_for_no_request() -> None:
    """A client that stopped waiting did not return: its load is not pending any more."""
    scheduler = draining_older_version()
    scheduler.handle(WaitTimedOut(2), 17)
    scheduler.handle(Tick(), 17 + PENDING_LOAD_S)
    stopped = scheduler.handle(RequestEnded(1), 18 + PENDING_LOAD_S)
    assert eviction_of_stop(stopped) == Eviction(StopReason.UPDATED, 16)


def test_an_older_version_whose_waiter_timed_out_stops_for_its_pending_load() -> None:
    """The client will retry: the load follows."""
    scheduler = draining_older_version()
    scheduler.handle(WaitTimedOut(2), 17)
    assert eviction_of_stop(scheduler.handle(RequestEnded(1), 18)) == Eviction(StopReason.UPDATED, 16, 2)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 19)) == [Launch(2, A2, 8192)]


def test_an_older_version_of_a_removed_model_stops_for_no_request() -> None:
    """Its waiter was refused."""
    scheduler = draining_older_version()
    scheduler.handle(ModelRemoved(A.model_id), 17)
    assert eviction_of_stop(scheduler.handle(RequestEnded(1), 18)) == Eviction(StopReason.UPDATED, 16)
