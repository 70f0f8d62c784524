"""Scenarios of the scheduler: events and exactly the expected effects."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import (
    EngineCrashLoopError,
    ModelLoadFailedError,
    ModelNotFoundError,
    ModelStoppedError,
    QueueFullError,
)
from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Eviction,
    Exited,
    FileChanged,
    Grant,
    Launch,
    LoadFailed,
    ModelRemoved,
    Reconfigured,
    Refuse,
    Requested,
    RequestEnded,
    RequestStalled,
    Stop,
    StopReason,
    StopRequested,
    Superseded,
    Tick,
    WaitTimedOut,
    WakeAt,
)
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.pending_loads import PENDING_LOAD_S
from gglib.runtime.scheduler.planning import UNUSED_GRACE_S
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.state import ResidentState

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))
C = ModelLaunchSpec(model_id=3, model_name="c", path=Path("/c.gguf"))


def request_for(ticket: int, spec: ModelLaunchSpec, context: int = 8192) -> Requested:
    """Return a request that needs this context and would launch with it."""
    return Requested(ticket, spec, context, context)


def effects_without_wakeups(effects: list[Effect]) -> list[Effect]:
    """Return the effects without the wake-ups."""
    return [effect for effect in effects if not isinstance(effect, WakeAt)]


def scheduler_with_ready(spec: ModelLaunchSpec, *, context: int = 8192, capacity: int = 1) -> Scheduler:
    """Return a scheduler in which ``spec`` is ready and idle as generation 1."""
    scheduler = Scheduler(capacity=capacity, swap_wait_s=15)
    scheduler.handle(request_for(100, spec, context), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(RequestEnded(100), 0)
    return scheduler


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


def test_a_ready_model_is_granted_at_once() -> None:
    """A request for the running model does not wait."""
    assert scheduler_with_ready(A).handle(request_for(1, A), 5) == [Grant(1, 1)]


def test_fast_path_has_no_effects() -> None:
    """A request for the running model, and its end, cause no effects but are counted."""
    scheduler = scheduler_with_ready(A)
    assert scheduler.try_grant(1, A, 8192, 5) == 1
    assert scheduler.residents[0].holders == {1}
    assert scheduler.try_release(1, 7)
    assert not scheduler.residents[0].holders
    assert scheduler.residents[0].last_used == 7


def test_fast_path_is_not_taken_while_a_request_waits() -> None:
    """With a waiter, neither a request nor its end bypasses the reconciliation."""
    scheduler = scheduler_with_ready(A)
    assert scheduler.try_grant(1, A, 8192, 5) == 1
    scheduler.handle(request_for(2, B), 5)
    assert scheduler.try_grant(3, A, 8192, 6) is None
    assert not scheduler.try_release(1, 6)
    assert scheduler.residents[0].holders == {1}


def test_the_fast_path_grants_only_ready_models() -> None:
    """Another model, a larger context and a loading launch need the reconciliation."""
    scheduler = scheduler_with_ready(A, context=8192)
    assert scheduler.try_grant(1, B, 8192, 5) is None
    assert scheduler.try_grant(1, A, 8193, 5) is None
    loading = Scheduler()
    loading.handle(request_for(1, A), 0)
    loading.handle(RequestEnded(1), 1)
    assert loading.try_grant(2, A, 8192, 1) is None


def test_the_fast_path_does_not_end_holds_that_start_a_time_to_live() -> None:
    """A model with a time-to-live needs a wake-up."""
    mortal = replace(A, settings=ModelSettings(idle_ttl_s=60))
    scheduler = scheduler_with_ready(mortal)
    assert scheduler.try_grant(1, mortal, 8192, 5) == 1
    assert not scheduler.try_release(1, 6)
    assert scheduler.handle(RequestEnded(1), 6) == [WakeAt(66)]


def test_an_idle_model_is_evicted_at_once() -> None:
    """A request for another model stops the idle one, and launches only after its exit."""
    scheduler = scheduler_with_ready(A)
    assert effects_without_wakeups(scheduler.handle(request_for(1, B), 5)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 6)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 7)) == [Launch(2, B, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 8)) == [Grant(1, 2)]


def test_a_request_in_flight_is_never_killed_by_a_swap() -> None:
    """The running model is stopped only after its last request, however long another request waits."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, A), 0)
    assert effects_without_wakeups(scheduler.handle(request_for(3, B), 0)) == []
    assert effects_without_wakeups(scheduler.handle(Tick(), 1_000)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 1_001)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 1_002)) == [Stop(1)]


def test_requests_for_the_running_model_pass_until_max_wait() -> None:
    """No thrash before ``swap_wait_s``, no starvation after it."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    assert scheduler.handle(request_for(2, B), 0) == [WakeAt(15)]
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 14.9)) == [Grant(3, 1)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 15)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(4, A), 15.1)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 16)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(3), 17)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 18)) == [Launch(2, B, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 19)) == [Grant(2, 2)]
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 40)) == [Stop(2)]
    assert effects_without_wakeups(scheduler.handle(Exited(2), 41)) == [Launch(3, A, 8192)]


def test_a_cancelled_waiter_is_dropped() -> None:
    """Nothing is launched or drained for a cancelled request."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(RequestEnded(2), 1)
    assert scheduler.handle(Tick(), 100) == []
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 101)) == [Grant(3, 1)]


