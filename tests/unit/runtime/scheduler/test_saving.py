"""How long prompts may be saved before a stop."""

from pathlib import Path

import pytest

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.events import Eviction, StopReason
from gglib.runtime.scheduler.saving import SaveLimits, save_limits
from gglib.runtime.scheduler.state import Resident, ResidentState, Waiter

LOADS_S = {1: 4.0, 2: 10.0, 3: 2.0}


def spec(model_id: int) -> ModelLaunchSpec:
    """Return a model."""
    return ModelLaunchSpec(model_id=model_id, model_name=f"m{model_id}", path=Path(f"/{model_id}.gguf"))


def waiter(ticket: int, model_id: int) -> Waiter:
    """Return a request that waits."""
    return Waiter(ticket, spec(model_id), 1, 1, 0.0)


def limits(
    reason: StopReason | None, *waiters: Waiter, evicted_for: int | None = None, holders: int = 0
) -> SaveLimits | None:
    """Return the limits for model 1."""
    resident = Resident(1, spec(1), 1024, ResidentState.STOPPING, 0.0, 0.0, evicted_for=evicted_for)
    resident.holders.update(range(holders))
    eviction = None if reason is None else Eviction(reason, 0.0)
    return save_limits(resident, eviction, waiters, lambda spec: LOADS_S[spec.model_id])


def test_a_swap_becomes_little_slower() -> None:
    """By a twentieth of the load that waits, whatever waits for other models."""
    found = limits(StopReason.IDLE, waiter(1, 2), waiter(2, 2), waiter(3, 3), evicted_for=2)
    assert found == SaveLimits(waiting=2, delay_s=0.5, may_make_way=True)
    assert not found.yields


@pytest.mark.parametrize(
    ("reason", "may_make_way"),
    [
        (StopReason.IDLE, True),
        (StopReason.OVERDUE, True),
        (StopReason.PRIORITY, True),
        (StopReason.ASKED, False),
        (StopReason.EXPIRED, False),
        (StopReason.EXCESS, False),
        (StopReason.OUT_OF_MEMORY, False),
    ],
)
def test_a_launch_makes_way_for_the_model_that_it_was_evicted_for(
    reason: StopReason, *, may_make_way: bool
) -> None:
    """Not if its memory is needed, or for any other model that waits."""
    found = limits(reason, waiter(1, 2), evicted_for=2)
    assert found == SaveLimits(waiting=1, delay_s=0.5, may_make_way=may_make_way)
    for_another = limits(reason, waiter(1, 2), evicted_for=3)
    assert for_another == SaveLimits(waiting=1, delay_s=0.5)


def test_without_requests_the_policy_decides() -> None:
    """Until a request arrives."""
    found = limits(StopReason.EXPIRED)
    assert found == SaveLimits()
    assert found.yields


def test_the_shortest_load_counts_if_it_is_unknown_what_the_stop_is_for() -> None:
    """A user stops the model while others wait."""
    assert limits(StopReason.ASKED, waiter(1, 2), waiter(2, 3)) == SaveLimits(waiting=2, delay_s=0.1)


def test_a_larger_context_waits_for_the_same_model() -> None:
    """Its own load counts, and cannot begin beside it."""
    assert limits(StopReason.TOO_SMALL, waiter(1, 1), evicted_for=1) == SaveLimits(waiting=1, delay_s=0.2)


def test_a_shutdown_is_marked() -> None:
    """The launcher knows whether anything outlasts it."""
    assert limits(StopReason.SHUTDOWN) == SaveLimits(is_shutdown=True)


@pytest.mark.parametrize(
    "reason",
    [
        None,
        StopReason.UNWANTED,
        StopReason.SILENT,
        StopReason.REMOVED,
        StopReason.CHANGED,
        StopReason.UPDATED,
    ],
)
def test_what_no_launch_could_use_is_not_saved(reason: StopReason | None) -> None:
    """Nor what may be wrong: the engine hangs, its files changed, or it crashed."""
    assert limits(reason) is None


def test_an_engine_in_use_is_not_saved() -> None:
    """Past the deadline of a stop."""
    assert limits(StopReason.ASKED, holders=1) is None
