"""Scenarios of the scheduler with a memory budget, pinned models and priorities."""

from dataclasses import replace

import pytest
from tests.unit.runtime.scheduler.memory_playbook import (
    BATCH,
    A,
    B,
    C,
    D,
    refusals,
    request_for,
    scheduler_with,
    stopped,
    without_wakeups,
)

from gglib.core.errors import (
    InsufficientMemoryError,
    ModelLoadFailedError,
    ModelOutOfMemoryError,
    ModelsPinnedError,
    ModelTooLargeError,
)
from gglib.core.models import ModelSettings
from gglib.runtime.scheduler.batch_limits import INTERACTIVE_WINDOW_S
from gglib.runtime.scheduler.events import (
    BecameReady,
    Exited,
    Grant,
    Launch,
    LimitsChanged,
    LoadFailed,
    MadeWay,
    Measured,
    PinsChanged,
    Refuse,
    Requested,
    RequestEnded,
    StopReason,
    StopRequested,
    Tick,
    WakeAt,
)
from gglib.runtime.scheduler.planning import MEMORY_WAIT_S
from gglib.runtime.scheduler.scheduler import Scheduler

# --- the budget ---


def test_models_that_fit_together_stay() -> None:
    """Each is launched beside the others while the sum of their sizes is within the budget."""
    scheduler = scheduler_with((A, 40), (B, 40))
    assert without_wakeups(scheduler.handle(request_for(1, C, 20), 10)) == [Launch(3, C, 8192)]
    assert scheduler.residents[2].size == {"ram": 20}


def test_the_cheapest_set_makes_room() -> None:
    """Two small models that were used last stay; the large one, whose load takes as long, goes."""
    scheduler = scheduler_with((A, 20), (B, 60), (C, 20))
    assert stopped(scheduler.handle(request_for(1, D, 60), 100)) == {2: StopReason.IDLE}
    assert without_wakeups(scheduler.handle(Exited(2), 101)) == [Launch(4, D, 8192)]


def test_several_models_go_if_one_is_not_enough() -> None:
    """The launch waits for the last of them."""
    scheduler = scheduler_with((A, 30), (B, 30), (C, 30))
    stops = stopped(scheduler.handle(request_for(1, D, 70), 100))
    assert stops == {1: StopReason.IDLE, 2: StopReason.IDLE}
    assert without_wakeups(scheduler.handle(Exited(1), 101)) == []
    assert without_wakeups(scheduler.handle(Exited(2), 102)) == [Launch(4, D, 8192)]


def test_nothing_goes_until_the_whole_set_can() -> None:
    """An idle model stays while the other one that has to go is busy, until the waiter is overdue."""
    scheduler = scheduler_with((A, 50), (B, 50))
    scheduler.handle(request_for(1, A, 50), 10)
    assert without_wakeups(scheduler.handle(request_for(2, C, 100), 10)) == []
    assert without_wakeups(scheduler.handle(request_for(3, B, 50), 20)) == [Grant(3, 2)]
    scheduler.handle(RequestEnded(3), 21)
    assert stopped(scheduler.handle(Tick(), 25)) == {2: StopReason.IDLE}
    assert stopped(scheduler.handle(RequestEnded(1), 26)) == {1: StopReason.OVERDUE}


def test_a_drain_ends_when_another_model_makes_room() -> None:
    """A busy model that drained takes requests again as soon as an idle one is enough."""
    scheduler = scheduler_with((A, 50), (B, 50))
    scheduler.handle(request_for(1, A, 50), 10)
    scheduler.handle(request_for(2, B, 50), 10)
    scheduler.handle(request_for(3, C, 50), 10)
    scheduler.handle(Tick(), 25)
    draining = next(r for r in scheduler.residents if r.state.value == "draining")
    other = 1 if draining.generation == 2 else 2
    assert stopped(scheduler.handle(RequestEnded(other), 26)) == {other: StopReason.IDLE}
    assert draining.state.value == "ready"


def test_what_can_never_fit_is_refused_and_evicts_nothing() -> None:
    """The error has the numbers; the residents stay. A request that does not wait is refused as well."""
    scheduler = scheduler_with((A, 50))
    (refusal,) = without_wakeups(scheduler.handle(request_for(1, B, 101), 10))
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, ModelTooLargeError)
    assert (refusal.error.needed, refusal.error.budget) == ({"ram": 101}, {"ram": 100})
    assert without_wakeups(scheduler.handle(request_for(2, B, 101, waits=False), 10)) == []
    assert not scheduler.pending_loads
    assert [r.state.value for r in scheduler.residents] == ["ready"]


def test_a_larger_context_that_never_fits_leaves_the_running_model_alone() -> None:
    """A request for a context beyond the budget does not stop the model that serves the others."""
    scheduler = scheduler_with((A, 50))
    effects = scheduler.handle(request_for(1, A, 101, context=32768), 10)
    assert refusals(effects) == {1: ModelTooLargeError}
    assert not stopped(effects)