def test_an_abandoned_load_continues_until_its_place_is_needed() -> None:
    """A cancelled request does not stop its load; a request for another model does."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 1)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(2, B), 2)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(1), 2.5)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 3)) == [Launch(2, B, 8192)]


def test_a_load_with_waiters_is_not_stopped() -> None:
    """A request for another model waits until the load is done and its waiters are served."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    assert effects_without_wakeups(scheduler.handle(request_for(2, B), 1)) == []
    assert effects_without_wakeups(scheduler.handle(BecameReady(1), 2)) == [Grant(1, 1)]
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 16)) == [Stop(1)]


def test_a_failed_load_refuses_exactly_its_waiters() -> None:
    """Each waiter of the model is refused with the reason; the other model is launched."""
    scheduler = Scheduler()
    error = ModelLoadFailedError("a", "bad magic")
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(request_for(3, A), 0)
    first, second, launch = effects_without_wakeups(scheduler.handle(LoadFailed(1, error), 1))
    assert [refusal.ticket for refusal in (first, second) if isinstance(refusal, Refuse)] == [1, 3]
    assert all(str(refusal.error) == str(error) for refusal in (first, second) if isinstance(refusal, Refuse))
    assert launch == Launch(2, B, 8192)


def retry_after_s(effects: list[Effect]) -> float | None:
    """Return ``Retry-After`` of the refusal of a failed load."""
    (refusal,) = effects
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, ModelLoadFailedError)
    return refusal.error.retry_after_s


def test_a_failed_model_is_backed_off() -> None:
    """The backoff doubles with each failure, up to 30 s; meanwhile requests are refused at once."""
    scheduler = Scheduler()
    now = 0.0
    waits: list[float | None] = []
    for number in range(1, 10):
        scheduler.handle(request_for(number, A), now)
        waits.append(
            retry_after_s(
                effects_without_wakeups(
                    scheduler.handle(LoadFailed(number, ModelLoadFailedError("a", "bad")), now)
                )
            )
        )
        assert retry_after_s(
            effects_without_wakeups(scheduler.handle(request_for(100 + number, A), now + 0.4))
        ) == pytest.approx((waits[-1] or 0) - 0.4)
        now += waits[-1] or 0
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("cleared_by", ["success", "changed spec", "stop"])
def test_a_failure_is_cleared(cleared_by: str) -> None:
    """After a successful load, with other settings, or after the user's stop, the model is launched at once."""
    scheduler = Scheduler()
    error = ModelLoadFailedError("a", "bad")
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(LoadFailed(1, error), 0)
    spec, now = A, 0.1
    if cleared_by == "success":
        scheduler.handle(request_for(2, A), 0.5)
        scheduler.handle(BecameReady(2), 0.6)
        scheduler.handle(Exited(2), 0.7)
        now = 0.8
    elif cleared_by == "changed spec":
        spec = replace(A, size_bytes=7)
    else:
        scheduler.handle(StopRequested(10), 0.1)
    (launch,) = effects_without_wakeups(scheduler.handle(request_for(3, spec), now))
    assert isinstance(launch, Launch)


def test_a_successful_load_resets_the_backoff() -> None:
    """Failed, ready, failed again: this is the first consecutive failure."""
    scheduler = Scheduler()
    error = ModelLoadFailedError("a", "bad")
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(LoadFailed(1, error), 0)
    scheduler.handle(request_for(2, A), 1)
    scheduler.handle(BecameReady(2), 2)
    scheduler.handle(Exited(2), 3)
    scheduler.handle(request_for(3, A), 4)
    assert retry_after_s(effects_without_wakeups(scheduler.handle(LoadFailed(3, error), 5))) == 0.5


def test_the_newest_settings_are_launched() -> None:
    """After a changed setting, the older waiter's copy of the spec is not used."""
    scheduler = scheduler_with_ready(B)
    mended = replace(A, size_bytes=7)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, mended), 0)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 1)) == [Launch(2, mended, 8192)]


def test_a_model_that_crashed_is_launched_by_the_next_request() -> None:
    """After an exit nothing runs until the next request."""
    scheduler = scheduler_with_ready(A)
    assert scheduler.handle(Exited(1), 1) == []
    assert effects_without_wakeups(scheduler.handle(request_for(1, A), 2)) == [Launch(2, A, 8192)]


def test_events_of_an_older_generation_are_ignored() -> None:
    """Late events of an exited launch change nothing."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(Exited(1), 1)
    scheduler.handle(request_for(1, A), 2)
    for late in (BecameReady(1), Exited(1), LoadFailed(1, ModelLoadFailedError("a", "x"))):
        assert effects_without_wakeups(scheduler.handle(late, 3)) == []
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 4)) == [Grant(1, 2)]


def test_context_grows_by_relaunch_and_never_shrinks() -> None:
    """A larger context relaunches the model once; a smaller one uses the running launch."""
    scheduler = scheduler_with_ready(A, context=4096)
    assert effects_without_wakeups(scheduler.handle(request_for(1, A, 8192), 1)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 2)) == [Launch(2, A, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 3)) == [Grant(1, 2)]
    assert effects_without_wakeups(scheduler.handle(request_for(2, A, 2048), 4)) == [Grant(2, 2)]


def test_a_launch_is_large_enough_for_all_waiters() -> None:
    """The launch has the largest context of all waiters, not the first one's."""
    scheduler = scheduler_with_ready(B)
    scheduler.handle(request_for(1, A, 2048), 0)
    scheduler.handle(request_for(2, A, 16384), 0)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 1)) == [Launch(2, A, 16384)]


