"""Unloads residents: drains and stops them, for the user, their files, their time-to-live or the budget. Pure."""

from collections.abc import Iterator

from gglib.core.errors import ModelNotFoundError, ModelStoppedError
from gglib.runtime.scheduler.events import Effect, Eviction, Refuse, Stop, StopReason, StopRequested
from gglib.runtime.scheduler.placement import Candidate
from gglib.runtime.scheduler.scheduler_state import SchedulerState
from gglib.runtime.scheduler.state import Resident, ResidentState


def stall(state: SchedulerState, ticket: int, now: float) -> None:
    """Drain the resident whose engine sent nothing for a request in flight."""
    for resident in state.residents.values():
        if ticket in resident.holders and resident.state in {ResidentState.READY, ResidentState.DRAINING}:
            if resident.state is ResidentState.READY:
                resident.transition_to(ResidentState.DRAINING, now)
            resident.eviction = Eviction(StopReason.SILENT, now)
            resident.evicted_for = None  # it stops because it stalled, not for a waiter


def request_stop(state: SchedulerState, event: StopRequested, now: float) -> Iterator[Effect]:
    """Stop one model, or all."""
    model_id = event.model_id
    reason = StopReason.SHUTDOWN if event.is_shutdown else StopReason.ASKED
    if model_id is None:
        state.backoff.clear()
        state.pending_loads.clear()
    else:
        state.backoff.forget(model_id)
        state.pending_loads.discard(model_id)
        state.clear_evictions_for(model_id)
    for resident in state.residents.values():
        if model_id not in {None, resident.spec.model_id}:
            continue
        resident.evicted_for = None
        former = resident.stop_deadline
        resident.stop_deadline = event.deadline if former is None else min(former, event.deadline)
        if resident.state is not ResidentState.STOPPING:
            resident.eviction = Eviction(reason, now)
        if resident.state is ResidentState.READY:
            resident.transition_to(ResidentState.DRAINING, now)
        elif resident.state is ResidentState.LOADING:
            yield from _refuse_waiters_served_by(state, resident)


def _refuse_waiters_served_by(state: SchedulerState, resident: Resident) -> Iterator[Effect]:
    for waiter in tuple(state.waiters.values()):
        if waiter.is_served_by(resident):
            del state.waiters[waiter.ticket]
            yield Refuse(waiter.ticket, ModelStoppedError(resident.spec.model_name))


def remove_model(state: SchedulerState, model_id: int, now: float) -> Iterator[Effect]:
    """Refuse the waiters of a removed model and drain its launch."""
    state.backoff.forget(model_id)
    state.pending_loads.discard(model_id)
    state.clear_evictions_for(model_id)
    for waiter in tuple(state.waiters.values()):
        if waiter.spec.model_id == model_id:
            del state.waiters[waiter.ticket]
            yield Refuse(waiter.ticket, ModelNotFoundError(waiter.spec.model_name))
    for resident in state.residents.values():
        if resident.spec.model_id == model_id:
            yield from drain(resident, StopReason.REMOVED, now)


def drain(resident: Resident | None, reason: StopReason, now: float) -> Iterator[Effect]:
    """Take no new requests for a launch; ``stop_drained`` stops it once no request holds it."""
    if resident is None or resident.is_terminating:
        return
    if resident.state is ResidentState.LOADING:
        if reason is StopReason.REMOVED:
            yield stop(resident, now, Eviction(reason, now))
        return
    if resident.state is ResidentState.READY:
        resident.transition_to(ResidentState.DRAINING, now)
    resident.eviction = Eviction(reason, now)
    resident.evicted_for = None


def stop_drained(state: SchedulerState, now: float) -> Iterator[Effect]:
    """Stop residents that were to stop after their last request, or at a deadline."""
    for resident in state.residents.values():
        awaits_stop = resident.state is ResidentState.DRAINING or (
            resident.state is ResidentState.LOADING and resident.stop_deadline is not None
        )
        is_past_deadline = resident.stop_deadline is not None and now >= resident.stop_deadline
        if awaits_stop and (not resident.holders or is_past_deadline):
            yield stop(resident, now)


def stop_excess(state: SchedulerState, now: float) -> Iterator[Effect]:
    """Stop idle residents while all together exceed the budget, the least valuable first."""
    if not state.has_excess:
        return
    planner = state.planner(now)
    staying = [r for r in state.residents.values() if not r.is_terminating]
    excess = state.placement.excess([r.size for r in staying])
    idle = {r.generation: r for r in staying if r.is_idle and r.spec.model_id not in state.pinned}
    candidates = [
        Candidate(r.generation, footprint, 0, planner.value(r))
        for r in idle.values()
        if any((footprint := state.placement.footprint(r.size)).get(device) for device in excess)
    ]
    victims = state.victim_rule.choose(candidates, excess)
    state.has_excess = victims is None
    for victim in candidates if victims is None else victims:
        yield stop(idle[victim.generation], now, Eviction(StopReason.EXCESS, now))


def stop_expired(state: SchedulerState, now: float) -> Iterator[Effect]:
    """Stop residents without requests for their idle time-to-live."""
    for resident in state.residents.values():
        expires_at = state.expires_at(resident)
        if expires_at is not None and now >= expires_at:
            yield stop(resident, now, Eviction(StopReason.EXPIRED, now))


def make_way(state: SchedulerState, generation: int) -> None:
    """Let the load begin that a launch was stopped for, beside its stop."""
    resident = state.residents.get(generation)
    if resident is not None and resident.state is ResidentState.STOPPING and resident.evicted_for is not None:
        resident.made_way_for = resident.evicted_for


def stop(resident: Resident, now: float, eviction: Eviction | None = None) -> Stop:
    """Stop a resident; without ``eviction`` for the reason that it drains for."""
    resident.transition_to(ResidentState.STOPPING, now)
    resident.eviction = eviction or resident.eviction
    return Stop(resident.generation, resident.eviction)