def test_a_launch_for_several_contexts_has_the_largest_size() -> None:
    """A second waiter with a larger context raises the size of the launch that both wait for."""
    scheduler = scheduler_with((A, 60))
    scheduler.handle(request_for(1, A, 60), 10)
    scheduler.handle(request_for(2, B, 50), 10)
    scheduler.handle(request_for(3, B, 70, context=16384), 11)
    scheduler.handle(Tick(), 25)
    scheduler.handle(RequestEnded(1), 26)
    (launch,) = without_wakeups(scheduler.handle(Exited(1), 27))
    assert launch == Launch(2, B, 16384)
    assert scheduler.residents[-1].size == {"ram": 70}


def test_the_wait_for_memory_of_other_programs_begins_when_they_take_it() -> None:
    """A request that has waited for a swap for long is not refused at once; free memory ends the wait."""
    scheduler = scheduler_with((A, 60))
    scheduler.handle(request_for(1, A, 60), 10)
    scheduler.handle(request_for(2, B, 70), 10)
    assert not refusals(scheduler.handle(LimitsChanged({"ram": 65}), 24))
    assert not refusals(scheduler.handle(LimitsChanged({}), 24 + MEMORY_WAIT_S - 1))
    assert WakeAt(40 + MEMORY_WAIT_S) in scheduler.handle(LimitsChanged({"ram": 65}), 40)
    assert refusals(scheduler.handle(Tick(), 40 + MEMORY_WAIT_S)) == {2: InsufficientMemoryError}


def test_the_wait_for_memory_of_other_programs_begins_when_a_drain_ends_the_use_of_a_model() -> None:
    """A batch request waited for a slot of A. A drains for B, and does not fit again.

    Found by ``scripts/check_promises.py``: the wait began with the next event.
    """
    scheduler = scheduler_with((A, 60))
    for ticket in range(1, 6):
        scheduler.handle(request_for(ticket, A, 60, priority=BATCH), 100)
    scheduler.handle(LimitsChanged({"ram": 50}), 101)
    assert WakeAt(102 + MEMORY_WAIT_S) in scheduler.handle(request_for(6, B, 20), 102)
    assert refusals(scheduler.handle(Tick(), 102 + MEMORY_WAIT_S)) == {5: InsufficientMemoryError}


def test_the_error_of_a_lack_of_memory_counts_pinned_models() -> None:
    """Other programs alone leave enough: the error has what they and the pinned models leave."""
    scheduler = scheduler_with((A, 40))
    scheduler.handle(PinsChanged(frozenset((1,))), 9)
    scheduler.handle(LimitsChanged({"ram": 80}), 9)
    scheduler.handle(request_for(1, B, 60), 10)
    (refusal,) = without_wakeups(scheduler.handle(Tick(), 10 + MEMORY_WAIT_S))
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, InsufficientMemoryError)
    assert refusal.error.limits == {"ram": 40}
    assert "and the pinned models leave only" in str(refusal.error)


def test_the_error_of_pinned_models_names_those_in_the_way() -> None:
    """Not the model itself, nor those on other devices."""
    scheduler = Scheduler(capacity=64, budget={"ram": 100, "gpu0": 100})
    for number, (spec, size) in enumerate(((A, {"ram": 30}), (B, {"ram": 30}), (C, {"gpu0": 30})), 1):
        scheduler.handle(Requested(number, spec, 8192, 8192, size=size), 0)
        scheduler.handle(BecameReady(number), 0)
        scheduler.handle(RequestEnded(number), 0)
    scheduler.handle(PinsChanged(frozenset((1, 2, 3))), 1)
    (refusal,) = without_wakeups(scheduler.handle(request_for(4, A, 80, context=16384), 2))
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, ModelsPinnedError)
    assert (refusal.error.pinned, refusal.error.max_models) == (("b",), None)


def test_memory_that_other_programs_return_is_used() -> None:
    """The launch starts when the limit rises again."""
    scheduler = scheduler_with()
    scheduler.handle(LimitsChanged({"ram": 60}), 0)
    scheduler.handle(request_for(1, B, 70), 1)
    assert without_wakeups(scheduler.handle(LimitsChanged({}), 2)) == [Launch(1, B, 8192)]


def test_room_that_an_overdue_request_waits_for_is_not_used() -> None:
    """A younger request that would fit does not take the room of an overdue one, whose victim still loads."""
    scheduler = scheduler_with()
    scheduler.handle(request_for(1, A, 60), 0)
    scheduler.handle(request_for(2, B, 80), 1)
    assert without_wakeups(scheduler.handle(request_for(3, C, 40), 2)) == [Launch(2, C, 8192)]
    scheduler.handle(RequestEnded(3), 3)
    assert stopped(scheduler.handle(Tick(), 16)) == {}
    assert without_wakeups(scheduler.handle(request_for(4, D, 0), 17)) == [Launch(3, D, 8192)]
    assert without_wakeups(scheduler.handle(request_for(5, replace(D, model_id=5), 10), 17)) == []