def test_a_model_is_never_launched_twice() -> None:
    """With capacity 2, a larger context still waits until the smaller launch has exited."""
    scheduler = scheduler_with_ready(A, context=4096, capacity=2)
    scheduler.handle(request_for(1, A, 4096), 0)
    assert effects_without_wakeups(scheduler.handle(request_for(2, A, 8192), 0)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 1)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 2)) == [Launch(2, A, 8192)]


def test_with_capacity_two_both_models_stay() -> None:
    """A second model is launched beside the first; a third evicts the least recently used model."""
    scheduler = scheduler_with_ready(A, capacity=2)
    assert effects_without_wakeups(scheduler.handle(request_for(1, B), 1)) == [Launch(2, B, 8192)]
    scheduler.handle(BecameReady(2), 2)
    scheduler.handle(RequestEnded(1), 3)
    assert effects_without_wakeups(scheduler.handle(request_for(2, C), 4)) == [Stop(1)]


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


def test_a_requested_stop_drains_up_to_its_deadline() -> None:
    """A busy model takes no new requests, and stops when it is idle or at the deadline."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    assert scheduler.handle(StopRequested(10), 0) == [WakeAt(10)]
    assert effects_without_wakeups(scheduler.handle(request_for(2, A), 1)) == []
    assert effects_without_wakeups(scheduler.handle(Tick(), 9)) == []
    assert effects_without_wakeups(scheduler.handle(Tick(), 10)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 11)) == [Launch(2, A, 8192)]


def test_a_requested_stop_ends_idle_models_and_loads_at_once() -> None:
    """Idle models and loads stop at once."""
    assert effects_without_wakeups(scheduler_with_ready(A).handle(StopRequested(10), 0)) == [Stop(1)]
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    refusal, stop = effects_without_wakeups(scheduler.handle(StopRequested(10), 1))
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, ModelStoppedError)
    assert stop == Stop(1)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 2)) == [], (
        "what the user stopped came back by itself"
    )


def test_a_repeated_stop_does_not_move_the_deadline() -> None:
    """The first deadline holds."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(StopRequested(10), 0)
    assert scheduler.handle(StopRequested(15), 5) == [WakeAt(10)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 10)) == [Stop(1)]


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


D = ModelLaunchSpec(model_id=4, model_name="d", path=Path("/d.gguf"))


def two_busy_and_one_draining() -> Scheduler:
    """Return a scheduler with places for two, both busy (A by 1, C by 2), in which A drains for B (3) since 24."""
    scheduler = Scheduler(capacity=2, swap_wait_s=15)
    for ticket, spec in ((1, A), (2, C)):
        scheduler.handle(request_for(ticket, spec), 0)
        scheduler.handle(BecameReady(ticket), 0)
    scheduler.handle(request_for(3, B), 9)
    scheduler.handle(Tick(), 24)
    return scheduler


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


def test_a_full_queue_refuses_no_request_for_a_ready_model() -> None:
    """A request that need not wait does not count against the queue limit."""
    scheduler = Scheduler(queue_limit=1)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(request_for(2, B), 0)
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 1)) == [Grant(3, 1)]


# --- deaths, silence, idleness -----------------------------------------------------------------------------------


def crash(scheduler: Scheduler, ticket: int, now: float) -> list[Effect]:
    """Launch A for a request, and let its process exit once it is ready."""
    (launch,) = effects_without_wakeups(scheduler.handle(request_for(ticket, A), now))
    assert isinstance(launch, Launch)
    scheduler.handle(BecameReady(launch.generation), now)
    effects = effects_without_wakeups(scheduler.handle(Died(launch.generation, "signal 6"), now))
    scheduler.handle(RequestEnded(ticket), now)
    scheduler.handle(Exited(launch.generation), now)
    return effects


def test_a_crashed_model_takes_its_place_until_its_cleanup_is_done() -> None:
    """Its memory may not be free yet: the next launch, of any model, waits for ``Exited``."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 1)
    assert scheduler.handle(Died(1, "signal 6"), 2) == []
    assert scheduler.handle(RequestEnded(1), 2) == []
    assert effects_without_wakeups(scheduler.handle(request_for(2, A), 3)) == []
    assert [r.state.value for r in scheduler.residents] == ["stopping"]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 4)) == [Launch(2, A, 8192)]


def test_a_crash_ends_the_drain_for_another_model() -> None:
    """The model that waited is launched once; if its waiter leaves, nothing is launched."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 1)
    scheduler.handle(request_for(2, B), 1)
    scheduler.handle(Tick(), 16)
    assert effects_without_wakeups(scheduler.handle(Died(1, "signal 6"), 17)) == []
    scheduler.handle(RequestEnded(1), 17)
    scheduler.handle(RequestEnded(2), 18)
    assert scheduler.handle(Exited(1), 19) == []


def test_the_cleanup_after_a_crash_is_no_measured_stop() -> None:
    """A model is kept warm according to real stops."""
    keep_warm = KeepWarm()
    scheduler = Scheduler(keep_warm=keep_warm)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 0)
    scheduler.handle(Died(1, "signal 6"), 1)
    scheduler.handle(Exited(1), 6)
    assert keep_warm.swap_s(2) == 0


