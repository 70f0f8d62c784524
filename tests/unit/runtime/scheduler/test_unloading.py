"""Stops by the user, stalls, the idle time-to-live, removed and changed models."""

from dataclasses import replace

import pytest
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

from gglib.core.errors import (
    ModelLoadFailedError,
    ModelNotFoundError,
    ModelStoppedError,
)
from gglib.core.models import ModelSettings
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Event,
    Eviction,
    Exited,
    FileChanged,
    Grant,
    Launch,
    LoadFailed,
    MadeWay,
    ModelRemoved,
    PinsChanged,
    Reconfigured,
    Refuse,
    RequestEnded,
    RequestStalled,
    Stop,
    StopReason,
    StopRequested,
    Superseded,
    Tick,
    WakeAt,
)
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.state import ResidentState

A_FOR_A_MINUTE = replace(A, settings=ModelSettings(idle_ttl_s=60))


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


def test_every_stop_has_a_reason() -> None:
    """The reason, and the request that it is for."""
    scheduler = scheduler_with_ready(A)
    (stop,) = effects_without_wakeups(scheduler.handle(request_for(1, B), 5))
    assert isinstance(stop, Stop)
    assert stop.eviction == Eviction(StopReason.IDLE, 5, 1)


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


# --- a stop beside the next load ---


def test_the_next_load_begins_beside_a_stop_that_makes_way() -> None:
    """Once: its exit, and the same event again, cause nothing."""
    scheduler = scheduler_with_ready(A)
    assert effects_without_wakeups(scheduler.handle(request_for(1, B), 5)) == [Stop(1)]
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 5.2)) == [Launch(2, B, 8192)]
    assert scheduler.residents[0].has_made_way
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 5.3)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(2, C), 5.4)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == []
    assert effects_without_wakeups(scheduler.handle(BecameReady(2), 7)) == [Grant(1, 2)]


def test_only_a_launch_that_is_stopped_makes_way() -> None:
    """Not one that loads, serves, drains, died or is gone: a late event changes nothing."""
    scheduler = Scheduler(swap_wait_s=15)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B), 0)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 1)) == []
    scheduler.handle(BecameReady(1), 2)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 3)) == []
    scheduler.handle(Tick(), 15)
    assert scheduler.residents[0].state is ResidentState.DRAINING
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 16)) == []
    scheduler.handle(Died(1, "signal 6"), 17)
    scheduler.handle(RequestEnded(1), 17)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 18)) == []
    assert not scheduler.residents[0].has_made_way
    assert effects_without_wakeups(scheduler.handle(Exited(1), 19)) == [Launch(2, B, 8192)]
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 20)) == []
    assert [resident.has_made_way for resident in scheduler.residents] == [False]


def test_a_stop_makes_way_although_its_waiter_has_left() -> None:
    """A swap that has started is finished, beside the saves, too."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 5.1)) == []
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 5.2)) == [Launch(2, B, 8192)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == []


def test_without_another_request_nothing_begins_beside_a_stop() -> None:
    """The model that waited was removed; the memory was not compared with a load that is requested later."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    scheduler.handle(ModelRemoved(2), 5.1)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 5.2)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(2, C), 5.3)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == [Launch(2, C, 8192)]


def test_no_other_load_begins_beside_a_stop() -> None:
    """Neither an older request's, nor one after the load that began beside it has failed."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    scheduler.handle(RequestEnded(1), 5.1)
    scheduler.handle(request_for(2, C), 5.2)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 5.3)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == [Launch(2, C, 8192)]
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 5.3)) == [Launch(2, B, 8192)]
    scheduler.handle(LoadFailed(2, ModelLoadFailedError("b", "bad")), 6)
    assert effects_without_wakeups(scheduler.handle(request_for(2, C), 7)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 8)) == [Launch(3, C, 8192)]


def test_a_model_that_is_saving_is_launched_after_its_exit() -> None:
    """Never two launches of one model: its next request waits, also after the user stopped or removed it."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    scheduler.handle(MadeWay(1), 5.2)
    for event in (StopRequested(10, 1), ModelRemoved(1), PinsChanged(frozenset({1}))):
        assert effects_without_wakeups(scheduler.handle(event, 5.3)) == []
    assert effects_without_wakeups(scheduler.handle(request_for(2, A), 5.4)) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 5.5)) == [Stop(2)]
    assert effects_without_wakeups(scheduler.handle(Exited(2), 9)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 10)) == [Launch(3, A, 8192)]


def test_a_stop_of_all_models_makes_way_for_no_load() -> None:
    """It was not for the request that waits, which is served after the exit."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, B), 5)
    assert effects_without_wakeups(scheduler.handle(StopRequested(10), 5.1)) == []
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 5.2)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(1), 6)) == [Launch(2, B, 8192)]


def test_one_that_saves_beside_its_successor_takes_no_place_from_others() -> None:
    """With two places, another load waits for the exit of the other model, and not for the saves."""
    scheduler = scheduler_with_ready(A, capacity=2)
    scheduler.handle(request_for(1, B), 1)
    scheduler.handle(BecameReady(2), 2)
    scheduler.handle(request_for(2, C), 3)
    assert effects_without_wakeups(scheduler.handle(MadeWay(1), 3.1)) == [Launch(3, C, 8192)]
    scheduler.handle(BecameReady(3), 4)
    scheduler.handle(RequestEnded(1), 5)
    assert effects_without_wakeups(scheduler.handle(request_for(3, D), 100)) == [Stop(2)]
    assert effects_without_wakeups(scheduler.handle(Exited(2), 101)) == [Launch(4, D, 8192)]


def test_a_launch_that_has_made_way_does_not_exceed_a_smaller_capacity() -> None:
    """Of the others, an idle one stops for it."""
    scheduler = scheduler_with_ready(A, capacity=2)
    scheduler.handle(request_for(1, B), 1)
    scheduler.handle(BecameReady(2), 2)
    scheduler.handle(request_for(2, C), 3)
    scheduler.handle(MadeWay(1), 3.1)
    scheduler.handle(BecameReady(3), 4)
    scheduler.handle(RequestEnded(1), 5)
    smaller = Reconfigured(capacity=1, budget=None, swap_wait_s=15, queue_limit=10)
    assert effects_without_wakeups(scheduler.handle(smaller, 6)) == [Stop(2)]
    assert effects_without_wakeups(scheduler.handle(Exited(1), 7)) == []
    assert effects_without_wakeups(scheduler.handle(Exited(2), 8)) == []