def test_a_measured_size_counts_from_then_on() -> None:
    """A model that takes more than expected makes an idle one go; its size is never above the budget."""
    scheduler = scheduler_with((A, 50), (B, 50))
    scheduler.handle(request_for(1, B, 50), 9)
    assert stopped(scheduler.handle(Measured(2, {"ram": 120}, prompt_s=1.5), 10)) == {1: StopReason.EXCESS}
    resident = scheduler.residents[1]
    assert (resident.size, resident.is_measured, resident.prompt_s) == ({"ram": 100}, True, 1.5)


def test_prompts_in_the_cache_make_a_model_worth_keeping() -> None:
    """Of two models of the same size, the one without a long conversation in its cache goes."""
    scheduler = scheduler_with((A, 50), (B, 50))
    scheduler.handle(Measured(1, prompt_s=30.0), 10)
    assert stopped(scheduler.handle(request_for(1, C, 50), 100)) == {2: StopReason.IDLE}


def test_models_without_use_lose_their_value() -> None:
    """An expensive model that is no longer used goes after others were evicted: L has grown beyond its value."""
    scheduler = scheduler_with((A, 50), (B, 50))
    scheduler.handle(Measured(1, prompt_s=3.0), 10)
    scheduler.handle(Measured(2, prompt_s=1.0), 10)
    current, ticket, now = 2, 10, 100.0
    gone = []
    for number in range(5):
        spec = replace(C, model_id=10 + number, model_name=f"c{number}")
        (victim,) = stopped(scheduler.handle(request_for(ticket, spec, 50), now))
        gone.append(victim)
        scheduler.handle(Exited(victim), now + 1)
        current += 1
        scheduler.handle(BecameReady(current), now + 1)
        scheduler.handle(RequestEnded(ticket), now + 2)
        scheduler.handle(Measured(current, prompt_s=1.0), now + 2)
        ticket, now = ticket + 1, now + 100
    assert gone[0] == 2
    assert 1 in gone


# --- a load that ran out of memory ---


def out_of_memory(generation: int) -> LoadFailed:
    """Return the failure of a load."""
    return LoadFailed(generation, ModelOutOfMemoryError("m", "out of memory"))


def test_a_load_that_ran_out_of_memory_is_repeated_once() -> None:
    """The idle models go, the waiter stays, the next launch is expected to take more; then it is a failure."""
    scheduler = scheduler_with((A, 30))
    scheduler.handle(request_for(1, B, 50), 10)
    effects = scheduler.handle(out_of_memory(2), 12)
    assert stopped(effects) == {1: StopReason.OUT_OF_MEMORY}
    assert not refusals(effects)
    assert without_wakeups(scheduler.handle(Exited(2), 12)) == []
    assert without_wakeups(scheduler.handle(Exited(1), 13)) == [Launch(3, B, 8192)]
    assert scheduler.residents[0].size == {"ram": 60}
    assert refusals(scheduler.handle(out_of_memory(3), 14)) == {1: ModelOutOfMemoryError}


def test_without_idle_models_running_out_of_memory_is_a_failure() -> None:
    """Nothing can be freed: its waiters are refused. Pinned models and those on other devices stay."""
    scheduler = Scheduler(capacity=64, budget={"ram": 100, "gpu0": 100})
    on_gpu = Requested(1, A, 8192, 8192, size={"gpu0": 50})
    scheduler.handle(on_gpu, 0)
    scheduler.handle(BecameReady(1), 1)
    scheduler.handle(RequestEnded(1), 2)
    scheduler.handle(request_for(2, B, 50), 3)
    effects = scheduler.handle(out_of_memory(2), 4)
    assert refusals(effects) == {2: ModelOutOfMemoryError}
    assert not stopped(effects)


def test_a_repeated_load_that_succeeds_may_be_repeated_again() -> None:
    """Success ends the count."""
    scheduler = scheduler_with((A, 30))
    scheduler.handle(request_for(1, B, 50), 10)
    scheduler.handle(out_of_memory(2), 12)
    scheduler.handle(Exited(1), 13)
    scheduler.handle(BecameReady(3), 14)
    scheduler.handle(RequestEnded(1), 15)
    scheduler.handle(StopRequested(16, 2), 16)
    scheduler.handle(Exited(3), 17)
    scheduler.handle(request_for(2, A, 30), 18)
    scheduler.handle(BecameReady(4), 19)
    scheduler.handle(RequestEnded(2), 20)
    scheduler.handle(request_for(3, B, 50), 21)
    assert stopped(scheduler.handle(out_of_memory(5), 22)) == {4: StopReason.OUT_OF_MEMORY}