def test_the_third_crash_within_a_minute_starts_the_backoff() -> None:
    """After the third crash requests are refused at once, with the last reason."""
    scheduler = Scheduler()
    for ticket, now in ((1, 0.0), (2, 20.0), (3, 59.0)):
        assert crash(scheduler, ticket, now) == []
    (refusal,) = effects_without_wakeups(scheduler.handle(request_for(4, A), 59.1))
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, EngineCrashLoopError)
    assert refusal.error.retry_after_s == pytest.approx(0.4)
    assert "signal 6" in str(refusal.error)
    assert "died 3 times" in str(refusal.error)


def test_crashes_that_are_far_apart_start_no_backoff() -> None:
    """The first of three expires after 60 s."""
    scheduler = Scheduler()
    for ticket, now in ((1, 0.0), (2, 20.0), (3, 60.0)):
        crash(scheduler, ticket, now)
    assert effects_without_wakeups(scheduler.handle(request_for(4, A), 60.1)) == [Launch(4, A, 8192)]


def test_the_backoff_of_a_crashing_model_grows() -> None:
    """Each further crash within the minute doubles it, although the model was ready in between."""
    scheduler = Scheduler()
    for ticket, now in ((1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0)):
        crash(scheduler, ticket, now)
    assert retry_after_s(effects_without_wakeups(scheduler.handle(request_for(5, A), 3.5))) == pytest.approx(
        0.5
    )
    assert effects_without_wakeups(scheduler.handle(request_for(6, A), 4)) == [Launch(5, A, 8192)]


def test_the_waiters_of_a_crashing_model_are_refused() -> None:
    """A request that waits for the crashing model behind a drain is refused like new requests."""
    scheduler = Scheduler(swap_wait_s=15)
    for ticket, now in ((1, 0.0), (2, 1.0)):
        crash(scheduler, ticket, now)
    scheduler.handle(request_for(3, A), 2)
    scheduler.handle(BecameReady(3), 2)
    scheduler.handle(request_for(4, B), 3)
    scheduler.handle(Tick(), 18)
    assert effects_without_wakeups(scheduler.handle(request_for(5, A), 19)) == []
    (refusal,) = effects_without_wakeups(scheduler.handle(Died(3, "bang"), 20))
    assert isinstance(refusal, Refuse)
    assert refusal.ticket == 5
    assert effects_without_wakeups(scheduler.handle(Exited(3), 21)) == [Launch(4, B, 8192)]


@pytest.mark.parametrize("cleared_by", ["changed spec", "stop"])
def test_crashes_are_cleared(cleared_by: str) -> None:
    """With other settings, or after the user's stop, the model is launched at once."""
    scheduler = Scheduler()
    for ticket, now in ((1, 0.0), (2, 1.0), (3, 2.0)):
        crash(scheduler, ticket, now)
    spec = A
    if cleared_by == "stop":
        scheduler.handle(StopRequested(10), 2.1)
    else:
        spec = replace(A, size_bytes=7)
    assert effects_without_wakeups(scheduler.handle(request_for(4, spec), 2.2)) == [Launch(4, spec, 8192)]


def test_a_crash_while_stopping_does_not_count() -> None:
    """A crash while the model stops does not count as a crash."""
    scheduler = scheduler_with_ready(A)
    for generation in range(1, 5):
        now = 100.0 + generation
        scheduler.handle(request_for(2 * generation, B), now)
        assert effects_without_wakeups(scheduler.handle(Died(2 * generation - 1, "bang"), now)) == []
        assert effects_without_wakeups(scheduler.handle(Exited(2 * generation - 1), now)) == [
            Launch(2 * generation, B, 8192)
        ]
        scheduler.handle(BecameReady(2 * generation), now)
        scheduler.handle(RequestEnded(2 * generation), now)
        assert effects_without_wakeups(scheduler.handle(request_for(2 * generation + 1, A), now)) == [
            Stop(2 * generation)
        ]
        scheduler.handle(Exited(2 * generation), now)
        scheduler.handle(BecameReady(2 * generation + 1), now)
        scheduler.handle(RequestEnded(2 * generation + 1), now)


def test_a_stalled_engine_is_replaced_when_no_other_request_uses_it() -> None:
    """The stalled request ends, and the process is stopped at once."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    assert effects_without_wakeups(scheduler.handle(RequestStalled(1), 600)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 600)) == [Stop(1)]
    scheduler.handle(Exited(1), 601)
    assert effects_without_wakeups(scheduler.handle(request_for(2, A), 602)) == [Launch(2, A, 8192)]


def test_an_engine_that_stalls_while_it_drains_is_not_evicted_for_another_model() -> None:
    """The swap that it drained for ends with its waiter: after the stop nothing is launched."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 1)
    scheduler.handle(request_for(2, B), 1)
    scheduler.handle(Tick(), 16)
    scheduler.handle(RequestStalled(1), 17)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 17)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 17.1)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 17.2)) == []
    assert scheduler.pending_loads == ()


