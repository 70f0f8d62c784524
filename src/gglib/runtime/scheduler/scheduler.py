"""The scheduler: which model is loaded, drained or evicted, and which request is granted. A pure state machine.

Events in, effects out. It has no clock, no process and no socket.

Theory of operation
-------------------
A *request* is identified by its ticket. It waits, holds a resident (is in flight on it), or has ended.
A *resident* is one launch of one model, identified by its generation. A generation is never reused: events of an older
generation are ignored. A resident moves through the states of the table in ``state`` and is dropped when its process
has exited. Only a READY resident takes new requests.

Every event, except on the fast path (``try_grant``, ``try_release``), ends in ``_reconcile``, which checks the whole
state and returns the effects that are due:

1. All waiters whose model is READY with enough context are granted together.
2. Models that waiters need and no resident serves follow, in the order of their oldest waiters (``planning``). If a
   model fits beside the residents (``placement``), it is launched. Otherwise a set of residents makes room, as small as
   possible. A load without waiters, or the idle residents that are cheapest to lose, stop at once. A busy resident
   only drains, and only after the oldest waiter has waited for ``swap_wait_s``. Until then requests for the running
   model pass the queue (no thrashing), after that it takes none (no starvation). If the waiters that caused the drain
   leave, or other residents make room, the resident takes requests again. An idle resident whose clients are likely to
   return soon is kept warm for a moment (``keep_warm``), but never beyond ``swap_wait_s``. A pinned resident is never
   evicted for another model. A model that can never fit is refused at once, and no resident is evicted for it.
3. Pending loads come after all waiters. A pending load has not started, and no request waits for it (see below). It
   uses free capacity or evicts an idle resident, never a resident that is in use or loading, and it expires.
4. A resident without requests for its idle time-to-live is stopped.

A resident stops only when no request holds it; the deadline of ``StopRequested`` is the exception. A resident takes no
new requests, and stops after its last one, if its engine stalled, its model was removed, its file was overwritten or
its model has a newer version. A request for a newer version is treated like one for a larger context: the launch of the
older version has to stop first.

A swap that has started is finished: if the last waiter leaves after a resident was stopped for its model, the load
stays pending. A request whose wait timed out (``WaitTimedOut``) or that does not wait (``Requested.waits``) leaves a
pending load, one for each model, renewed by the next such request. It ends when the model is ready, fails or is
removed, when the user stops all models, or when it expires.

An *abandoned load* is a resident that is still loading although no request waits for it any more. It may be evicted,
but a load that replaced an abandoned load is protected from this until a waiter is overdue. Otherwise clients with a
timeout shorter than the loads would cancel each other's loads for ever.

A model whose load failed, or whose process died too often, is refused at once for a growing time (``backoff``). A load
that ran out of memory is repeated once, after the idle residents have stopped.

*Priorities*: interactive requests come before batch requests, until these have waited for ``swap_wait_s``. A resident
processes a limited number of batch requests at a time, so that interactive ones find a free slot; a resident that only
batch requests use drains for an interactive request at once.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from gglib.core.context import is_enough
from gglib.core.defaults import SWAP_WAIT_S
from gglib.core.errors import (
    ModelNotFoundError,
    ModelOutOfMemoryError,
    ModelsPinnedError,
    ModelStoppedError,
    ModelTooLargeError,
    QueueFullError,
)
from gglib.core.memory import DeviceBytes, after_out_of_memory
from gglib.core.models import ModelLaunchSpec
from gglib.core.priority import Priority
from gglib.runtime.scheduler.backoff import Backoff, Failure
from gglib.runtime.scheduler.batch_limits import BatchLimits
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
    LimitsChanged,
    LoadFailed,
    Measured,
    ModelRemoved,
    PinsChanged,
    Reconfigured,
    Refuse,
    Requested,
    RequestEnded,
    RequestStalled,
    Stop,
    StopReason,
    StopRequested,
    Superseded,
    WaitTimedOut,
    WakeAt,
)
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.pending_loads import PendingLoads
from gglib.runtime.scheduler.placement import Candidate, Placement, largest
from gglib.runtime.scheduler.planning import (
    MEMORY_WAIT_S,
    Plan,
    PlannedEviction,
    Planner,
    grace_until,
    waiting_order,
)
from gglib.runtime.scheduler.repeated_loads import RepeatedLoads, idle_beside
from gglib.runtime.scheduler.state import (
    PendingLoad,
    Resident,
    ResidentState,
    Waiter,
)

DEFAULT_QUEUE_LIMIT = 1_000
_READY = ResidentState.READY
"""A module constant because an enum member lookup takes as long as a call (CPython 3.11)."""
_DEADLINE_STATES = {ResidentState.LOADING, ResidentState.DRAINING}
"""The states in which a resident can be stopped by its ``stop_deadline``."""
_SERVING_STATES = {ResidentState.LOADING, ResidentState.READY}
"""The states in which a resident serves its waiters, now or once it is ready."""
_AnyWaiter = TypeVar("_AnyWaiter", bound=Waiter)


class Scheduler:
    """Decides which models are resident.

    ``capacity`` limits their number and ``budget`` their memory by device (None: no limit), including those that load,
    drain or stop.
    """

    planner_type: type[Planner] = Planner
    """``bench/policies`` compares other rules for evictions."""

    def __init__(
        self,
        *,
        capacity: int = 1,
        budget: DeviceBytes | None = None,
        swap_wait_s: float = SWAP_WAIT_S,
        queue_limit: int = DEFAULT_QUEUE_LIMIT,
        keep_warm: KeepWarm | None = None,
    ) -> None:
        self._placement = Placement(capacity=capacity, budget=budget)
        self._swap_wait_s = swap_wait_s
        self._queue_limit = queue_limit
        self._last_generation = 0
        self._residents: dict[int, Resident] = {}
        self._waiters: dict[int, Waiter] = {}
        self._backoff = Backoff()
        self._keep_warm = KeepWarm() if keep_warm is None else keep_warm
        self._protected: set[int] = set()
        """Models whose next load replaces an abandoned load, and is therefore protected."""
        self._pinned: frozenset[int] = frozenset()
        """Models that are not evicted for other models."""
        self._pending_loads = PendingLoads()
        self._batch_limits = BatchLimits()
        self._repeated_loads = RepeatedLoads()
        self._has_excess = False
        """Whether the residents exceed a reduced budget."""

    @property
    def placement(self) -> Placement:
        """The limits of memory and of the number of residents."""
        return self._placement

    @property
    def pinned(self) -> frozenset[int]:
        """The ids of the pinned models."""
        return self._pinned

    @property
    def residents(self) -> tuple[Resident, ...]:
        """Every launch whose process has not exited, oldest first."""
        return tuple(self._residents.values())

    @property
    def waiters(self) -> tuple[Waiter, ...]:
        """Every waiting request, oldest first."""
        return tuple(self._waiters.values())

    @property
    def pending_loads(self) -> tuple[PendingLoad, ...]:
        """Every load without waiters that has not started, oldest first."""
        return self._pending_loads.all

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every model whose last load failed, or whose process died too often."""
        return self._backoff.failures

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Apply an event at ``now`` (seconds, monotonic) and return its effects in order."""
        match event:
            case Requested(ticket, spec, needed_ctx) if event.priority is Priority.INTERACTIVE:
                generation = self.try_grant(ticket, spec, needed_ctx, now)
                # CPython 3.11.2 traces the jump from here to another line.
                if generation is not None:  # pragma: no branch
                    return [Grant(ticket, generation)]
            case RequestEnded(ticket) if self.try_release(ticket, now):
                return []
        return [*self._apply(event, now), *self._reconcile(now)]

    # --- the fast path: nearly every event ---
    #
    # A request for a ready model, and its end, while no request waits. Nothing that ``_reconcile`` depends on changes,
    # so it is skipped: it takes as long as the rest of a short request. There are no effects either, so the caller may
    # call these methods first, and ``handle`` only if they return None or False.

    def try_grant(self, ticket: int, spec: ModelLaunchSpec, needed_ctx: int, now: float) -> int | None:
        """Grant an interactive request to a ready resident; return its generation, None if ``handle`` has to decide."""
        if self._waiters:
            return None
        model_id = spec.model_id
        for resident in self._residents.values():
            if (
                resident.spec.model_id == model_id
                and resident.state is _READY
                and is_enough(running=resident.context, needed=needed_ctx)
                and (resident.matched_spec is spec or resident.has_version_of(spec))
                and self._backoff.refusal(spec, now) is None
            ):
                self._keep_warm.record_request(model_id, now)
                resident.holders.add(ticket)
                resident.idle_ttl_s = spec.settings.idle_ttl_s
                return resident.generation
        return None

    def try_release(self, ticket: int, now: float) -> bool:
        """End a request in flight if nothing waits for its end; False if ``handle`` has to."""
        if self._waiters or self._pending_loads or self._has_excess:
            return False
        for resident in self._residents.values():
            if ticket in resident.holders:
                if resident.state is not _READY or resident.idle_ttl_s is not None:
                    return False
                self._release(resident, ticket, now)
                break
        return True

    # --- what each event changes ---

    def _apply(self, event: Event, now: float) -> list[Effect]:
        match event:
            case Requested():
                return list(self._enqueue(event, now))
            case RequestEnded(ticket):
                self._on_request_ended(ticket, now)
            case WaitTimedOut(ticket):
                if (waiter := self._waiters.pop(ticket, None)) is not None:
                    self._pending_loads.add(waiter, now)
            case RequestStalled(ticket):
                self._on_stalled(ticket, now)
            case StopRequested(deadline, model_id):
                return list(self._on_stop_requested(deadline, model_id, now))
            case PinsChanged() | LimitsChanged() | Reconfigured():
                self._on_limits_changed(event)
            case ModelRemoved(model_id):
                return list(self._on_model_removed(model_id, now))
            case _:
                return self._apply_launch_event(event, now)
        return []

    def _apply_launch_event(self, event: Event, now: float) -> list[Effect]:
        effects: list[Effect] = []
        match event:
            case BecameReady():
                self._on_ready(event, now)
            case Measured(generation) if (resident := self._residents.get(generation)) is not None:
                self._on_measured(resident, event)
            case LoadFailed(generation):
                effects += self._on_load_failed(event, now)
            case Died(generation):
                effects += self._on_died(event, now)
            case Exited(generation):
                self._on_exited(generation, now)
            case FileChanged(generation):
                effects += self._drain(self._residents.get(generation), StopReason.CHANGED, now)
            case Superseded(generation):
                effects += self._drain(self._residents.get(generation), StopReason.UPDATED, now)
            case _:  # Tick: only time has passed
                pass
        return effects

    def _enqueue(self, request: Requested, now: float) -> Iterator[Effect]:
        model_id = request.spec.model_id
        self._keep_warm.record_request(model_id, now)
        if request.priority is Priority.INTERACTIVE:
            self._batch_limits.record_interactive(model_id, now)
        refusal = self._backoff.refusal(request.spec, now)
        waiter = _waiter_of(request, now)
        is_ready = any(self._can_grant(waiter, resident, now) for resident in self._residents.values())
        if refusal is not None:
            yield Refuse(request.ticket, refusal)
        elif not request.waits and not is_ready:
            self._pending_loads.add(waiter, now)
        elif len(self._waiters) >= self._queue_limit and not is_ready:
            yield Refuse(request.ticket, QueueFullError(len(self._waiters), self._swap_wait_s))
        else:
            self._waiters[request.ticket] = waiter

    def _on_request_ended(self, ticket: int, now: float) -> None:
        waiter = self._waiters.pop(ticket, None)
        if waiter is not None and self._is_last_waiter_of_started_swap(waiter):
            self._pending_loads.add(waiter, now)
        for resident in self._residents.values():
            if ticket in resident.holders:
                self._release(resident, ticket, now)

    def _is_last_waiter_of_started_swap(self, waiter: Waiter) -> bool:
        """Whether a resident was stopped for this waiter's model, and no other waiter needs that model."""
        model_id = waiter.spec.model_id
        return self._has_eviction_for(model_id) and not any(
            other.spec.model_id == model_id for other in self._waiters.values()
        )

    def _has_eviction_for(self, model_id: int) -> bool:
        return any(
            r.state is ResidentState.STOPPING and r.evicted_for == model_id for r in self._residents.values()
        )

    def _clear_evictions_for(self, model_id: int) -> None:
        """Unmark the evictions for a model whose swap is complete (launched) or cancelled (failed, removed)."""
        for resident in self._residents.values():
            if resident.evicted_for == model_id:
                resident.evicted_for = None

    def _release(self, resident: Resident, ticket: int, now: float) -> None:
        resident.holders.remove(ticket)
        if resident.batch_holders:
            resident.batch_holders.discard(ticket)
        resident.last_used = now
        if not resident.holders:
            self._keep_warm.record_idle(resident.spec.model_id, now)

    def _on_stalled(self, ticket: int, now: float) -> None:
        for resident in self._residents.values():
            if ticket in resident.holders and resident.state in {ResidentState.READY, ResidentState.DRAINING}:
                if resident.state is ResidentState.READY:
                    resident.transition_to(ResidentState.DRAINING, now)
                resident.eviction = Eviction(StopReason.SILENT, now)
                resident.evicted_for = None  # it stops because it stalled, not for a waiter

    def _on_ready(self, event: BecameReady, now: float) -> None:
        resident = self._residents.get(event.generation)
        if resident is None or resident.state is not ResidentState.LOADING:
            return  # it was stopped while the event was queued
        resident.spec = event.spec or resident.spec
        resident.slots = event.slots
        self._repeated_loads.discard(resident.spec.model_id)
        self._keep_warm.record_load(resident.spec.model_id, now - resident.since)
        resident.transition_to(ResidentState.READY, now)
        resident.last_used = now
        self._backoff.record_success(resident.spec.model_id)

    def _on_measured(self, resident: Resident, event: Measured) -> None:
        if event.size is not None:
            # A launch that runs alone beyond the budget is not refused the next time.
            budget = self._placement.memory_budget
            resident.size = {
                device: min(taken, budget.get(device, taken)) for device, taken in event.size.items()
            }
            resident.is_measured = True
            self._has_excess = True
        if event.prompt_s is not None:
            resident.prompt_s = event.prompt_s

    def _remove(self, generation: int, now: float) -> Resident | None:
        """Drop a launch whose process has exited, and renew the pending load that it was stopped for."""
        resident = self._residents.pop(generation, None)
        if resident is not None and resident.evicted_for is not None:
            self._pending_loads.renew(resident.evicted_for, now)
        return resident

    def _on_load_failed(self, event: LoadFailed, now: float) -> Iterator[Effect]:
        resident = self._remove(event.generation, now)
        if resident is None:
            return
        model_id = resident.spec.model_id
        is_wanted = resident.state is ResidentState.LOADING and model_id in self._launch_sizes()
        if is_wanted and isinstance(event.error, ModelOutOfMemoryError):
            idle = idle_beside(resident, self._residents.values(), self._pinned)
            if idle and model_id not in self._repeated_loads and self._fits_grown(resident):
                self._repeated_loads.add(resident, self._placement.memory_limits)
                for other in idle:
                    other.evicted_for = model_id
                    yield self._stop(other, now, Eviction(StopReason.OUT_OF_MEMORY, now))
                return
        self._repeated_loads.discard(model_id)
        failure = self._backoff.record_failure(resident.spec, event.error, now)
        yield from self._refuse_waiters_of_failed_model(failure, now)

    def _fits_grown(self, failed: Resident) -> bool:
        """Whether a load that ran out of memory fits beside the pinned residents if it takes more than expected."""
        pinned = [r.size for r in self._residents.values() if r.spec.model_id in self._pinned]
        size = after_out_of_memory(failed.size, self._placement.memory_limits)
        return not self._placement.exceeds_limits(size, besides=pinned)

    def _on_died(self, event: Died, now: float) -> Iterator[Effect]:
        resident = self._remove(event.generation, now)
        if resident is None or resident.state is ResidentState.STOPPING:
            return  # it was being stopped anyway
        failure = self._backoff.record_death(resident.spec, event.reason, now)
        if failure is not None:
            yield from self._refuse_waiters_of_failed_model(failure, now)

    def _refuse_waiters_of_failed_model(self, failure: Failure, now: float) -> Iterator[Effect]:
        """Refuse every waiter of the model, and drop its pending load."""
        self._pending_loads.discard(failure.spec.model_id)
        self._clear_evictions_for(failure.spec.model_id)
        for waiter in self.waiters:
            if waiter.spec.model_id == failure.spec.model_id:
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, failure.error_at(now))

    def _on_exited(self, generation: int, now: float) -> None:
        resident = self._remove(generation, now)
        if resident is not None and resident.state is ResidentState.STOPPING:
            self._keep_warm.record_stop(now - resident.since)

    def _on_stop_requested(self, deadline: float, model_id: int | None, now: float) -> Iterator[Effect]:
        """Stop one model, or all if ``model_id`` is None."""
        if model_id is None:
            self._backoff.clear()
            self._pending_loads.clear()
        else:
            self._backoff.forget(model_id)
            self._pending_loads.discard(model_id)
            self._clear_evictions_for(model_id)
        for resident in self._residents.values():
            if model_id not in {None, resident.spec.model_id}:
                continue
            resident.evicted_for = None
            former = resident.stop_deadline
            resident.stop_deadline = deadline if former is None else min(former, deadline)
            if resident.state is not ResidentState.STOPPING:
                resident.eviction = Eviction(StopReason.ASKED, now)
            if resident.state is ResidentState.READY:
                resident.transition_to(ResidentState.DRAINING, now)
            elif resident.state is ResidentState.LOADING:
                yield from self._refuse_waiters_served_by(resident)

    def _on_limits_changed(self, event: PinsChanged | LimitsChanged | Reconfigured) -> None:
        match event:
            case PinsChanged(model_ids):
                self._pinned = model_ids
            case LimitsChanged(limits):
                self._placement.set_limits(limits)
            case _:
                self._placement.set_budget(capacity=event.capacity, budget=event.budget)
                self._swap_wait_s = event.swap_wait_s
                self._queue_limit = event.queue_limit
                self._has_excess = True

    def _refuse_waiters_served_by(self, resident: Resident) -> Iterator[Effect]:
        for waiter in self.waiters:
            if waiter.is_served_by(resident):
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, ModelStoppedError(resident.spec.model_name))

    def _on_model_removed(self, model_id: int, now: float) -> Iterator[Effect]:
        """Refuse the waiters of a removed model and drain its launch."""
        self._backoff.forget(model_id)
        self._pending_loads.discard(model_id)
        self._clear_evictions_for(model_id)
        for waiter in self.waiters:
            if waiter.spec.model_id == model_id:
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, ModelNotFoundError(waiter.spec.model_name))
        for resident in self._residents.values():
            if resident.spec.model_id == model_id:
                yield from self._drain(resident, StopReason.REMOVED, now)

    def _drain(self, resident: Resident | None, reason: StopReason, now: float) -> Iterator[Effect]:
        """Take no new requests for a launch; ``_reconcile`` stops it once no request holds it."""
        if resident is None or resident.is_terminating:
            return
        if resident.state is ResidentState.LOADING:
            if reason is StopReason.REMOVED:
                yield self._stop(resident, now, Eviction(reason, now))
            return
        if resident.state is ResidentState.READY:
            resident.transition_to(ResidentState.DRAINING, now)
        resident.eviction = Eviction(reason, now)
        resident.evicted_for = None

    # --- what the whole state requires ---

    def _reconcile(self, now: float) -> list[Effect]:
        effects: list[Effect] = [*self._stop_drained(now), *self._grant_ready(now)]
        self._drop_finished_pending_loads(now)
        effects += self._refuse_unplaceable(now)
        plan, planner = self._plan(now)
        effects += self._execute(plan, planner)
        if self._reopen_unneeded_drains(plan, now):
            effects += self._grant_ready(now)
        effects += self._stop_excess(planner)
        effects += self._stop_expired(now)
        return [*effects, *self._next_wake_up(now)]

    def _drop_finished_pending_loads(self, now: float) -> None:
        """Drop pending loads that are served or expired, and the protection of models that no request needs."""

        def is_finished(load: PendingLoad) -> bool:
            is_expired = now >= load.expires_at and not self._has_eviction_for(load.spec.model_id)
            return is_expired or any(map(load.can_use, self._residents.values()))

        self._pending_loads.drop(is_finished)
        requested = {w.spec.model_id for w in (*self._waiters.values(), *self.pending_loads)}
        self._protected &= requested
        self._repeated_loads.keep(requested)

    def _refuse_unplaceable(self, now: float) -> Iterator[Effect]:
        """Refuse requests whose launch never fits, or that have waited too long for memory of other programs.

        A pending load that never fits is dropped.
        """
        if not self._placement.limits_memory and not self._pinned:
            return
        planner = self._planner(now)
        for waiter in self._unserved(self.waiters):
            if (error := planner.refusal(waiter)) is not None:
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, error)
        for load in self._unserved(self.pending_loads):
            if isinstance(planner.refusal(load), ModelTooLargeError | ModelsPinnedError):
                self._pending_loads.discard(load.spec.model_id)

    def _plan(self, now: float) -> tuple[Plan, Planner]:
        planner = self._planner(now)
        return planner.plan([*self._next_waiters(now), *self._next_pending_loads()]), planner

    def _planner(self, now: float) -> Planner:
        return self.planner_type(
            residents=self.residents,
            waiters=self.waiters,
            sizes=self._launch_sizes(),
            placement=self._placement,
            keep_warm=self._keep_warm,
            pinned=self._pinned,
            repeated_loads=self._repeated_loads,
            swap_wait_s=self._swap_wait_s,
            now=now,
        )

    def _launch_sizes(self) -> dict[int, DeviceBytes]:
        """Return the memory of the next launch of each requested model: enough for all its waiters."""
        sizes: dict[int, DeviceBytes] = {}
        for waiter in self._placeable((*self._waiters.values(), *self.pending_loads)):
            model_id = waiter.spec.model_id
            known = sizes.get(model_id, self._repeated_loads.size_of(model_id))
            sizes[model_id] = largest((known, waiter.size))
        return sizes

    def _execute(self, plan: Plan, planner: Planner) -> Iterator[Effect]:
        for waiter in plan.launches:
            yield self._launch(waiter, planner)
        for eviction in plan.evictions:
            yield from self._evict(eviction, planner)

    def _evict(self, planned: PlannedEviction, planner: Planner) -> Iterator[Effect]:
        """Stop a resident for a waiter, or drain it if it is busy."""
        resident, waiter, now = planned.resident, planned.waiter, planner.now
        match resident.state:
            case ResidentState.LOADING:
                self._protected.add(waiter.spec.model_id)
                yield self._evict_now(planned, planner)
            case ResidentState.READY if not resident.holders:
                yield self._evict_now(planned, planner)
            case ResidentState.READY:
                resident.transition_to(ResidentState.DRAINING, now)
                resident.evicted_for = waiter.spec.model_id
                resident.eviction = Eviction(planned.reason, now, waiter.ticket)
            case ResidentState.DRAINING if not resident.is_eviction_final:
                self._reassign_eviction(planned)

    def _evict_now(self, planned: PlannedEviction, planner: Planner) -> Stop:
        resident, waiter = planned.resident, planned.waiter
        resident.evicted_for = waiter.spec.model_id
        return self._stop(resident, planner.now, Eviction(planned.reason, planner.now, waiter.ticket))

    def _reassign_eviction(self, planned: PlannedEviction) -> None:
        """Assign a drain to another waiter if the waiter that it began for has left, or does not need it any more."""
        resident, waiter = planned.resident, planned.waiter
        eviction = resident.eviction
        if eviction is not None and (
            eviction.ticket not in self._waiters or resident.evicted_for != waiter.spec.model_id
        ):
            resident.eviction = Eviction(planned.reason, eviction.since, waiter.ticket)
            resident.evicted_for = waiter.spec.model_id

    def _reopen_unneeded_drains(self, plan: Plan, now: float) -> bool:
        """Let residents take requests again if no waiter needs their drain any more; return whether there are any."""
        evicted = plan.evicted
        reopened = [
            r
            for r in self._residents.values()
            if r.state is ResidentState.DRAINING and not r.is_eviction_final and r.generation not in evicted
        ]
        for resident in reopened:
            resident.transition_to(ResidentState.READY, now)
            resident.eviction = None
            resident.evicted_for = None
        return bool(reopened)

    def _stop_drained(self, now: float) -> Iterator[Effect]:
        for resident in self._residents.values():
            awaits_stop = resident.state is ResidentState.DRAINING or (
                resident.state is ResidentState.LOADING and resident.stop_deadline is not None
            )
            is_past_deadline = resident.stop_deadline is not None and now >= resident.stop_deadline
            if awaits_stop and (not resident.holders or is_past_deadline):
                yield self._stop(resident, now)

    def _grant_ready(self, now: float) -> Iterator[Effect]:
        for waiter in waiting_order(self.waiters, now, self._swap_wait_s):
            for resident in self._residents.values():
                if self._can_grant(waiter, resident, now):
                    del self._waiters[waiter.ticket]
                    resident.holders.add(waiter.ticket)
                    if waiter.priority is Priority.BATCH:
                        resident.batch_holders.add(waiter.ticket)
                    resident.idle_ttl_s = waiter.spec.settings.idle_ttl_s
                    yield Grant(waiter.ticket, resident.generation)
                    break

    def _can_grant(self, waiter: Waiter, resident: Resident, now: float) -> bool:
        if not waiter.can_use(resident):
            return False
        return waiter.priority is Priority.INTERACTIVE or self._batch_limits.has_room(resident, now)

    def _unserved(self, waiters: Iterable[_AnyWaiter]) -> list[_AnyWaiter]:
        """Return the waiters that no ready or loading resident will serve."""
        return [
            waiter
            for waiter in waiters
            if not any(
                r.state in _SERVING_STATES and waiter.is_served_by(r) for r in self._residents.values()
            )
        ]

    def _next_waiters(self, now: float) -> list[Waiter]:
        """Return the first waiter of each model that no current launch will serve, in the order of service."""
        next_waiters: dict[int, Waiter] = {}
        placeable = self._placeable(self._unserved(self.waiters))
        for waiter in waiting_order(placeable, now, self._swap_wait_s):
            next_waiters.setdefault(waiter.spec.model_id, waiter)
        return list(next_waiters.values())

    def _next_pending_loads(self) -> list[PendingLoad]:
        """Return the pending loads of models without waiters that no current launch will serve, oldest first."""
        waited_for = {waiter.spec.model_id for waiter in self._waiters.values()}
        placeable = self._placeable(self._unserved(self.pending_loads))
        return [load for load in placeable if load.spec.model_id not in waited_for]

    def _placeable(self, waiters: Iterable[_AnyWaiter]) -> list[_AnyWaiter]:
        """Return the waiters whose launch fits into what other programs and the pinned residents leave.

        The others wait for memory. Otherwise one request for a large context would hold up its model for all requests.
        """
        if not self._placement.limits_memory:
            return list(waiters)
        pinned = [
            (r.spec.model_id, r.size)
            for r in self._residents.values()
            if r.spec.model_id in self._pinned and not r.is_terminating
        ]
        return [
            waiter
            for waiter in waiters
            if not self._placement.exceeds_limits(
                waiter.size, besides=[size for model_id, size in pinned if model_id != waiter.spec.model_id]
            )
        ]

    def _launch(self, waiter: Waiter, planner: Planner) -> Launch:
        """Launch for all waiters of this model, with the newest settings and the largest context needed."""
        model_id, now = waiter.spec.model_id, planner.now
        requests = (w for w in (*self.pending_loads, *self._waiters.values()) if w.spec.model_id == model_id)
        served = sorted(self._placeable(requests), key=lambda w: w.ticket)
        spec, context = served[-1].spec, max(w.launch_ctx for w in served)
        self._last_generation += 1
        resident = Resident(
            generation=self._last_generation,
            spec=spec,
            context=context,
            state=ResidentState.LOADING,
            since=now,
            last_used=now,
            launched_at=now,
            idle_ttl_s=spec.settings.idle_ttl_s,
            is_protected=model_id in self._protected,
            size=planner.sizes[model_id],
        )
        self._protected.discard(model_id)
        self._clear_evictions_for(model_id)
        self._residents[resident.generation] = resident
        return Launch(resident.generation, spec, context, waiter.ticket)

    def _stop_excess(self, planner: Planner) -> Iterator[Effect]:
        """Stop idle residents while all together exceed the budget, the least valuable first."""
        if not self._has_excess:
            return
        staying = [r for r in self._residents.values() if not r.is_terminating]
        excess = self._placement.excess([r.size for r in staying])
        idle = {r.generation: r for r in staying if r.is_idle and r.spec.model_id not in self._pinned}
        candidates = [
            Candidate(r.generation, footprint, 0, planner.value(r))
            for r in idle.values()
            if any((footprint := self._placement.footprint(r.size)).get(device) for device in excess)
        ]
        victims = planner.choose(candidates, excess)
        self._has_excess = victims is None
        for victim in candidates if victims is None else victims:
            yield self._stop(idle[victim.generation], planner.now, Eviction(StopReason.EXCESS, planner.now))

    def _stop_expired(self, now: float) -> Iterator[Effect]:
        for resident in self._residents.values():
            expires_at = self._expires_at(resident)
            if expires_at is not None and now >= expires_at:
                yield self._stop(resident, now, Eviction(StopReason.EXPIRED, now))

    def _stop(self, resident: Resident, now: float, eviction: Eviction | None = None) -> Stop:
        resident.transition_to(ResidentState.STOPPING, now)
        resident.eviction = eviction or resident.eviction
        return Stop(resident.generation, resident.eviction)

    def _next_wake_up(self, now: float) -> Iterator[Effect]:
        residents = self._residents.values()
        next_waiters, pending = self._next_waiters(now), self._next_pending_loads()
        times = [
            r.stop_deadline for r in residents if r.stop_deadline is not None and r.state in _DEADLINE_STATES
        ]
        times += [waiter.since + self._swap_wait_s for waiter in next_waiters]
        if self._placement.limits_memory:
            times += [waiter.since + MEMORY_WAIT_S for waiter in self._unserved(self.waiters)]
        times += [
            self._batch_limits.shared_until(waiter.spec.model_id)
            for waiter in self._waiters.values()
            if waiter.priority is Priority.BATCH
        ]
        if next_waiters or pending:
            times += [self._keep_warm.keep_until(r.spec.model_id) for r in residents if r.is_idle]
        if pending:
            times += [grace_until(r) for r in residents if r.is_idle]
        times += [expires_at for r in residents if (expires_at := self._expires_at(r)) is not None]
        if later := [time for time in times if time > now]:
            yield WakeAt(min(later))

    def _expires_at(self, resident: Resident) -> float | None:
        """Return when an idle resident's time-to-live expires; None while it is in use or pinned, or without one."""
        if not resident.is_idle or resident.idle_ttl_s is None or resident.spec.model_id in self._pinned:
            return None
        return resident.last_used + resident.idle_ttl_s


def _waiter_of(request: Requested, now: float) -> Waiter:
    return Waiter(
        request.ticket,
        request.spec,
        request.needed_ctx,
        request.launch_ctx,
        now,
        request.priority,
        request.size,
    )