def test_a_larger_load_after_a_repeated_one_may_be_repeated_too() -> None:
    """Success ends the count although a request for a larger context of the model has waited since."""
    scheduler = scheduler_with((A, 30))
    scheduler.handle(request_for(1, B, 50), 10)
    scheduler.handle(out_of_memory(2), 12)
    scheduler.handle(Exited(1), 13)
    scheduler.handle(Requested(2, B, 16384, 16384, size={"ram": 70}), 14)
    scheduler.handle(BecameReady(3), 15)
    scheduler.handle(request_for(3, C, 10), 16)
    scheduler.handle(BecameReady(4), 17)
    scheduler.handle(RequestEnded(3), 18)
    scheduler.handle(RequestEnded(1), 40)
    assert Launch(5, B, 16384) in scheduler.handle(Exited(3), 41)
    assert stopped(scheduler.handle(out_of_memory(5), 42)) == {4: StopReason.OUT_OF_MEMORY}


# --- pinned models ---


def test_a_pinned_model_is_not_evicted() -> None:
    """The other one goes, however valuable."""
    scheduler = scheduler_with((A, 50), (B, 50))
    scheduler.handle(PinsChanged(frozenset((1,))), 10)
    scheduler.handle(Measured(2, prompt_s=100.0), 10)
    assert stopped(scheduler.handle(request_for(1, C, 50), 100)) == {2: StopReason.IDLE}


def test_a_request_that_the_launch_of_a_pinned_model_leaves_no_room_for_is_refused() -> None:
    """With the launch: nothing else may happen until the load ends. Found by ``scripts/check_promises.py``."""
    scheduler = scheduler_with((A, 50))
    scheduler.handle(PinsChanged(frozenset((2,))), 10)
    scheduler.handle(StopRequested(10, 1), 10)
    scheduler.handle(request_for(1, B, 60), 11)
    scheduler.handle(request_for(2, C, 60), 11)
    effects = scheduler.handle(Exited(1), 12)
    assert Launch(2, B, 8192) in effects
    assert refusals(effects) == {2: ModelsPinnedError}


def test_a_request_that_pins_leave_no_room_for_is_refused() -> None:
    """At once, with the names of the pinned models; also with a fixed number of models."""
    scheduler = scheduler_with((A, 60))
    scheduler.handle(PinsChanged(frozenset((1,))), 10)
    effects = scheduler.handle(request_for(1, B, 50), 11)
    assert refusals(effects) == {1: ModelsPinnedError}
    counted = Scheduler(capacity=1)
    counted.handle(request_for(1, A), 0)
    counted.handle(PinsChanged(frozenset((1,))), 1)
    (refusal,) = without_wakeups(counted.handle(request_for(2, B), 2))
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, ModelsPinnedError)
    assert (refusal.error.pinned, refusal.error.max_models) == (("a",), 1)


def test_a_pin_refuses_what_waits_for_its_room() -> None:
    """A request that waits for a model that is pinned meanwhile cannot be served any more."""
    scheduler = scheduler_with((A, 60))
    scheduler.handle(request_for(1, A, 60), 10)
    scheduler.handle(request_for(2, B, 50), 10)
    assert refusals(scheduler.handle(PinsChanged(frozenset((1,))), 11)) == {2: ModelsPinnedError}


def test_a_pinned_model_is_replaced_for_its_own_requests() -> None:
    """A larger context stops and relaunches it."""
    scheduler = scheduler_with((A, 50))
    scheduler.handle(PinsChanged(frozenset((1,))), 10)
    assert stopped(scheduler.handle(request_for(1, A, 60, context=16384), 11)) == {1: StopReason.TOO_SMALL}


def test_a_pinned_model_outlives_its_time_to_live() -> None:
    """Until it is unpinned."""
    mortal = replace(A, settings=ModelSettings(idle_ttl_s=60))
    scheduler = scheduler_with((mortal, 50))
    scheduler.handle(PinsChanged(frozenset((1,))), 1)
    assert scheduler.handle(Tick(), 1000) == []
    assert stopped(scheduler.handle(PinsChanged(frozenset()), 1001)) == {1: StopReason.EXPIRED}


def test_the_user_stops_a_single_model() -> None:
    """Its waiting requests and pending load go, too; the others stay. A pin does not protect it."""
    scheduler = scheduler_with((A, 50), (B, 50))
    scheduler.handle(PinsChanged(frozenset((1,))), 2)
    assert stopped(scheduler.handle(StopRequested(20, 1), 10)) == {1: StopReason.ASKED}
    assert [r.state.value for r in scheduler.residents] == ["stopping", "ready"]


# --- priorities ---


def test_interactive_requests_come_before_batch_requests() -> None:
    """The model of the younger, interactive request is loaded first."""
    scheduler = Scheduler(capacity=1)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(request_for(2, B, priority=BATCH), 1)
    scheduler.handle(request_for(3, C), 2)
    scheduler.handle(BecameReady(1), 3)
    scheduler.handle(RequestEnded(1), 13)
    assert stopped(scheduler.handle(Tick(), 13.5)) == {1: StopReason.IDLE}
    assert without_wakeups(scheduler.handle(Exited(1), 14)) == [Launch(2, C, 8192)]