def test_a_stalled_engine_takes_no_new_requests_and_keeps_its_others() -> None:
    """Requests in flight continue; new requests wait for the next process."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, A), 0)
    scheduler.handle(RequestStalled(1), 600)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 600)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 601)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(2), 602)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 603)) == [Launch(2, A, 8192)]


A_FOR_A_MINUTE = replace(A, settings=ModelSettings(idle_ttl_s=60))


def test_an_idle_model_is_unloaded_after_its_time_to_live() -> None:
    """Counted from the end of its last request, never while a request is in flight."""
    scheduler = scheduler_with_ready(A_FOR_A_MINUTE)
    assert scheduler.handle(request_for(1, A_FOR_A_MINUTE), 59) == [Grant(1, 1)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 500)) == []
    assert scheduler.handle(RequestEnded(1), 600) == [WakeAt(660)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 660)) == [Stop(1)]


def test_a_request_at_the_end_of_the_time_to_live_is_granted_or_waits() -> None:
    """At that moment it is granted; later it waits for the next launch. It never gets a stopping process."""
    in_time = scheduler_with_ready(A_FOR_A_MINUTE)
    assert effects_without_wakeups(in_time.handle(request_for(1, A_FOR_A_MINUTE), 60)) == [Grant(1, 1)]
    late = scheduler_with_ready(A_FOR_A_MINUTE)
    assert effects_without_wakeups(late.handle(Tick(), 60)) == [Stop(1)]
    assert effects_without_wakeups(late.handle(request_for(1, A_FOR_A_MINUTE), 60)) == []
    assert effects_without_wakeups(late.handle(Exited(1), 60.1)) == [Launch(2, A_FOR_A_MINUTE, 8192)]


def test_a_changed_time_to_live_applies_from_the_next_request() -> None:
    """The running model follows its newest settings."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A_FOR_A_MINUTE), 10)
    assert scheduler.handle(RequestEnded(1), 20) == [WakeAt(80)]


# --- keep warm ---------------------------------------------------------------------------------------------------


def scheduler_after_load(load_s: float) -> Scheduler:
    """Return a scheduler in which A took ``load_s`` to load; request 1 holds it, and 2 waits for B."""
    scheduler = Scheduler(swap_wait_s=15)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), load_s)
    scheduler.handle(request_for(2, B), load_s)
    return scheduler


def test_a_client_in_a_loop_keeps_its_model() -> None:
    """Its next request follows its last at once: the model is not swapped in between."""
    scheduler = scheduler_after_load(4)
    assert scheduler.handle(RequestEnded(1), 10) == [WakeAt(10.25)]
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 10.05)) == [Grant(3, 1)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 19)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(3), 20)) == [Stop(1)], (
        "the other one had waited long enough"
    )


def test_a_model_of_unknown_clients_is_kept_only_for_a_moment() -> None:
    """A quarter of a second, but at most a quarter of a swap."""
    slow, quick = scheduler_after_load(4), scheduler_after_load(0.4)
    assert slow.handle(RequestEnded(1), 5) == [WakeAt(5.25)]
    assert effects_without_wakeups(slow.handle(Tick(), 5.25)) == [Stop(1)]
    assert quick.handle(RequestEnded(1), 5) == [WakeAt(5.1)]


def test_a_model_is_kept_for_clients_that_return_within_the_cost_of_a_swap() -> None:
    """They returned after 2 s twice, and a load takes 4 s: the model is kept for 4 s."""
    scheduler = Scheduler(swap_wait_s=15)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 4)
    for ticket, now in ((1, 5), (3, 10)):
        scheduler.handle(RequestEnded(ticket), now)
        assert effects_without_wakeups(scheduler.handle(request_for(ticket + 2, A), now + 2)) == [
            Grant(ticket + 2, 1)
        ]
    scheduler.handle(request_for(6, B), 13)
    assert scheduler.handle(RequestEnded(5), 14) == [WakeAt(18)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 18)) == [Stop(1)]


def test_a_model_is_not_kept_for_clients_that_stay_away() -> None:
    """One of the last two returns took longer than a swap: the model is evicted at once."""
    scheduler = Scheduler(swap_wait_s=15)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 4)
    scheduler.handle(RequestEnded(1), 5)
    scheduler.handle(request_for(2, A), 100)
    scheduler.handle(RequestEnded(2), 101)
    scheduler.handle(request_for(3, A), 102)
    scheduler.handle(request_for(4, B), 103)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(3), 104)) == [Stop(1)]


def test_of_two_idle_models_the_one_not_kept_warm_is_evicted() -> None:
    """With capacity 2: B was used last, but A's clients may return in a moment."""
    scheduler = Scheduler(capacity=2, swap_wait_s=15)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(BecameReady(1), 4)
    scheduler.handle(BecameReady(2), 0.1)
    scheduler.handle(RequestEnded(1), 10)
    scheduler.handle(RequestEnded(2), 10.1)
    assert effects_without_wakeups(scheduler.handle(request_for(3, C), 10.2)) == [Stop(2)]


def test_every_stop_has_a_reason() -> None:
    """The reason, and the request that it is for."""
    scheduler = scheduler_with_ready(A)
    (stop,) = effects_without_wakeups(scheduler.handle(request_for(1, B), 5))
    assert isinstance(stop, Stop)
    assert stop.eviction == Eviction(StopReason.IDLE, 5, 1)


# --- loads that no request waits for -----------------------------------------------------------------------------


def request_without_wait(ticket: int, spec: ModelLaunchSpec, context: int = 8192) -> Requested:
    """Return a request that does not wait (``Prefer: wait=0``)."""
    return replace(request_for(ticket, spec, context), waits=False)


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


