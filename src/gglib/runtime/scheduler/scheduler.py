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
2. Models that waiters need and no resident serves follow, in the order of their oldest waiters. With free capacity, the
   model is launched. Without it, a victim makes room. A load without waiters, or the least recently used idle resident,
   stops at once. A busy resident only drains, and only after the oldest waiter has waited for ``swap_wait_s``. Until
   then requests for the running model pass the queue (no thrashing), after that it takes none (no starvation). If
   the waiters that caused the drain leave, the resident takes requests again. An idle resident whose clients are likely
   to return soon is kept warm for a moment (``keep_warm``), but never beyond ``swap_wait_s``.
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

A model whose load failed, or whose process died too often, is refused at once for a growing time (``backoff``).
"""

from collections.abc import Iterator
from dataclasses import replace

from gglib.core.context import is_enough
from gglib.core.defaults import SWAP_WAIT_S
from gglib.core.errors import ModelNotFoundError, ModelStoppedError, QueueFullError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.backoff import Backoff, Failure
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
    LoadFailed,
    ModelRemoved,
    PinsChanged,
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
from gglib.runtime.scheduler.state import (
    PendingLoad,
    Resident,
    ResidentState,
    Waiter,
)

DEFAULT_QUEUE_LIMIT = 1_000
PENDING_LOAD_S = 60.0
"""How long a load without waiters stays pending. Clients return after ``Retry-After``, within seconds."""
UNUSED_GRACE_S = 3.0
"""How long a model that is unused since its load is safe from pending loads of other models: the client that requested
it with ``wait=0`` is about to return. Two such clients would otherwise evict each other's model for ever."""

_READY = ResidentState.READY
"""A module constant because an enum member lookup takes as long as a call (CPython 3.11)."""
_DEADLINE_STATES = {ResidentState.LOADING, ResidentState.DRAINING}
"""The states in which a resident can be stopped by its ``stop_deadline``."""