def test_an_overdue_batch_request_ranks_by_its_age() -> None:
    """After ``swap_wait_s`` it comes before a younger interactive request."""
    scheduler = Scheduler(capacity=1)
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(BecameReady(1), 1)
    scheduler.handle(request_for(2, B, priority=BATCH), 1)
    scheduler.handle(request_for(3, C), 2)
    scheduler.handle(RequestEnded(1), 16)
    assert without_wakeups(scheduler.handle(Exited(1), 17)) == [Launch(2, B, 8192)]


def test_batch_requests_leave_a_slot_free() -> None:
    """Of four slots, three process batch requests while interactive ones have come within a minute."""
    scheduler = scheduler_with((A, 50))
    assert len(without_wakeups(scheduler.handle(request_for(1, A, 50, priority=BATCH), 10))) == 1
    granted = [1]
    for ticket in range(2, 7):
        effects = scheduler.handle(request_for(ticket, A, 50, priority=BATCH), 10)
        granted += [e.ticket for e in effects if isinstance(e, Grant)]
    assert granted == [1, 2, 3]
    assert without_wakeups(scheduler.handle(request_for(7, A, 50), 11)) == [Grant(7, 1)]
    assert without_wakeups(scheduler.handle(RequestEnded(1), 12)) == [Grant(4, 1)]
    late = 12 + INTERACTIVE_WINDOW_S
    assert without_wakeups(scheduler.handle(RequestEnded(2), late)) == [Grant(5, 1), Grant(6, 1)]


def test_batch_requests_of_a_model_without_known_slots_are_not_limited() -> None:
    """Only the engine knows how many it processes."""
    scheduler = Scheduler()
    for ticket in range(1, 20):
        scheduler.handle(request_for(ticket, A, priority=BATCH), 0)
    assert len(without_wakeups(scheduler.handle(BecameReady(1), 1))) == 19


def test_a_model_that_batch_requests_use_gives_way_at_once() -> None:
    """It drains for an interactive request, but not for a batch request, and not if it has an interactive one."""
    scheduler = Scheduler(capacity=1)
    scheduler.handle(request_for(1, A, priority=BATCH), 0)
    scheduler.handle(BecameReady(1, slots=4), 1)
    scheduler.handle(request_for(2, B, priority=BATCH), 2)
    assert [r.state.value for r in scheduler.residents] == ["ready"]
    scheduler.handle(request_for(3, C), 3)
    assert [r.state.value for r in scheduler.residents] == ["draining"]
    assert stopped(scheduler.handle(RequestEnded(1), 4)) == {1: StopReason.PRIORITY}
    assert without_wakeups(scheduler.handle(Exited(1), 5)) == [Launch(2, C, 8192)]


@pytest.mark.parametrize("other", ["interactive holder", "older interactive waiter"])
def test_a_model_with_interactive_requests_does_not_give_way_at_once(other: str) -> None:
    """Until ``swap_wait_s``, requests for the running model pass."""
    scheduler = Scheduler(capacity=1)
    scheduler.handle(request_for(1, A, priority=BATCH), 0)
    scheduler.handle(BecameReady(1, slots=4), 1)
    if other == "interactive holder":
        scheduler.handle(request_for(2, A), 2)
    else:
        scheduler.handle(request_for(2, A, context=32768), 2)
        scheduler.handle(Tick(), 2)
    scheduler.handle(request_for(3, B), 3)
    reasons = [r.eviction.ticket for r in scheduler.residents if r.eviction is not None]
    assert 3 not in reasons


def test_which_requests_are_granted_at_once() -> None:
    """Interactive ones by a ready model; batch ones if there is a slot that no other request waits for."""
    scheduler = scheduler_with((A, 50))
    batch = request_for(9, A, priority=BATCH)
    assert scheduler.grants_at_once(batch, 10)
    assert not scheduler.grants_at_once(request_for(9, B), 10)
    scheduler.handle(request_for(1, B, 40, priority=BATCH), 10)
    assert not scheduler.grants_at_once(batch, 10)
    assert scheduler.grants_at_once(request_for(9, A), 10)


def test_a_batch_request_that_does_not_wait_for_a_slot_leaves_no_load() -> None:
    """Its model is loaded."""
    scheduler = scheduler_with((A, 50))
    for ticket in range(1, 4):
        scheduler.handle(request_for(ticket, A, 50, priority=BATCH), 10)
    assert without_wakeups(scheduler.handle(request_for(4, A, 50, priority=BATCH, waits=False), 10)) == []
    assert scheduler.pending_loads == scheduler.waiters == ()


def test_waiting_batch_requests_leave_the_fast_path_on() -> None:
    """Interactive requests neither wait nor change what a batch request waits for."""
    scheduler = scheduler_with((A, 50))
    for ticket in range(1, 5):
        scheduler.handle(request_for(ticket, A, 50, priority=BATCH), 10)
    assert [w.ticket for w in scheduler.waiters] == [4]
    assert scheduler.try_grant(5, A, 8192, 11) == 1
    assert scheduler.try_release(5, 12)
    assert scheduler.residents[0].holders == {1, 2, 3}