def test_a_pending_load_never_drains_a_busy_model() -> None:
    """It is never overdue: requests for the running model keep passing, and it expires."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_without_wait(2, B), 0)
    assert effects_without_wakeups(scheduler.handle(Tick(), 40)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(3, A), 41)) == [Grant(3, 1)]
    scheduler.handle(RequestEnded(1), 42)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(3), PENDING_LOAD_S)) == []
    assert scheduler.pending_loads == ()


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


def test_an_abandoned_load_is_followed_by_the_load_it_was_stopped_for() -> None:
    """A's load was stopped for B, and B's client leaves before the stop is over."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(RequestEnded(1), 1)
    assert effects_without_wakeups(scheduler.handle(request_for(2, B), 2)) == [Stop(1)]
    scheduler.handle(RequestEnded(2), 2.1)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 3)) == [Launch(2, B, 8192)]


def test_the_protection_of_a_load_that_never_started_is_dropped() -> None:
    """B was to replace an abandoned load and never did: a later load of B is stopped like any other."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(RequestEnded(1), 1)
    scheduler.handle(request_for(2, B), 2)
    scheduler.handle(StopRequested(3), 3)
    scheduler.handle(RequestEnded(2), 3)
    scheduler.handle(Exited(1), 4)
    scheduler.handle(request_for(3, B), 100)
    scheduler.handle(RequestEnded(3), 101)
    assert effects_without_wakeups(scheduler.handle(request_for(4, A), 102)) == [Stop(2)]


def test_a_pending_load_comes_after_every_waiter() -> None:
    """B, although requested earlier, does not take the place that C waits for."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_without_wait(1, B), 5)
    scheduler.handle(request_for(2, C), 5.1)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == [Launch(2, C, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 7)) == [Grant(2, 2)]
    scheduler.handle(RequestEnded(2), 8)
    assert effects_without_wakeups(scheduler.handle(Tick(), 9)) == [Stop(2)], "then it is B's turn"


def test_an_abandoned_load_is_not_stopped_for_a_pending_load() -> None:
    """Two clients with ``wait=0`` do not stop each other's load."""
    scheduler = Scheduler()
    scheduler.handle(request_without_wait(1, A), 0)
    assert effects_without_wakeups(scheduler.handle(request_without_wait(2, B), 1)) == []
    assert effects_without_wakeups(scheduler.handle(BecameReady(1), 4)) == []


def test_a_preloaded_model_is_kept_for_its_client() -> None:
    """While unused, it is kept for some seconds from the pending load of another model; once used, it is evicted."""
    scheduler = Scheduler()
    scheduler.handle(request_without_wait(1, A), 0)
    scheduler.handle(request_without_wait(2, B), 1)
    assert scheduler.handle(BecameReady(1), 4) == [WakeAt(4 + UNUSED_GRACE_S)]
    assert effects_without_wakeups(scheduler.handle(request_without_wait(3, A), 5)) == [Grant(3, 1)]
    assert effects_without_wakeups(scheduler.handle(RequestEnded(3), 6)) == []
    assert effects_without_wakeups(scheduler.handle(Tick(), 6.25)) == [Stop(1)]


def test_an_unused_model_is_evicted_after_its_grace_period() -> None:
    """No request came in the seconds after its load."""
    scheduler = Scheduler()
    scheduler.handle(request_without_wait(1, A), 0)
    scheduler.handle(request_without_wait(2, B), 1)
    scheduler.handle(BecameReady(1), 4)
    assert effects_without_wakeups(scheduler.handle(Tick(), 4 + UNUSED_GRACE_S)) == [Stop(1)]


def test_the_grace_period_of_an_unused_model_does_not_apply_to_waiters() -> None:
    """Only pending loads respect the grace period."""
    scheduler = Scheduler()
    scheduler.handle(request_without_wait(1, A), 0)
    scheduler.handle(BecameReady(1), 4)
    assert effects_without_wakeups(scheduler.handle(request_for(2, B), 4.1)) == [Stop(1)]


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


def test_a_failed_load_is_no_longer_pending() -> None:
    """It is backed off, and starts again with the first request after that."""
    scheduler = Scheduler()
    scheduler.handle(request_without_wait(1, A), 0)
    scheduler.handle(LoadFailed(1, ModelLoadFailedError("a", "bad")), 1)
    assert effects_without_wakeups(scheduler.handle(Tick(), 30)) == []
    assert scheduler.pending_loads == ()


# --- models that are removed or overwritten ----------------------------------------------------------------------


def test_a_removed_model_is_unloaded() -> None:
    """An idle model is unloaded at once, with the reason."""
    (stop,) = effects_without_wakeups(scheduler_with_ready(A).handle(ModelRemoved(1), 5))
    assert isinstance(stop, Stop)
    assert stop.eviction == Eviction(StopReason.REMOVED, 5)


def test_a_removed_model_finishes_its_requests() -> None:
    """It takes no new requests, and is unloaded after its last request."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    assert effects_without_wakeups(scheduler.handle(ModelRemoved(1), 1)) == []
    assert scheduler.residents[0].state is ResidentState.DRAINING
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 2)) == [Stop(1)]


def test_the_waiters_of_a_removed_model_are_refused() -> None:
    """Its load ends, and so does a pending load; other models are unaffected."""
    scheduler = Scheduler(capacity=2)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    refusal, stop = effects_without_wakeups(scheduler.handle(ModelRemoved(1), 1))
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, ModelNotFoundError)
    assert (refusal.ticket, stop) == (1, Stop(1))
    assert effects_without_wakeups(scheduler.handle(Exited(1), 2)) == []
    scheduler.handle(request_without_wait(3, C), 2)
    assert effects_without_wakeups(scheduler.handle(ModelRemoved(3), 2.5)) == [Stop(3)]
    assert effects_without_wakeups(scheduler.handle(Exited(3), 3)) == []


def test_no_swap_is_finished_for_a_removed_model() -> None:
    """A was stopped for B, and B is removed before its turn."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    scheduler.handle(ModelRemoved(2), 5.1)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == []


