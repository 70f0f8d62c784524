"""The states of a launch, and which waiter a launch serves."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.events import Eviction, StopReason
from gglib.runtime.scheduler.state import IllegalTransitionError, Resident, ResidentState, Waiter, resized

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))
A_NEXT = replace(A, path=Path("/versions/2/a.gguf"))
"""A newer version of ``A``: the same model, another path."""
LOADING, READY = ResidentState.LOADING, ResidentState.READY
DRAINING, STOPPING = ResidentState.DRAINING, ResidentState.STOPPING


def resident_in(state: ResidentState, *, last_used: float = 0.0) -> Resident:
    """Return a launch of ``A`` with 8,192 tokens that entered its state at 10 s."""
    return Resident(generation=1, spec=A, context=8192, state=state, since=10.0, last_used=last_used)


def waiter(spec: ModelLaunchSpec = A, *, needed_ctx: int = 8192, since: float = 5.0) -> Waiter:
    """Return a waiting request; by default it arrived at 5 s."""
    return Waiter(1, spec, needed_ctx, needed_ctx, since)


@pytest.mark.parametrize("state", list(ResidentState))
def test_illegal_transitions_raise_and_change_nothing(state: ResidentState) -> None:
    """No state returns to LOADING, and STOPPING is final."""
    resident = resident_in(state)
    with pytest.raises(IllegalTransitionError):
        resident.transition_to(LOADING, 11)
    assert (resident.state, resident.since) == (state, 10.0)


@pytest.mark.parametrize("path", [(LOADING, READY, DRAINING, READY, STOPPING), (DRAINING, STOPPING)])
def test_a_legal_transition_sets_state_and_time(path: tuple[ResidentState, ...]) -> None:
    """A drain may be cancelled, and ends in a stop otherwise."""
    first, *rest = path
    resident = resident_in(first)
    for now, state in enumerate(rest, start=20):
        resident.transition_to(state, now)
        assert (resident.state, resident.since) == (state, now)


@pytest.mark.parametrize(
    ("state", "holders", "is_idle"),
    [
        (READY, set(), True),
        (READY, {1}, False),
        (LOADING, set(), False),
        (DRAINING, set(), False),
        (STOPPING, set(), False),
    ],
)
def test_only_a_ready_launch_without_requests_is_idle(
    state: ResidentState, holders: set[int], *, is_idle: bool
) -> None:
    """A launch that loads, drains or stops is not idle, even without requests."""
    resident = resident_in(state)
    resident.holders |= holders
    assert resident.is_idle is is_idle


@pytest.mark.parametrize(("last_used", "is_unused"), [(9.0, True), (10.0, True), (10.1, False)])
def test_a_launch_is_unused_until_a_request_after_it_became_ready(
    last_used: float, *, is_unused: bool
) -> None:
    """The time of the launch itself is no use."""
    assert resident_in(READY, last_used=last_used).is_unused is is_unused


@pytest.mark.parametrize(
    ("state", "reason", "deadline", "is_final", "is_terminating"),
    [
        (READY, None, None, False, False),
        (DRAINING, StopReason.OVERDUE, None, False, False),
        (DRAINING, StopReason.UPDATED, None, True, True),
        (DRAINING, None, 60.0, True, True),
        (READY, StopReason.OVERDUE, 60.0, True, True),
        (STOPPING, StopReason.IDLE, None, False, True),
        (STOPPING, None, None, False, True),
    ],
)
def test_a_launch_terminates_when_no_waiter_can_reopen_it(
    state: ResidentState,
    reason: StopReason | None,
    deadline: float | None,
    *,
    is_final: bool,
    is_terminating: bool,
) -> None:
    """A deadline or a final reason ends a launch for good; an eviction for a waiter may still be cancelled."""
    resident = resident_in(state)
    resident.eviction = None if reason is None else Eviction(reason, since=10.0)
    resident.stop_deadline = deadline
    assert resident.is_eviction_final is is_final
    assert resident.is_terminating is is_terminating


def test_a_version_is_known_by_its_path() -> None:
    """Other settings are the same version; the object that matched last is recognised without comparing paths."""
    resident = resident_in(READY)
    edited = replace(A, size_bytes=7)
    assert resident.has_version_of(edited)
    assert resident.matched_spec is edited
    assert not resident.has_version_of(A_NEXT)
    assert resident.matched_spec is edited
    resident.spec = A_NEXT
    assert resident.has_version_of(edited), "the identity of the last match was not used"
    assert not resident.has_version_of(A)


@pytest.mark.parametrize(
    ("waiting", "launched_at", "is_served"),
    [
        (waiter(), 0.0, True),
        (waiter(B), 0.0, False),
        (waiter(B), 5.0, False),
        (waiter(needed_ctx=8193), 5.0, False),
        (waiter(needed_ctx=1), 0.0, True),
        (waiter(A_NEXT), 4.9, False),
        (waiter(A_NEXT), 5.0, True),
        (waiter(A_NEXT), 5.1, True),
    ],
)
def test_a_waiter_is_served_by_its_model_with_enough_context(
    waiting: Waiter, launched_at: float, *, is_served: bool
) -> None:
    """A launch from before the request must have its version; a later launch has that version or a newer one."""
    resident = resident_in(READY)
    resident.launched_at = launched_at
    assert waiting.is_served_by(resident) is is_served
    assert waiting.can_use(resident) is is_served


@pytest.mark.parametrize("state", [LOADING, DRAINING, STOPPING])
def test_a_waiter_can_use_only_a_ready_launch(state: ResidentState) -> None:
    """A launch that will serve the waiter cannot serve it yet, or not any more."""
    assert waiter().is_served_by(resident_in(state))
    assert not waiter().can_use(resident_in(state))


def test_a_resident_serves_its_version_with_enough_context() -> None:
    """In any state: whether it takes requests is another question."""
    resident = resident_in(LOADING)
    assert resident.serves(A, 8192)
    assert not resident.serves(A, 8193)
    assert not resident.serves(A_NEXT, 8192)
    assert not resident.serves(B, 8192)


def test_a_process_that_died_was_not_stopped_for_a_reason() -> None:
    """It is stopping until its cleanup is done."""
    died, stopped = resident_in(STOPPING), resident_in(STOPPING)
    stopped.eviction = Eviction(StopReason.IDLE, 10.0)
    assert [r.has_died for r in (died, stopped, resident_in(DRAINING))] == [True, False, False]


def test_a_waiter_keeps_its_size_if_there_is_no_new_one() -> None:
    """Sizes are found by spec and context."""
    waiting = replace(waiter(), size={"ram": 1})
    assert resized(waiting, {(A, 8192): {"ram": 2}}).size == {"ram": 2}
    assert resized(waiting, {(A, 4096): {"ram": 2}, (B, 8192): {"ram": 3}}).size == {"ram": 1}