def test_the_fast_path_does_not_end_what_a_batch_request_waits_for() -> None:
    """A batch slot, the last request of the model, and the wait itself."""
    scheduler = scheduler_with((A, 50), budget=60)
    for ticket in range(1, 5):
        scheduler.handle(request_for(ticket, A, 50, priority=BATCH), 10)
    assert not scheduler.try_release(1, 11)
    assert not scheduler.try_release(4, 11)
    scheduler.handle(RequestEnded(4), 11)
    assert scheduler.waiters == ()
    scheduler.handle(request_for(5, B, 50, priority=BATCH), 12)
    for ticket in (1, 2):
        scheduler.handle(RequestEnded(ticket), 12)
    assert not scheduler.try_release(3, 13)


def test_the_fast_path_does_not_end_the_last_interactive_request_while_another_waits() -> None:
    """What only batch requests use gives way at once."""
    scheduler = scheduler_with((A, 50), budget=60)
    scheduler.handle(request_for(1, A, 50), 10)
    scheduler.handle(request_for(2, A, 50, priority=BATCH), 10)
    scheduler.handle(request_for(3, B, 50), 11)
    assert not scheduler.try_release(1, 12)
    scheduler.handle(RequestEnded(1), 12)
    assert [r.state.value for r in scheduler.residents] == ["draining"]


def test_interactive_requests_on_the_fast_path_keep_a_slot_free() -> None:
    """Also after the model was unloaded and loaded again."""
    scheduler = scheduler_with((A, 50))
    late = INTERACTIVE_WINDOW_S + 10
    assert scheduler.try_grant(1, A, 8192, late) == 1
    assert scheduler.try_release(1, late)
    scheduler.handle(StopRequested(late, 1), late)
    scheduler.handle(Exited(1), late + 1)
    for ticket in range(2, 6):
        scheduler.handle(request_for(ticket, A, 50, priority=BATCH), late + 2)
    granted = [e for e in scheduler.handle(BecameReady(2, slots=4), late + 3) if isinstance(e, Grant)]
    assert len(granted) == 3


# --- other programs and several devices ---


def test_a_failed_load_has_an_ordinary_backoff_with_a_budget() -> None:
    """Other failures are not repeated."""
    scheduler = scheduler_with((A, 30))
    scheduler.handle(request_for(1, B, 50), 10)
    effects = scheduler.handle(LoadFailed(2, ModelLoadFailedError("b", "bad magic")), 11)
    assert refusals(effects) == {1: ModelLoadFailedError}
    assert not stopped(effects)


def test_a_repeated_load_takes_at_most_what_other_programs_leave() -> None:
    """It is expected to take more than the request says, within the limit."""
    scheduler = scheduler_with((A, 10))
    scheduler.handle(LimitsChanged({"ram": 70}), 9)
    scheduler.handle(request_for(1, B, 60), 10)
    assert stopped(scheduler.handle(out_of_memory(2), 12)) == {1: StopReason.OUT_OF_MEMORY}
    assert without_wakeups(scheduler.handle(Exited(1), 13)) == [Launch(3, B, 8192)]
    assert scheduler.residents[0].size == {"ram": 70}


def test_a_load_is_not_repeated_if_other_programs_took_its_memory() -> None:
    """Nothing is stopped for it."""
    scheduler = scheduler_with((A, 10))
    scheduler.handle(request_for(1, B, 60), 10)
    scheduler.handle(LimitsChanged({"ram": 50}), 11)
    effects = scheduler.handle(out_of_memory(2), 12)
    assert refusals(effects) == {1: ModelOutOfMemoryError}
    assert not stopped(effects)


def test_a_load_that_ran_out_of_memory_twice_is_not_repeated_for_another_idle_model() -> None:
    """Although a model became idle between the attempts."""
    scheduler = scheduler_with((A, 20), (C, 10))
    scheduler.handle(request_for(1, C, 10), 9)
    scheduler.handle(request_for(2, B, 50), 10)
    assert stopped(scheduler.handle(out_of_memory(3), 12)) == {1: StopReason.OUT_OF_MEMORY}
    assert without_wakeups(scheduler.handle(Exited(1), 13)) == [Launch(4, B, 8192)]
    scheduler.handle(RequestEnded(1), 14)
    effects = scheduler.handle(out_of_memory(4), 15)
    assert refusals(effects) == {2: ModelOutOfMemoryError}
    assert not stopped(effects)