class Scheduler:
    """Decides which models are resident. ``capacity`` limits them, including those that load, drain or stop."""

    def __init__(
        self,
        *,
        capacity: int = 1,
        swap_wait_s: float = SWAP_WAIT_S,
        queue_limit: int = DEFAULT_QUEUE_LIMIT,
        keep_warm: KeepWarm | None = None,
    ) -> None:
        self._capacity = capacity
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
        self._pending_loads: dict[int, PendingLoad] = {}
        """By model id, oldest first."""

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
        return tuple(self._pending_loads.values())

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every model whose last load failed, or whose process died too often."""
        return self._backoff.failures

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Apply an event at ``now`` (seconds, monotonic) and return its effects in order."""
        match event:
            case Requested(ticket, spec, needed_ctx):
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
        """Grant a request to a ready resident and return its generation; None if ``handle`` has to decide."""
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
        if self._waiters or self._pending_loads:
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
                    self._add_pending_load(waiter, now)
            case RequestStalled(ticket):
                self._on_stalled(ticket, now)
            case StopRequested(deadline, model_id):
                return list(self._on_stop_requested(deadline, model_id, now))
            case PinsChanged(model_ids):
                self._pinned = model_ids
            case ModelRemoved(model_id):
                return list(self._on_model_removed(model_id, now))
            case _:
                return self._apply_launch_event(event, now)
        return []

    def _apply_launch_event(self, event: Event, now: float) -> list[Effect]:
        effects: list[Effect] = []
        match event:
            case BecameReady(generation, spec):
                self._on_ready(generation, spec, now)
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
        self._keep_warm.record_request(request.spec.model_id, now)
        refusal = self._backoff.refusal(request.spec, now)
        waiter = Waiter(request.ticket, request.spec, request.needed_ctx, request.launch_ctx, now)
        is_ready = any(map(waiter.can_use, self._residents.values()))
        if refusal is not None:
            yield Refuse(request.ticket, refusal)
        elif not request.waits and not is_ready:
            self._add_pending_load(waiter, now)
        elif len(self._waiters) >= self._queue_limit and not is_ready:
            yield Refuse(request.ticket, QueueFullError(len(self._waiters), self._swap_wait_s))
        else:
            self._waiters[request.ticket] = waiter

    def _add_pending_load(self, waiter: Waiter, now: float) -> None:
        """Load the model for a request that does not wait; all these requests share one load."""
        model_id = waiter.spec.model_id
        former = self._pending_loads.get(model_id)
        if former is None or former.spec != waiter.spec or now >= former.expires_at:
            needed, at_launch = waiter.needed_ctx, waiter.launch_ctx
        else:
            needed = max(former.needed_ctx, waiter.needed_ctx)
            at_launch = max(former.launch_ctx, waiter.launch_ctx)
        self._pending_loads[model_id] = PendingLoad(
            waiter.ticket,
            waiter.spec,
            needed,
            at_launch,
            # A launch decided after the first request for this version has this version, or a newer one.
            former.since if former is not None and former.spec.path == waiter.spec.path else waiter.since,
            now + PENDING_LOAD_S,
        )

    def _on_request_ended(self, ticket: int, now: float) -> None:
        waiter = self._waiters.pop(ticket, None)
        if waiter is not None and self._is_last_waiter_of_started_swap(waiter):
            self._add_pending_load(waiter, now)
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

    def _on_ready(self, generation: int, spec: ModelLaunchSpec | None, now: float) -> None:
        resident = self._residents.get(generation)
        if resident is None or resident.state is not ResidentState.LOADING:
            return  # it was stopped while the event was queued
        resident.spec = spec or resident.spec
        self._keep_warm.record_load(resident.spec.model_id, now - resident.since)
        resident.transition_to(ResidentState.READY, now)
        resident.last_used = now
        self._backoff.record_success(resident.spec.model_id)

    def _remove(self, generation: int, now: float) -> Resident | None:
        """Drop a launch whose process has exited, and renew the pending load that it was stopped for."""
        resident = self._residents.pop(generation, None)
        model_id = None if resident is None else resident.evicted_for
        if model_id is not None and (load := self._pending_loads.get(model_id)) is not None:
            expires_at = max(load.expires_at, now + PENDING_LOAD_S)
            self._pending_loads[model_id] = replace(load, expires_at=expires_at)
        return resident

    def _on_load_failed(self, event: LoadFailed, now: float) -> Iterator[Effect]:
        resident = self._remove(event.generation, now)
        if resident is not None:
            failure = self._backoff.record_failure(resident.spec, event.error, now)
            yield from self._refuse_waiters_of_failed_model(failure, now)

    def _on_died(self, event: Died, now: float) -> Iterator[Effect]:
        resident = self._remove(event.generation, now)
        if resident is None or resident.state is ResidentState.STOPPING:
            return  # it was being stopped anyway
        failure = self._backoff.record_death(resident.spec, event.reason, now)
        if failure is not None:
            yield from self._refuse_waiters_of_failed_model(failure, now)

    def _refuse_waiters_of_failed_model(self, failure: Failure, now: float) -> Iterator[Effect]:
        """Refuse every waiter of the model, and drop its pending load."""
        self._pending_loads.pop(failure.spec.model_id, None)
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
            self._pending_loads.pop(model_id, None)
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

    def _refuse_waiters_served_by(self, resident: Resident) -> Iterator[Effect]:
        for waiter in self.waiters:
            if waiter.is_served_by(resident):
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, ModelStoppedError(resident.spec.model_name))

    def _on_model_removed(self, model_id: int, now: float) -> Iterator[Effect]:
        """Refuse the waiters of a removed model and drain its launch."""
        self._backoff.forget(model_id)
        self._pending_loads.pop(model_id, None)
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
        self._cancel_unneeded_drains(now)
        effects: list[Effect] = [*self._stop_drained(now), *self._grant_ready()]
        self._drop_finished_pending_loads(now)
        next_waiters = self._next_waiters()
        pending = self._next_pending_loads()
        effects += self._make_room([*next_waiters, *pending], now)
        effects += self._stop_expired(now)
        return [*effects, *self._next_wake_up(next_waiters, pending, now)]

    def _drop_finished_pending_loads(self, now: float) -> None:
        """Drop pending loads that are served or expired, and the protection of models that no request needs."""
        for model_id, load in list(self._pending_loads.items()):
            is_expired = now >= load.expires_at and not self._has_eviction_for(model_id)
            if is_expired or any(map(load.can_use, self._residents.values())):
                del self._pending_loads[model_id]
        if self._protected:
            self._protected &= {w.spec.model_id for w in (*self._waiters.values(), *self.pending_loads)}

    def _cancel_unneeded_drains(self, now: float) -> None:
        """Let residents take requests again if the waiters that they drain for have left."""
        while (resident := self._unneeded_drain(now)) is not None:
            # One at a time: the resident just reopened may serve a waiter that was overdue for another resident.
            resident.transition_to(ResidentState.READY, now)
            resident.eviction = None
            resident.evicted_for = None

    def _unneeded_drain(self, now: float) -> Resident | None:
        overdue = [
            waiter
            for waiter in self._next_waiters()
            if self._is_overdue(waiter, now) and not any(map(waiter.can_use, self._residents.values()))
        ]
        for resident in self._residents.values():
            is_swap_drain = resident.state is ResidentState.DRAINING and not resident.is_eviction_final
            if is_swap_drain and all(waiter.is_served_by(resident) for waiter in overdue):
                return resident
        return None

    def _stop_drained(self, now: float) -> Iterator[Effect]:
        for resident in self._residents.values():
            awaits_stop = resident.state is ResidentState.DRAINING or (
                resident.state is ResidentState.LOADING and resident.stop_deadline is not None
            )
            is_past_deadline = resident.stop_deadline is not None and now >= resident.stop_deadline
            if awaits_stop and (not resident.holders or is_past_deadline):
                if not resident.is_eviction_final:
                    self._reassign_eviction(resident, now)
                yield self._stop(resident, now)

    def _reassign_eviction(self, resident: Resident, now: float) -> None:
        """Assign a drained resident to another overdue waiter if the waiter that it drained for has left."""
        eviction = resident.eviction
        if eviction is None or eviction.ticket in self._waiters:
            return
        # There is one: a drain that no overdue waiter needs was cancelled before.
        waiter = next(
            waiter
            for waiter in self._next_waiters()
            if self._is_overdue(waiter, now) and not waiter.is_served_by(resident)
        )
        reason = _replacement_reason(resident, waiter) or StopReason.OVERDUE
        resident.eviction = Eviction(reason, eviction.since, waiter.ticket)
        resident.evicted_for = waiter.spec.model_id

    def _grant_ready(self) -> Iterator[Effect]:
        for waiter in self.waiters:
            for resident in self._residents.values():
                if waiter.can_use(resident):
                    del self._waiters[waiter.ticket]
                    resident.holders.add(waiter.ticket)
                    resident.idle_ttl_s = waiter.spec.settings.idle_ttl_s
                    yield Grant(waiter.ticket, resident.generation)
                    break

    def _next_waiters(self) -> list[Waiter]:
        """Return the oldest waiter of each model that no current load will serve, oldest first."""
        next_waiters: dict[int, Waiter] = {}
        for waiter in self._waiters.values():
            if not any(
                r.state is ResidentState.LOADING and waiter.is_served_by(r) for r in self._residents.values()
            ):
                next_waiters.setdefault(waiter.spec.model_id, waiter)
        return list(next_waiters.values())

    def _next_pending_loads(self) -> list[PendingLoad]:
        """Return the pending loads of models without waiters that no current load will serve, oldest first."""
        waited_for = {waiter.spec.model_id for waiter in self._waiters.values()}
        return [
            load
            for model_id, load in self._pending_loads.items()
            if model_id not in waited_for
            and not any(
                r.state is ResidentState.LOADING and load.is_served_by(r) for r in self._residents.values()
            )
        ]

    def _make_room(self, next_waiters: list[Waiter], now: float) -> Iterator[Effect]:
        """Launch models within the capacity; beyond it, evict one resident for each model.

        A resident that is stopping already counts as the eviction for one of them.
        """
        freeing_places = sum(r.state is ResidentState.STOPPING for r in self._residents.values())
        claimed: set[int] = set()
        for waiter in next_waiters:
            existing = next(
                (r for r in self._residents.values() if r.spec.model_id == waiter.spec.model_id), None
            )
            if existing is None and len(self._residents) < self._capacity:
                yield self._launch(waiter, now)
            elif existing is not None and existing.state is not ResidentState.STOPPING:
                # Its context is too small or its version is older. It has to stop first: there are never two launches
                # of one model.
                yield from self._evict(existing, waiter, now)
            elif freeing_places:
                freeing_places -= 1
            elif (victim := self._victim(waiter, claimed, now)) is not None:
                claimed.add(victim.generation)
                yield from self._evict(victim, waiter, now)

    def _victim(self, waiter: Waiter, claimed: set[int], now: float) -> Resident | None:
        """Return the resident to evict: an abandoned load, else idle, else draining, else least recently used.

        Residents already evicted for another waiter are ``claimed``. Idle residents that are kept warm come last. A
        pending load evicts only idle residents.
        """
        is_pending = isinstance(waiter, PendingLoad)
        return min(
            (
                r
                for r in self._residents.values()
                if r.state is not ResidentState.STOPPING
                and r.generation not in claimed
                and (not is_pending or (r.is_idle and now >= _grace_until(r)))
            ),
            key=lambda r: (
                not self._is_abandoned_load(r),
                r.state is ResidentState.LOADING,
                bool(r.holders),
                r.state is not ResidentState.DRAINING,
                now < self._keep_warm.keep_until(r.spec.model_id),
                r.last_used,
            ),
            default=None,
        )

    def _evict(self, resident: Resident, waiter: Waiter, now: float) -> Iterator[Effect]:
        """Stop a resident for a waiter, drain it, or do nothing yet, depending on its state and the time."""
        is_pending = isinstance(waiter, PendingLoad)
        is_overdue = not is_pending and self._is_overdue(waiter, now)
        replacement_reason = _replacement_reason(resident, waiter)

        def eviction(reason: StopReason) -> Eviction:
            return Eviction(replacement_reason or reason, now, waiter.ticket)

        match resident.state:
            case ResidentState.LOADING if (
                not is_pending
                and self._is_abandoned_load(resident)
                and (is_overdue or not resident.is_protected)
            ):
                self._protected.add(waiter.spec.model_id)
                resident.evicted_for = waiter.spec.model_id
                yield self._stop(resident, now, eviction(StopReason.UNWANTED))
            case ResidentState.READY if not resident.holders:
                if (
                    replacement_reason is not None
                    or is_overdue
                    or now >= self._keep_warm.keep_until(resident.spec.model_id)
                ):
                    resident.evicted_for = waiter.spec.model_id
                    yield self._stop(resident, now, eviction(StopReason.IDLE))
            case ResidentState.READY if is_overdue:
                resident.transition_to(ResidentState.DRAINING, now)
                resident.evicted_for = waiter.spec.model_id
                resident.eviction = eviction(StopReason.OVERDUE)

    def _is_overdue(self, waiter: Waiter, now: float) -> bool:
        return now >= waiter.since + self._swap_wait_s

    def _is_abandoned_load(self, resident: Resident) -> bool:
        return resident.state is ResidentState.LOADING and not any(
            waiter.is_served_by(resident) for waiter in self._waiters.values()
        )

    def _launch(self, waiter: Waiter, now: float) -> Launch:
        """Launch for all waiters of this model, with the newest settings and the largest context needed."""
        model_id = waiter.spec.model_id
        served = [w for w in self._waiters.values() if w.spec.model_id == model_id]
        if (pending := self._pending_loads.get(model_id)) is not None:
            served = sorted((pending, *served), key=lambda w: w.ticket)
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
        )
        self._protected.discard(model_id)
        self._clear_evictions_for(model_id)
        self._residents[resident.generation] = resident
        return Launch(resident.generation, spec, context, waiter.ticket)

    def _stop_expired(self, now: float) -> Iterator[Effect]:
        for resident in self._residents.values():
            expires_at = _expires_at(resident)
            if expires_at is not None and now >= expires_at:
                yield self._stop(resident, now, Eviction(StopReason.EXPIRED, now))

    def _stop(self, resident: Resident, now: float, eviction: Eviction | None = None) -> Stop:
        resident.transition_to(ResidentState.STOPPING, now)
        resident.eviction = eviction or resident.eviction
        return Stop(resident.generation, resident.eviction)

    def _next_wake_up(
        self, next_waiters: list[Waiter], pending: list[PendingLoad], now: float
    ) -> Iterator[Effect]:
        residents = self._residents.values()
        times = [
            r.stop_deadline for r in residents if r.stop_deadline is not None and r.state in _DEADLINE_STATES
        ]
        times += [waiter.since + self._swap_wait_s for waiter in next_waiters]
        if next_waiters or pending:
            times += [self._keep_warm.keep_until(r.spec.model_id) for r in residents if r.is_idle]
        if pending:
            times += [_grace_until(r) for r in residents if r.is_idle]
        times += [expires_at for r in residents if (expires_at := _expires_at(r)) is not None]
        if later := [time for time in times if time > now]:
            yield WakeAt(min(later))


def _replacement_reason(resident: Resident, waiter: Waiter) -> StopReason | None:
    """Return why a launch of the waiter's own model has to be replaced; None for a launch of another model."""
    if resident.spec.model_id != waiter.spec.model_id:
        return None
    return StopReason.TOO_SMALL if resident.has_version_of(waiter.spec) else StopReason.UPDATED


def _grace_until(resident: Resident) -> float:
    """Return until when an idle resident is safe from pending loads of other models."""
    return resident.since + UNUSED_GRACE_S if resident.is_unused else float("-inf")


def _expires_at(resident: Resident) -> float | None:
    """Return when an idle resident's time-to-live expires; None while it is in use or has none."""
    if not resident.is_idle or resident.idle_ttl_s is None:
        return None
    return resident.last_used + resident.idle_ttl_s
