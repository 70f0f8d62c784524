"""The events of launches: ready, measured, failed, died, exited. Pure."""

from collections.abc import Iterator

from gglib.core.errors import ModelOutOfMemoryError
from gglib.core.memory import after_out_of_memory
from gglib.runtime.scheduler.backoff import Failure
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Eviction,
    LoadFailed,
    Measured,
    Refuse,
    StopReason,
)
from gglib.runtime.scheduler.repeated_loads import idle_beside, saving_beside, share_a_device
from gglib.runtime.scheduler.scheduler_state import SchedulerState
from gglib.runtime.scheduler.state import Resident, ResidentState
from gglib.runtime.scheduler.unloading import stop


def become_ready(state: SchedulerState, event: BecameReady, now: float) -> None:
    """Let a launch take requests, unless it is being stopped."""
    resident = state.residents.get(event.generation)
    if resident is None or resident.state is not ResidentState.LOADING:
        return  # it was stopped while the event was queued
    resident.spec = event.spec or resident.spec
    resident.slots = event.slots
    state.repeated_loads.discard(resident.spec.model_id)
    state.keep_warm.record_load(resident.spec.model_id, now - resident.since)
    resident.transition_to(ResidentState.READY, now)
    resident.last_used = now
    state.backoff.record_success(resident.spec.model_id)


def measure(state: SchedulerState, event: Measured) -> None:
    """Replace what was expected of a launch by what was measured."""
    if (resident := state.residents.get(event.generation)) is None:
        return
    if event.size is not None:
        resident.size = state.placement.within_budget(event.size)
        resident.is_measured = True
        state.has_excess = True
    if event.prompt_s is not None:
        resident.prompt_s = event.prompt_s


def _remove(state: SchedulerState, generation: int, now: float) -> Resident | None:
    """Drop a launch whose cleanup is done, and renew the pending load that it was stopped for."""
    resident = state.residents.pop(generation, None)
    if resident is not None:
        state.batch_limits.record_interactive(resident.spec.model_id, resident.interactive_at)
        if resident.evicted_for is not None:
            state.pending_loads.renew(resident.evicted_for, now)
    return resident


def fail_load(state: SchedulerState, event: LoadFailed, now: float) -> Iterator[Effect]:
    """Refuse the waiters of a failed load, or repeat it if it ran out of memory beside others.

    It is repeated once idle residents, which stop for it, and those that had made way have exited. One of these may
    have exited already, after the load ran out of memory and before it ended.
    """
    resident = _remove(state, event.generation, now)
    if resident is None:
        return
    model_id = resident.spec.model_id
    is_wanted = resident.state is ResidentState.LOADING and model_id in state.launch_sizes()
    if is_wanted and isinstance(event.error, ModelOutOfMemoryError):
        idle = idle_beside(resident, state.residents.values(), state.pinned)
        saving = saving_beside(resident, state.residents.values())
        was_beside = bool(idle or saving) or resident.was_beside_saves
        if was_beside and model_id not in state.repeated_loads and _fits_grown(state, resident):
            state.repeated_loads.add(resident, state.placement.memory_limits, (*idle, *saving))
            for other in saving:
                if other.evicted_for is None:  # otherwise the load that it was stopped for has not begun yet
                    other.evicted_for = model_id
            for other in idle:
                other.evicted_for = model_id
                yield stop(other, now, Eviction(StopReason.OUT_OF_MEMORY, now))
            return
    state.repeated_loads.discard(model_id)
    failure = state.backoff.record_failure(resident.spec, event.error, now)
    yield from _refuse_waiters_of(state, failure, now)


def _fits_grown(state: SchedulerState, failed: Resident) -> bool:
    """Whether a load that ran out of memory fits beside the pinned residents if it takes more than expected."""
    size = after_out_of_memory(failed.size, state.placement.memory_limits)
    return not state.placement.exceeds_limits(size, besides=state.pinned_sizes(failed.spec.model_id))


def record_death(state: SchedulerState, event: Died, now: float) -> Iterator[Effect]:
    """Count a crash. The launch takes its memory until ``Exited``: a driver may give it back later."""
    resident = state.residents.get(event.generation)
    if resident is None or resident.state is ResidentState.STOPPING:
        return  # it was being stopped anyway
    resident.transition_to(ResidentState.STOPPING, now)
    resident.eviction = resident.evicted_for = None  # it died, and was not stopped for a waiter
    failure = state.backoff.record_death(resident.spec, event.reason, now)
    if failure is not None:
        yield from _refuse_waiters_of(state, failure, now)


def _refuse_waiters_of(state: SchedulerState, failure: Failure, now: float) -> Iterator[Effect]:
    """Refuse every waiter of the model, and drop its pending load."""
    state.pending_loads.discard(failure.spec.model_id)
    state.clear_evictions_for(failure.spec.model_id)
    for waiter in tuple(state.waiters.values()):
        if waiter.spec.model_id == failure.spec.model_id:
            del state.waiters[waiter.ticket]
            yield Refuse(waiter.ticket, failure.error_at(now))


def finish_exit(state: SchedulerState, generation: int, now: float) -> None:
    """Drop a launch that has exited."""
    resident = _remove(state, generation, now)
    if resident is None or resident.state is not ResidentState.STOPPING or resident.has_died:
        return
    if resident.has_made_way:
        for other in state.residents.values():
            if other.state is ResidentState.LOADING and share_a_device(other, resident):
                other.was_beside_saves = True
    if resident.evicted_for is not None or not resident.has_made_way:
        state.keep_warm.record_stop(now - resident.since)
    # Otherwise the load began beside its stop, whose time says nothing about swaps.