def test_evictions_for_one_request_are_dropped_if_those_for_another_are_enough() -> None:
    """The second request needs two models gone, which is enough for the first one, too."""
    scheduler = Scheduler(capacity=64, budget={"ram": 100, "gpu0": 60})
    for number, (spec, size) in enumerate(
        ((A, {"ram": 10, "gpu0": 30}), (B, {"ram": 30}), (C, {"ram": 11, "gpu0": 22})), 1
    ):
        scheduler.handle(Requested(number, spec, 8192, 8192, size=size), 0)
        scheduler.handle(BecameReady(number, slots=4), 0)
    other = replace(D, model_id=5, model_name="e")
    scheduler.handle(Requested(4, D, 8192, 8192, size={"ram": 60}), 1)
    scheduler.handle(Requested(5, other, 8192, 8192, size={"ram": 5, "gpu0": 55}), 1)
    for ticket in (1, 3, 2):
        scheduler.handle(RequestEnded(ticket), 20)
    assert {r.generation: r.state.value for r in scheduler.residents} == {
        1: "stopping",
        2: "ready",
        3: "stopping",
    }


def test_a_load_that_no_request_waits_for_is_not_repeated() -> None:
    """Its client has left: no idle model is stopped for it."""
    scheduler = scheduler_with((A, 30))
    scheduler.handle(request_for(1, B, 50), 10)
    scheduler.handle(RequestEnded(1), 11)
    assert not stopped(scheduler.handle(out_of_memory(2), 12))


def test_excess_on_one_device_stops_no_model_of_another() -> None:
    """A model in RAM does not help a GPU whose pinned models take more than expected."""
    scheduler = Scheduler(capacity=64, budget={"ram": 100, "gpu0": 50})
    scheduler.handle(Requested(1, A, 8192, 8192, size={"gpu0": 25}), 0)
    scheduler.handle(Requested(2, C, 8192, 8192, size={"gpu0": 25}), 0)
    scheduler.handle(request_for(3, B, 50), 0)
    for generation in (1, 2, 3):
        scheduler.handle(BecameReady(generation), 1)
        scheduler.handle(RequestEnded(generation), 1)
    scheduler.handle(PinsChanged(frozenset((1, 3))), 1)
    assert not stopped(scheduler.handle(Measured(1, {"gpu0": 30}), 2))


def test_a_running_model_stays_if_a_larger_context_does_not_fit_now() -> None:
    """Other programs use the memory: its clients are served while the request waits and is refused."""
    scheduler = scheduler_with((A, 50))
    scheduler.handle(LimitsChanged({"ram": 60}), 9)
    effects = scheduler.handle(request_for(1, A, 70, context=32768), 10)
    assert not stopped(effects)
    assert refusals(scheduler.handle(Tick(), 10 + MEMORY_WAIT_S)) == {1: InsufficientMemoryError}


def test_a_context_that_does_not_fit_now_does_not_hold_up_smaller_ones() -> None:
    """The model is launched for the requests that fit; the larger one waits for memory, and is refused."""
    scheduler = scheduler_with()
    scheduler.handle(LimitsChanged({"ram": 60}), 0)
    scheduler.handle(request_for(1, A, 90, context=32768), 0)
    assert without_wakeups(scheduler.handle(request_for(2, A, 50), 1)) == [Launch(1, A, 8192)]
    assert scheduler.residents[0].size == {"ram": 50}
    assert without_wakeups(scheduler.handle(BecameReady(1), 2)) == [Grant(2, 1)]
    assert refusals(scheduler.handle(Tick(), MEMORY_WAIT_S)) == {1: InsufficientMemoryError}


def test_a_pending_load_that_may_fit_later_stays() -> None:
    """Only one that never fits is dropped: other programs may return the memory."""
    scheduler = scheduler_with()
    scheduler.handle(LimitsChanged({"ram": 10}), 0)
    scheduler.handle(request_for(1, A, 50, waits=False), 0)
    assert len(scheduler.pending_loads) == 1
    assert without_wakeups(scheduler.handle(LimitsChanged({}), 1)) == [Launch(1, A, 8192)]


def no_load_follows(scheduler: Scheduler, now: float) -> bool:
    """Return whether no load follows the exit of launch 1 although a request for B comes and leaves before it."""
    scheduler.handle(LimitsChanged({}), now)
    scheduler.handle(request_for(9, B, 70), now)
    scheduler.handle(RequestEnded(9), now + 1)
    return not without_wakeups(scheduler.handle(Exited(1), now + 2))


def test_a_stop_for_a_refused_request_is_not_for_a_later_one() -> None:
    """Other programs took the memory while A stopped for the first request."""
    scheduler = scheduler_with((A, 60))
    assert stopped(scheduler.handle(request_for(1, B, 70), 10)) == {1: StopReason.IDLE}
    scheduler.handle(LimitsChanged({"ram": 65}), 11)
    assert refusals(scheduler.handle(Tick(), 11 + MEMORY_WAIT_S)) == {1: InsufficientMemoryError}
    assert no_load_follows(scheduler, 30)


def test_a_stop_for_a_refused_request_is_also_for_others() -> None:
    """A request for a smaller context still waits: its load follows although it leaves."""
    scheduler = scheduler_with((A, 60))
    scheduler.handle(request_for(1, B, 70, context=16384), 10)
    scheduler.handle(request_for(2, B, 60), 10)
    scheduler.handle(LimitsChanged({"ram": 65}), 11)
    assert refusals(scheduler.handle(Tick(), 11 + MEMORY_WAIT_S)) == {1: InsufficientMemoryError}
    scheduler.handle(RequestEnded(2), 22)
    assert without_wakeups(scheduler.handle(Exited(1), 23)) == [Launch(2, B, 8192)]


