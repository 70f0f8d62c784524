"""Executes plans: launches models, and stops or drains the residents that make room for them. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from gglib.core.memory import DeviceBytes
from gglib.runtime.scheduler.events import Effect, Eviction, Launch, Stop
from gglib.runtime.scheduler.placement import is_within
from gglib.runtime.scheduler.planning import Plan, PlannedEviction, Planner
from gglib.runtime.scheduler.scheduler_state import SchedulerState
from gglib.runtime.scheduler.state import Resident, ResidentState, Waiter
from gglib.runtime.scheduler.unloading import stop


def execute(state: SchedulerState, plan: Plan, planner: Planner) -> Iterator[Effect]:
    """Launch and evict as planned."""
    for waiter in plan.launches:
        yield _launch(state, waiter, plan.sizes[waiter.spec.model_id], planner.now)
    for eviction in plan.evictions:
        yield from _evict(state, eviction, planner)


def _evict(state: SchedulerState, planned: PlannedEviction, planner: Planner) -> Iterator[Effect]:
    """Stop a resident for a waiter, or drain it if it is busy."""
    resident, waiter, now = planned.resident, planned.waiter, planner.now
    match resident.state:
        case ResidentState.LOADING:
            state.protected.add(waiter.spec.model_id)
            yield _evict_now(planned, planner)
        case ResidentState.READY if not resident.holders:
            yield _evict_now(planned, planner)
        case ResidentState.READY:
            resident.transition_to(ResidentState.DRAINING, now)
            resident.evicted_for = waiter.spec.model_id
            resident.eviction = Eviction(planned.reason, now, waiter.ticket)
        case ResidentState.DRAINING if not resident.is_eviction_final:
            _reassign_eviction(state, planned)


def _evict_now(planned: PlannedEviction, planner: Planner) -> Stop:
    resident, waiter = planned.resident, planned.waiter
    resident.evicted_for = waiter.spec.model_id
    return stop(resident, planner.now, Eviction(planned.reason, planner.now, waiter.ticket))


def _reassign_eviction(state: SchedulerState, planned: PlannedEviction) -> None:
    """Assign a drain to another waiter if the waiter that it began for has left, or does not need it any more."""
    resident, waiter = planned.resident, planned.waiter
    eviction = resident.eviction
    if eviction is not None and (
        eviction.ticket not in state.waiters or resident.evicted_for != waiter.spec.model_id
    ):
        resident.eviction = Eviction(planned.reason, eviction.since, waiter.ticket)
        resident.evicted_for = waiter.spec.model_id


def reopen_unneeded_drains(state: SchedulerState, plan: Plan, now: float) -> bool:
    """Let residents take requests again if no waiter needs their drain any more; return whether there are any."""
    evicted = plan.evicted
    reopened = [
        r
        for r in state.residents.values()
        if r.state is ResidentState.DRAINING and not r.is_eviction_final and r.generation not in evicted
    ]
    for resident in reopened:
        resident.transition_to(ResidentState.READY, now)
        resident.eviction = None
        resident.evicted_for = None
    return bool(reopened)


def reassign_final_drains(state: SchedulerState) -> None:
    """Assign drains that end in a stop in any case to another request for the same model if their waiter has left.

    Without another request, no load follows the stop: it was not for a waiter, but for the newer version.
    """
    for resident in state.residents.values():
        eviction = resident.eviction
        if resident.state is not ResidentState.DRAINING or eviction is None or eviction.ticket is None:
            continue
        tickets = state.tickets_for(resident.evicted_for)
        if resident.is_eviction_final and eviction.ticket not in tickets:
            resident.eviction = replace(eviction, ticket=next(iter(tickets), None))
            resident.evicted_for = resident.evicted_for if tickets else None


def _launch(state: SchedulerState, waiter: Waiter, size: DeviceBytes, now: float) -> Launch:
    """Launch for all waiters of this model, with the newest settings and the largest context needed.

    The pending load of the model counts if ``size`` is enough for it.
    """
    model_id = waiter.spec.model_id
    requests = (w for w in (*state.pending_loads.all, *state.waiters.values()) if w.spec.model_id == model_id)
    served = sorted(state.placeable(requests), key=lambda w: w.ticket)
    spec, context = served[-1].spec, max(w.launch_ctx for w in served if is_within(w.size, size))
    state.last_generation += 1
    resident = Resident(
        generation=state.last_generation,
        spec=spec,
        context=context,
        state=ResidentState.LOADING,
        since=now,
        last_used=now,
        launched_at=now,
        idle_ttl_s=spec.idle_ttl_s,
        is_protected=model_id in state.protected,
        size=size,
    )
    state.protected.discard(model_id)
    state.clear_evictions_for(model_id)
    state.residents[resident.generation] = resident
    return Launch(resident.generation, spec, context, waiter.ticket)