def test_a_model_whose_file_was_overwritten_is_loaded_again() -> None:
    """Its process takes no new requests; waiters get the next one."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    assert effects_without_wakeups(scheduler.handle(FileChanged(1), 1)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(2, A), 2)) == []
    (stop,) = effects_without_wakeups(scheduler.handle(RequestEnded(1), 3))
    assert isinstance(stop, Stop)
    assert stop.eviction == Eviction(StopReason.CHANGED, 1)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 4)) == [Launch(2, A, 8192)]


@pytest.mark.parametrize(
    ("event", "reason"), [(ModelRemoved(1), StopReason.REMOVED), (FileChanged(1), StopReason.CHANGED)]
)
def test_an_eviction_begins_once(event: Event, reason: StopReason) -> None:
    """The same event again, with a request in flight, does not change the eviction's start."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    for now in (1, 2, 3):
        assert effects_without_wakeups(scheduler.handle(event, now)) == []
    assert scheduler.residents[0].eviction == Eviction(reason, 1)


def test_a_pending_larger_context_does_not_drain_a_busy_model() -> None:
    """The model grows when it is idle, however long that takes."""
    scheduler = scheduler_with_ready(A, context=4096)
    scheduler.handle(request_for(1, A, 4096), 0)
    scheduler.handle(request_without_wait(2, A, 8192), 0)
    assert effects_without_wakeups(scheduler.handle(Tick(), 40)) == []
    assert scheduler.residents[0].state is ResidentState.READY
    assert effects_without_wakeups(scheduler.handle(request_for(3, A, 4096), 41)) == [Grant(3, 1)]
    scheduler.handle(RequestEnded(1), 42)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(3), 43)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 44)) == [Launch(2, A, 8192)]


def test_a_pending_load_is_reconsidered_after_the_keep_warm_time() -> None:
    """A's clients may return in a moment: B's load starts after that moment, with no other event."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 4)
    scheduler.handle(request_without_wait(2, B), 5)
    assert scheduler.handle(RequestEnded(1), 10) == [WakeAt(10.25)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 10.25)) == [Stop(1)]


def test_a_launch_is_large_enough_for_the_pending_load_too() -> None:
    """One load for the waiting request and for the one that will retry."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_without_wait(2, B, 16384), 1)
    scheduler.handle(request_for(3, B, 2048), 2)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 3)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 4)) == [Launch(2, B, 16384)]


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


# --- newer versions ------------------------------------------------------------------------------------------------

A2 = replace(A, path=Path("/v2/a.gguf"))
"""Model A with the files of a newer version."""


def test_a_request_for_a_newer_version_reloads_an_idle_model() -> None:
    """The launch of the older version is stopped first, as for a larger context, with the reason."""
    scheduler = scheduler_with_ready(A)
    assert scheduler.try_grant(1, A2, 8192, 5) is None
    stop = Stop(1, Eviction(StopReason.UPDATED, 5, 1))
    effects = effects_without_wakeups(scheduler.handle(request_for(1, A2), 5))
    assert effects == [stop]
    assert isinstance(effects[0], Stop)
    assert effects[0].eviction == stop.eviction
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == [Launch(2, A2, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 7)) == [Grant(1, 2)]


def test_requests_in_flight_end_on_the_older_version() -> None:
    """It takes no new requests and is stopped after the last one; then the newer version is loaded."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 5)
    assert effects_without_wakeups(scheduler.handle(request_for(2, A2), 6)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(3, A2), 7)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 8)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 9)) == [Launch(2, A2, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 10)) == [Grant(2, 2), Grant(3, 2)]


def test_an_older_version_that_drains_takes_no_requests_again() -> None:
    """Also when the request for the newer version leaves: no later request needs the older version."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 5)
    scheduler.handle(request_for(2, A2), 6)
    scheduler.handle(Tick(), 6 + 15)
    scheduler.handle(RequestEnded(2), 22)
    assert scheduler.residents[0].state is ResidentState.DRAINING
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 23)) == [Stop(1)]


def test_an_earlier_waiter_takes_the_newer_version() -> None:
    """Requests that already wait when the newest arrives share its launch: nothing is loaded twice."""
    scheduler = scheduler_with_ready(B)
    scheduler.handle(request_for(1, B), 1)
    scheduler.handle(request_for(2, A), 2)
    scheduler.handle(request_for(3, A2), 3)
    scheduler.handle(RequestEnded(1), 4)
    assert effects_without_wakeups(scheduler.handle(Exited(1), 5)) == [Launch(2, A2, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 6)) == [Grant(2, 2), Grant(3, 2)]


