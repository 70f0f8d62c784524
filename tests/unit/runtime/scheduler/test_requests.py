"""Requests that wait, are refused, leave, or leave a load behind."""

from tests.unit.runtime.scheduler.playbook import (
    A,
    B,
    C,
    effects_without_wakeups,
    request_for,
    request_without_wait,
    scheduler_with_ready,
)

from gglib.core.errors import (
    QueueFullError,
)
from gglib.runtime.scheduler.events import (
    BecameReady,
    Exited,
    Grant,
    Launch,
    Refuse,
    RequestEnded,
    Stop,
    StopRequested,
    Tick,
    WaitTimedOut,
    WakeAt,
)
from gglib.runtime.scheduler.pending_loads import PENDING_LOAD_S
from gglib.runtime.scheduler.scheduler import Scheduler


def test_a_pending_load_is_reconsidered_after_the_keep_warm_time() -> None:
    """A's clients may return in a moment: B's load starts after that moment, with no other event."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 4)
    scheduler.handle(request_without_wait(2, B), 5)
    assert scheduler.handle(RequestEnded(1), 10) == [WakeAt(10.25)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 10.25)) == [Stop(1)]


def test_one_launch_serves_all_waiters() -> None:
    """Any number of requests for a cold model cause one launch, and are granted together when it is ready."""
    scheduler = Scheduler()
    assert effects_without_wakeups(scheduler.handle(request_for(1, A), 0)) == [Launch(1, A, 8192)]
    assert effects_without_wakeups(scheduler.handle(request_for(2, A), 1)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 2)) == []
    assert effects_without_wakeups(scheduler.handle(BecameReady(1), 3)) == [
        Grant(1, 1),
        Grant(2, 1),
        Grant(3, 1),
    ]


def test_a_cancelled_waiter_is_dropped() -> None:
    """Nothing is launched or drained for a cancelled request."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(RequestEnded(2), 1)
    assert scheduler.handle(Tick(), 100) == []
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 101)) == [Grant(3, 1)]


def test_a_full_queue_refuses() -> None:
    """The request above the limit is refused at once; the others keep waiting."""
    scheduler = Scheduler(queue_limit=2)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, A), 0)
    (refusal,) = effects_without_wakeups(scheduler.handle(request_for(3, A), 0))
    assert isinstance(refusal, Refuse)
    assert refusal.ticket == 3
    assert isinstance(refusal.error, QueueFullError)
    assert effects_without_wakeups(scheduler.handle(BecameReady(1), 1)) == [Grant(1, 1), Grant(2, 1)]


def test_a_full_queue_refuses_no_request_for_a_ready_model() -> None:
    """A request that need not wait does not count against the queue limit."""
    scheduler = Scheduler(queue_limit=1)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(request_for(2, B), 0)
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 1)) == [Grant(3, 1)]


def test_a_request_that_does_not_wait_starts_a_load() -> None:
    """A is idle in memory: B is loaded although no request waits for it, and is ready for the next request."""
    scheduler = scheduler_with_ready(A)
    assert effects_without_wakeups(scheduler.handle(request_without_wait(1, B), 5)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 5)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == [Launch(2, B, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 7)) == []
    assert effects_without_wakeups(scheduler.handle(request_without_wait(2, B), 8)) == [Grant(2, 2)]
    assert scheduler.pending_loads == ()


def test_a_request_that_does_not_wait_is_never_a_waiter() -> None:
    """It is neither granted later nor counted among those that wait."""
    scheduler = Scheduler()
    assert effects_without_wakeups(scheduler.handle(request_without_wait(1, A), 0)) == [Launch(1, A, 8192)]
    assert scheduler.waiters == ()
    assert effects_without_wakeups(scheduler.handle(BecameReady(1), 3)) == []


def test_a_wait_that_ends_leaves_its_load_pending() -> None:
    """A is busy, and the client of B will retry: B is loaded as soon as A is idle."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    assert effects_without_wakeups(scheduler.handle(WaitTimedOut(2), 2)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 9)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 10)) == [Launch(2, B, 8192)]


def test_a_pending_load_is_renewed_by_the_next_such_request() -> None:
    """There is one for each model, with the largest requested context."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_without_wait(2, B, 16384), 0)
    scheduler.handle(request_without_wait(3, B, 2048), 50)
    (load,) = scheduler.pending_loads
    assert (load.ticket, load.needed_ctx, load.expires_at) == (3, 16384, 50 + PENDING_LOAD_S)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 100)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 101)) == [Launch(2, B, 16384)]


def test_a_started_swap_is_finished_although_its_waiter_left() -> None:
    """A was stopped for B: memory is not left empty."""
    scheduler = scheduler_with_ready(A)
    assert effects_without_wakeups(scheduler.handle(request_for(1, B), 5)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 5.1)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == [Launch(2, B, 8192)]
    assert scheduler.waiters == ()


def test_a_slow_stop_does_not_expire_its_swap() -> None:
    """The time of a pending load restarts when the place is free."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    scheduler.handle(RequestEnded(1), 6)
    scheduler.handle(Tick(), 500)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 501)) == [Launch(2, B, 8192)]


def test_a_drain_that_became_a_stop_is_finished_too() -> None:
    """A drained for B, which was overdue; A's last request ends, and then B's client leaves."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(Tick(), 15)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 16)) == [Stop(1)]
    scheduler.handle(RequestEnded(2), 17)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 18)) == [Launch(2, B, 8192)]


def test_a_larger_context_is_loaded_although_its_waiter_left() -> None:
    """The smaller launch was stopped for it: the model is loaded again, with the larger context."""
    scheduler = scheduler_with_ready(A, context=4096)
    assert effects_without_wakeups(scheduler.handle(request_for(1, A, 8192), 1)) == [Stop(1)]
    scheduler.handle(RequestEnded(1), 1.1)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 2)) == [Launch(2, A, 8192)]


def test_a_user_stop_clears_pending_loads() -> None:
    """Neither a load requested without waiting nor one whose swap had begun starts afterwards."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    scheduler.handle(StopRequested(10), 5.1)
    scheduler.handle(RequestEnded(1), 5.2)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == []
    assert effects_without_wakeups(scheduler.handle(request_without_wait(2, C), 7)) == [Launch(2, C, 8192)]
    assert effects_without_wakeups(scheduler.handle(StopRequested(20), 8)) == [Stop(2)]
    assert effects_without_wakeups(scheduler.handle(Exited(2), 9)) == []


def test_the_end_of_an_unknown_wait_changes_nothing() -> None:
    """The request may have been granted in the meantime."""
    scheduler = scheduler_with_ready(A)
    assert scheduler.handle(WaitTimedOut(7), 1) == []
    assert not scheduler.waiters