def test_a_stop_for_a_load_that_never_fits_is_not_for_a_later_request() -> None:
    """A pinned model took more than expected, and left no room for the pending load while A stopped for it."""
    scheduler = scheduler_with((A, 60), (C, 30))
    scheduler.handle(PinsChanged(frozenset((C.model_id,))), 9)
    assert stopped(scheduler.handle(request_for(1, B, 70, waits=False), 10)) == {1: StopReason.IDLE}
    scheduler.handle(Measured(2, {"ram": 40}), 11)
    assert not scheduler.pending_loads
    scheduler.handle(Measured(2, {"ram": 30}), 12)
    assert no_load_follows(scheduler, 30)


def test_a_pending_load_for_a_larger_context_delays_no_waiter() -> None:
    """B's waiters are served beside A. The larger load that no request waits for follows once B is idle.

    Found by ``scripts/check_promises.py``: a batch request's model was launched before an interactive request's.
    """
    scheduler = scheduler_with((A, 10))
    scheduler.handle(request_for(1, A, 10), 9)
    scheduler.handle(request_for(2, B, 99, context=32768, waits=False), 10)
    assert scheduler.pending_loads
    assert without_wakeups(scheduler.handle(request_for(3, B, 90), 11)) == [Launch(2, B, 8192)]
    assert scheduler.residents[-1].size == {"ram": 90}
    assert without_wakeups(scheduler.handle(BecameReady(2), 12)) == [Grant(3, 2)]
    scheduler.handle(RequestEnded(1), 13)
    assert stopped(scheduler.handle(RequestEnded(3), 14)) == {2: StopReason.TOO_SMALL}
    assert stopped(scheduler.handle(Exited(2), 15)) == {1: StopReason.IDLE}
    assert without_wakeups(scheduler.handle(Exited(1), 16)) == [Launch(3, B, 32768)]


def test_a_pending_load_for_a_larger_context_shares_a_launch_if_there_is_room() -> None:
    """Not the room of other waiters, though their turn is later."""
    scheduler = scheduler_with((A, 60))
    scheduler.handle(request_for(1, A, 60), 9)
    scheduler.handle(request_for(2, B, 70, context=32768, waits=False), 10)
    scheduler.handle(request_for(3, B, 50), 11)
    scheduler.handle(request_for(4, C, 45), 12)
    scheduler.handle(StopRequested(13, A.model_id), 13)
    assert without_wakeups(scheduler.handle(Exited(1), 14)) == [Launch(2, B, 8192), Launch(3, C, 8192)]
    scheduler = scheduler_with((A, 60))
    scheduler.handle(request_for(1, A, 60), 9)
    scheduler.handle(request_for(2, B, 70, context=32768, waits=False), 10)
    scheduler.handle(request_for(3, B, 50), 11)
    scheduler.handle(StopRequested(13, A.model_id), 13)
    assert without_wakeups(scheduler.handle(Exited(1), 14)) == [Launch(2, B, 32768)]
    assert scheduler.residents[-1].size == {"ram": 70}


# --- a stop beside the next load ---


@pytest.mark.parametrize(("ram", "begins"), [(60, True), (61, False)])
def test_a_launch_that_has_made_way_takes_its_memory_until_it_exits(ram: int, *, begins: bool) -> None:
    """A load that does not fit beside it waits for its exit."""
    scheduler = Scheduler(capacity=1, budget={"ram": 100})
    scheduler.handle(request_for(1, A, 40), 0)
    scheduler.handle(BecameReady(1), 1)
    scheduler.handle(RequestEnded(1), 2)
    scheduler.handle(request_for(2, B, ram), 3)
    launch = [Launch(2, B, 8192)]
    assert without_wakeups(scheduler.handle(MadeWay(1), 4)) == (launch if begins else [])
    assert without_wakeups(scheduler.handle(Exited(1), 5)) == ([] if begins else launch)


def test_an_idle_model_stays_if_the_memory_of_the_saves_is_enough() -> None:
    """What is about to exit counts before an eviction."""
    scheduler = Scheduler(capacity=2, budget={"ram": 100})
    for ticket, spec in ((1, A), (2, B)):
        scheduler.handle(request_for(ticket, spec, 40), ticket)
        scheduler.handle(BecameReady(ticket), ticket)
        scheduler.handle(RequestEnded(ticket), ticket)
    assert stopped(scheduler.handle(request_for(3, C, 50), 10)) == {1: StopReason.IDLE}
    assert without_wakeups(scheduler.handle(MadeWay(1), 11)) == []
    assert without_wakeups(scheduler.handle(Exited(1), 12)) == [Launch(3, C, 8192)]
