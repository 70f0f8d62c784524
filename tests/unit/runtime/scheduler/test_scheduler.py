"""Scenarios of the scheduler: events and exactly the expected effects."""

from dataclasses import replace
from pathlib import Path

from tests.unit.runtime.scheduler.playbook import (
    A,
    B,
    C,
    effects_without_wakeups,
    request_for,
    request_without_wait,
    scheduler_with_ready,
)

from gglib.core.models import ModelSettings
from gglib.runtime.scheduler.events import (
    BecameReady,
    Eviction,
    Exited,
    Grant,
    Launch,
    MadeWay,
    Reconfigured,
    Refuse,
    RequestEnded,
    Stop,
    StopReason,
    StopRequested,
    Tick,
    WaitTimedOut,
    WakeAt,
)
from gglib.runtime.scheduler.pending_loads import PENDING_LOAD_S
from gglib.runtime.scheduler.planning import UNUSED_GRACE_S
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.state import ResidentState


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


def test_context_grows_by_relaunch_and_never_shrinks() -> None:
    """A larger context relaunches the model once; a smaller one uses the running launch."""
    scheduler = scheduler_with_ready(A, context=4096)
    assert effects_without_wakeups(scheduler.handle(request_for(1, A, 8192), 1)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 2)) == [Launch(2, A, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 3)) == [Grant(1, 2)]
    assert effects_without_wakeups(scheduler.handle(request_for(2, A, 2048), 4)) == [Grant(2, 2)]


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


# --- loads that no request waits for -----------------------------------------------------------------------------


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


def test_new_limits_apply_at_once() -> None:
    """A larger capacity launches a waiting model, and the queue limit refuses the next request."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 1)
    assert effects_without_wakeups(scheduler.handle(request_for(2, B), 2)) == []
    more = scheduler.handle(Reconfigured(capacity=2, budget=None, swap_wait_s=15, queue_limit=1), 3)
    assert effects_without_wakeups(more) == [Launch(2, B, 8192)]
    (refused,) = effects_without_wakeups(scheduler.handle(request_for(3, C), 4))
    assert isinstance(refused, Refuse)


def test_two_models_that_alternate_save_beside_the_loads() -> None:
    """Each load begins when the other launch has made way, and waits only for a former launch of its own model."""
    scheduler = scheduler_with_ready(A)
    assert effects_without_wakeups(scheduler.handle(request_for(1, B), 5)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 5.1)) == [Launch(2, B, 8192)]
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 7)) == [Grant(1, 2)]
    scheduler.handle(RequestEnded(1), 8)
    assert effects_without_wakeups(scheduler.handle(request_for(2, A), 9)) == [Stop(2)]
    assert effects_without_wakeups(scheduler.handle(MadeWay(2), 9.1)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 9.2)) == [Launch(3, A, 8192)]
    assert effects_without_wakeups(scheduler.handle(Exited(2), 10)) == []
    assert [resident.generation for resident in scheduler.residents] == [3]


def test_no_younger_request_takes_the_place_of_a_model_that_is_saving() -> None:
    """A waits for its own exit; C is younger, and would let A wait for another swap."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    scheduler.handle(request_for(2, A), 5.1)
    scheduler.handle(request_for(3, C), 5.2)
    scheduler.handle(RequestEnded(1), 5.3)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 6)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 7)) == [Launch(2, A, 8192)]
