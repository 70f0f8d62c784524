"""Requests: they wait, are granted together, refused, or leave a pending load. Pure."""

from collections.abc import Iterator

from gglib.core.errors import QueueFullError
from gglib.core.priority import Priority
from gglib.runtime.scheduler.events import Effect, Grant, Refuse, Requested
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.planning import MEMORY_WAIT_S, waiting_order
from gglib.runtime.scheduler.scheduler_state import SchedulerState
from gglib.runtime.scheduler.state import PendingLoad, Resident, Waiter


def enqueue(state: SchedulerState, request: Requested, now: float) -> Iterator[Effect]:
    """Let a request wait, or leave a pending load for it, or refuse it."""
    model_id = request.spec.model_id
    state.keep_warm.record_request(model_id, now)
    if request.priority is Priority.INTERACTIVE:
        state.batch_limits.record_interactive(model_id, now)
    refusal = state.backoff.refusal(request.spec, now)
    waiter = waiter_of(request, now)
    is_ready = state.is_ready_for(waiter, now)
    if refusal is not None:
        yield Refuse(request.ticket, refusal)
    elif not request.waits and not is_ready:
        state.pending_loads.add(waiter, now)
    elif len(state.waiters) >= state.queue_limit and not is_ready:
        yield Refuse(request.ticket, QueueFullError(len(state.waiters), state.swap_wait_s))
    else:
        state.waiters[request.ticket] = waiter


def end_request(state: SchedulerState, ticket: int, now: float) -> None:
    """End a request, whether it waits or is in flight. A swap that has started for it is finished."""
    waiter = state.waiters.pop(ticket, None)
    if waiter is not None and state.is_last_waiter_of_started_swap(waiter):
        state.pending_loads.add(waiter, now)
    for resident in state.residents.values():
        if ticket in resident.holders:
            release(resident, ticket, state.keep_warm, now)


def time_out(state: SchedulerState, ticket: int, now: float) -> None:
    """End the wait of a request; its load stays pending, because clients retry."""
    if (waiter := state.waiters.pop(ticket, None)) is not None:
        state.pending_loads.add(waiter, now)


def release(resident: Resident, ticket: int, keep_warm: KeepWarm, now: float) -> None:
    """End a request in flight."""
    resident.holders.remove(ticket)
    if resident.batch_holders:
        resident.batch_holders.discard(ticket)
    resident.last_used = now
    if not resident.holders:
        keep_warm.record_idle(resident.spec.model_id, now)


def grant_ready(state: SchedulerState, now: float) -> Iterator[Effect]:
    """Grant all requests whose models are ready."""
    for waiter in waiting_order(tuple(state.waiters.values()), now, state.swap_wait_s):
        for resident in state.residents.values():
            if state.can_grant(waiter, resident, now):
                del state.waiters[waiter.ticket]
                resident.holders.add(waiter.ticket)
                if waiter.priority is Priority.BATCH:
                    resident.batch_holders.add(waiter.ticket)
                resident.idle_ttl_s = waiter.spec.idle_ttl_s
                yield Grant(waiter.ticket, resident.generation)
                break


def refuse_unplaceable(state: SchedulerState, now: float) -> Iterator[Effect]:
    """Refuse requests whose launch never fits, or that have waited too long for memory of other programs.

    A pending load that never fits is dropped. What was stopped for a model is not for its later requests then.
    """
    if not state.placement.limits_memory and not state.pinned:
        state.short_since = {}
        return
    planner, former, refused = state.planner(now), state.short_since, set[int]()
    state.short_since = {}
    for waiter in state.unserved(tuple(state.waiters.values())):
        error = planner.refusal(waiter)
        if error is None and planner.lacks_memory(waiter):
            since = state.short_since[waiter.ticket] = former.get(waiter.ticket, now)
            error = planner.insufficient_memory(waiter) if now >= since + MEMORY_WAIT_S else None
        if error is not None:
            del state.waiters[waiter.ticket]
            refused.add(waiter.spec.model_id)
            yield Refuse(waiter.ticket, error)
    for load in state.unserved(state.pending_loads.all):
        if planner.refusal(load) is not None:
            state.pending_loads.discard(load.spec.model_id)
            refused.add(load.spec.model_id)
    for model_id in refused:
        if not state.tickets_for(model_id):
            state.clear_evictions_for(model_id)


def drop_finished_loads(state: SchedulerState, now: float) -> None:
    """Drop pending loads that are served or expired, and the protection of models that no request needs."""

    def is_finished(load: PendingLoad) -> bool:
        is_expired = now >= load.expires_at and not state.has_eviction_for(load.spec.model_id)
        return is_expired or any(map(load.can_use, state.residents.values()))

    state.pending_loads.drop(is_finished)
    requested = {w.spec.model_id for w in (*state.waiters.values(), *state.pending_loads.all)}
    state.protected &= requested
    state.repeated_loads.keep(requested)


def waiter_of(request: Requested, now: float) -> Waiter:
    """Return the waiter of a request that arrives now."""
    return Waiter(
        request.ticket,
        request.spec,
        request.needed_ctx,
        request.launch_ctx,
        now,
        request.priority,
        request.size,
    )