def test_a_launch_of_another_version_is_not_reloaded() -> None:
    """Its version was deleted before the load: the shell reports the version that it loaded, which is not reloaded."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    assert effects_without_wakeups(scheduler.handle(BecameReady(1, A2), 1)) == [Grant(1, 1)]
    assert scheduler.try_grant(2, A2, 8192, 2) == 1


def test_a_superseded_model_is_unloaded_when_idle() -> None:
    """Without requests at once, otherwise after those in flight; a load is not stopped for it."""
    scheduler = scheduler_with_ready(A)
    assert effects_without_wakeups(scheduler.handle(Superseded(1), 5)) == [Stop(1)]
    busy = scheduler_with_ready(A)
    busy.handle(request_for(1, A), 5)
    assert effects_without_wakeups(busy.handle(Superseded(1), 6)) == []
    assert effects_without_wakeups(busy.handle(RequestEnded(1), 7)) == [Stop(1)]
    loading = Scheduler()
    loading.handle(request_for(1, A), 0)
    assert effects_without_wakeups(loading.handle(Superseded(1), 1)) == []


def test_a_pending_load_of_a_newer_version_is_not_served_by_the_older_one() -> None:
    """An earlier pending load of the older version does not count: the newer version is loaded after it.

    Found by ``scripts/check_promises.py``: the second request kept the time of the first.
    """
    scheduler = Scheduler()
    assert effects_without_wakeups(scheduler.handle(request_without_wait(1, A, 8192), 0)) == [
        Launch(1, A, 8192)
    ]
    scheduler.handle(request_without_wait(2, A2, 8192), 1)
    assert effects_without_wakeups(scheduler.handle(BecameReady(1), 2)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 3)) == [Launch(2, A2, 8192)]


def test_a_wait_that_times_out_is_served_by_a_launch_after_its_request() -> None:
    """A launch decided after the request arrived has its version or a newer one, so no second load is pending.

    Found by the property tests: the pending load had the time of the timeout, and the model was loaded twice.
    """
    scheduler = scheduler_with_ready(B)
    scheduler.handle(request_for(1, B), 10)
    scheduler.handle(request_for(2, A), 11)
    scheduler.handle(request_for(3, A2), 12)
    scheduler.handle(Tick(), 26)
    drained = scheduler.handle(RequestEnded(1), 27)
    assert effects_without_wakeups(drained) == [Stop(1, Eviction(StopReason.OVERDUE, 26, 2))]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 28)) == [Launch(2, A2, 8192, 2)]
    assert effects_without_wakeups(scheduler.handle(WaitTimedOut(2), 30)) == []
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 31)) == [Grant(3, 2)]
    assert scheduler.pending_loads == ()
    assert effects_without_wakeups(scheduler.handle(RequestEnded(3), 32)) == []


def test_an_equal_spec_of_a_later_snapshot_is_the_same_version() -> None:
    """The catalogue creates new specs with each change: they are compared by their paths, once."""
    scheduler = scheduler_with_ready(A)
    copy = replace(A)
    assert scheduler.try_grant(1, copy, 8192, 5) == 1
    assert scheduler.residents[0].matched_spec is copy


# --- events that concern only one of several models -----------------------------------------------------------------


def test_the_end_of_an_unknown_wait_changes_nothing() -> None:
    """The request may have been granted in the meantime."""
    scheduler = scheduler_with_ready(A)
    assert scheduler.handle(WaitTimedOut(7), 1) == []
    assert not scheduler.waiters


def test_a_stall_concerns_only_the_model_that_serves_the_request() -> None:
    """The other model keeps its requests."""
    scheduler = scheduler_with_ready(A, capacity=2)
    scheduler.handle(request_for(1, A), 1)
    scheduler.handle(request_for(2, B), 1)
    scheduler.handle(BecameReady(2), 2)
    scheduler.handle(RequestStalled(2), 3)
    assert [resident.state for resident in scheduler.residents] == [
        ResidentState.READY,
        ResidentState.DRAINING,
    ]


def test_a_stop_refuses_only_the_waiters_of_loading_models() -> None:
    """A request for a model that was not loading is launched after the stop."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    refusal, stop = effects_without_wakeups(scheduler.handle(StopRequested(10), 1))
    assert isinstance(refusal, Refuse)
    assert (refusal.ticket, stop) == (1, Stop(1))
    assert effects_without_wakeups(scheduler.handle(Exited(1), 2)) == [Launch(2, B, 8192)]


def test_a_draining_model_whose_file_changed_is_not_reopened() -> None:
    """It drains for another reason then, also if the waiter that it drained for leaves."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    scheduler.handle(Tick(), 15)
    assert scheduler.residents[0].state is ResidentState.DRAINING
    scheduler.handle(FileChanged(1), 16)
    scheduler.handle(RequestEnded(2), 17)
    (resident,) = scheduler.residents
    assert resident.state is ResidentState.DRAINING
    assert resident.eviction is not None
    assert resident.eviction.reason is StopReason.CHANGED


def test_new_limits_apply_at_once() -> None:
    """A larger capacity launches a waiting model, and the queue limit refuses the next request."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 1)
    assert effects_without_wakeups(scheduler.handle(request_for(2, B), 2)) == []
    more = scheduler.handle(Reconfigured(capacity=2, budget=None, swap_wait_s=15, queue_limit=1), 3)
    assert effects_without_wakeups(more) == [Launch(2, B, 8192)]
    (refused,) = effects_without_wakeups(scheduler.handle(request_for(3, C), 4))
    assert isinstance(refused, Refuse)
