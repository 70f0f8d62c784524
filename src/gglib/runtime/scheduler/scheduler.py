"""Who runs next: a pure state machine. Events in, effects out; it knows no clock, no process and no socket.

Theory of operation
-------------------
A *request* is known by its ticket and is in one of three places: it waits, it holds a resident, or it is gone.
A *resident* is one launch of one model, known by its generation, which is never used twice: what is told of an
older generation is ignored. It moves as the table in ``state`` says and is forgotten when its process is gone.
Only a READY resident takes new requests.

Every event ends in ``_settle``, which looks at the whole and returns what must be done now:

1. Waiters whose model is READY with enough context are granted, all together.
2. The models that waiters want and no resident serves come next, in the order of their oldest waiters. Where there is
   room, the model is launched. Where there is none, a victim makes room: a load that nobody waits for any more, or an
   idle resident (the least recently used), at once; a busy one only drains, and not before that oldest waiter has
   waited for ``max_wait_s``. Until then requests for the running model pass the queue (no thrash); after it the running
   model takes no new ones (no starvation). When whoever it drains for has left, it takes requests again.
   An idle one whose clients are likely to be back in a moment is kept for that moment (``linger``), never beyond
   ``max_wait_s`` either.
3. Pending loads come after all waiters: a free place, or an idle resident, is used for the load of a model that a
   request asked for without waiting for it. A pending load evicts nothing that is in use or loading, and expires.
4. A resident that no request asked for during its idle time-to-live goes.

A resident is stopped only when no request holds it, except by ``StopAsked`` past its deadline. One that fell silent,
whose model was removed, whose file was overwritten, or whose model has a newer version takes no new requests, and goes
when the last one has left it. A request for a newer version is as one for a larger context: the launch of the older one
has to go first.

A swap that has begun is finished: when the last waiter leaves after a resident was stopped for its model, the load
stays pending. A request whose wait has ended (``WaitEnded``), or that never waits (``Requested.waits``), leaves a
pending load: one for each model, which the next such request renews. It is over when the model is ready, fails, is
removed, when the user stops everything, or when it expires.

A load that gives way because its clients lost patience is followed by one that does not: with loads longer than the
clients' patience, each would otherwise end the other's, for ever.

A model whose load failed, or whose process died too often, is refused at once for a time that grows (``back_off``).
"""

from collections.abc import Iterator
from dataclasses import replace

from gglib.core.context import is_enough
from gglib.core.errors import ModelNotFoundError, ModelStoppedError, QueueFullError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.backoff import BackOff, Failure
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Exited,
    Forgotten,
    Grant,
    Launch,
    Leaving,
    Left,
    LoadFailed,
    Refuse,
    Requested,
    Spoiled,
    Stop,
    StopAsked,
    StopReason,
    Superseded,
    Suspected,
    WaitEnded,
    WakeAt,
)
from gglib.runtime.scheduler.keep_warm import Linger
from gglib.runtime.scheduler.state import (
    PendingLoad,
    Resident,
    ResidentState,
    Waiter,
)

DEFAULT_MAX_WAIT_S = 15.0
DEFAULT_QUEUE_LIMIT = 1_000
PENDING_LOAD_S = 60.0
"""How long a load that no request waits for stays pending. Clients come back after ``Retry-After``, within seconds."""
UNUSED_KEPT_S = 3.0
"""How long a model that has answered nothing since its load is kept from pending loads of other models: the client that
asked for it with ``wait=0`` is on its way back. Two such clients would otherwise evict each other's model for ever."""

_READY = ResidentState.READY
"""By a name of its own: to look a member up in its enum takes as long as a call (CPython 3.11)."""
_WAITS_TO_STOP = {ResidentState.LOADING, ResidentState.DRAINING}


class Scheduler:
    """Decides who runs. ``capacity`` is how many models may be resident at once, those on their way included."""

    def __init__(
        self,
        *,
        capacity: int = 1,
        max_wait_s: float = DEFAULT_MAX_WAIT_S,
        queue_limit: int = DEFAULT_QUEUE_LIMIT,
        linger: Linger | None = None,
    ) -> None:
        self._capacity = capacity
        self._max_wait_s = max_wait_s
        self._queue_limit = queue_limit
        self._last_generation = 0
        self._residents: dict[int, Resident] = {}
        self._waiters: dict[int, Waiter] = {}
        self._back_off = BackOff()
        self._linger = Linger() if linger is None else linger
        self._successors: set[int] = set()
        """Models whose next load takes the place of an abandoned one."""
        self._pending_loads: dict[int, PendingLoad] = {}
        """By model id, oldest first."""

    @property
    def residents(self) -> tuple[Resident, ...]:
        """Every launch that is not gone, oldest first."""
        return tuple(self._residents.values())

    @property
    def waiters(self) -> tuple[Waiter, ...]:
        """Every request that waits, oldest first."""
        return tuple(self._waiters.values())

    @property
    def pending_loads(self) -> tuple[PendingLoad, ...]:
        """Every load that no request waits for and that has not begun, oldest first."""
        return tuple(self._pending_loads.values())

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every model whose last load failed, or that died too often."""
        return self._back_off.failures

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in what happened at ``now`` (seconds, never going back) and return what must be done, in order."""
        match event:
            case Requested(ticket, spec, needed_ctx):
                generation = self.grant_at_once(ticket, spec, needed_ctx, now)
                if generation is not None:
                    return [Grant(ticket, generation)]
            case Left(ticket) if self.release_at_once(ticket, now):
                return []
        return [*self._take_note(event, now), *self._settle(now)]

    # --- nearly every event ---
    #
    # A request for what is ready, and its end, while nobody waits. Nothing that ``_settle`` looks at changes then, and
    # it takes as long as all the rest of a short request does. Nothing is to be done either, so whoever asks may leave
    # ``handle`` out, and turn to it where more has to be looked at.

    def grant_at_once(self, ticket: int, spec: ModelLaunchSpec, needed_ctx: int, now: float) -> int | None:
        """Let a request go to what is ready for it, and return the generation; None is for ``handle`` to decide."""
        if self._waiters:
            return None
        model_id = spec.model_id
        for resident in self._residents.values():
            if (
                resident.spec.model_id == model_id
                and resident.state is _READY
                and is_enough(running=resident.context, needed=needed_ctx)
                and (resident.seen_spec is spec or resident.has_version_of(spec))
                and self._back_off.refusal(spec, now) is None
            ):
                self._linger.note_request(model_id, now)
                resident.holders.add(ticket)
                resident.idle_ttl_s = spec.settings.idle_ttl_s
                return resident.generation
        return None

    def release_at_once(self, ticket: int, now: float) -> bool:
        """End a hold that nobody waits for the end of; False where ``handle`` has to."""
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

    def _take_note(self, event: Event, now: float) -> list[Effect]:
        match event:
            case Requested():
                return list(self._take_in(event, now))
            case Left(ticket):
                self._forget(ticket, now)
            case WaitEnded(ticket):
                if (waiter := self._waiters.pop(ticket, None)) is not None:
                    self._keep_pending(waiter, now)
            case Suspected(ticket):
                self._suspect(ticket, now)
            case StopAsked(deadline):
                return list(self._ask_all_to_stop(deadline, now))
            case Forgotten(model_id):
                return list(self._forget_model(model_id, now))
            case _:
                return self._take_note_of_launch(event, now)
        return []

    def _take_note_of_launch(self, event: Event, now: float) -> list[Effect]:
        effects: list[Effect] = []
        match event:
            case BecameReady(generation, spec):
                self._become_ready(generation, spec, now)
            case LoadFailed(generation):
                effects += self._fail(event, now)
            case Died(generation):
                effects += self._bury(event, now)
            case Exited(generation):
                self._see_off(generation, now)
            case Spoiled(generation):
                effects += self._withdraw(self._residents.get(generation), StopReason.CHANGED, now)
            case Superseded(generation):
                effects += self._withdraw(self._residents.get(generation), StopReason.UPDATED, now)
            case _:  # nothing but time
                pass
        return effects

    def _take_in(self, request: Requested, now: float) -> Iterator[Effect]:
        self._linger.note_request(request.spec.model_id, now)
        refusal = self._back_off.refusal(request.spec, now)
        waiter = Waiter(request.ticket, request.spec, request.needed_ctx, request.launch_ctx, now)
        is_ready = any(map(waiter.can_use, self._residents.values()))
        if refusal is not None:
            yield Refuse(request.ticket, refusal)
        elif not request.waits and not is_ready:
            self._keep_pending(waiter, now)
        elif len(self._waiters) >= self._queue_limit and not is_ready:
            yield Refuse(request.ticket, QueueFullError(len(self._waiters), self._max_wait_s))
        else:
            self._waiters[request.ticket] = waiter

    def _keep_pending(self, waiter: Waiter, now: float) -> None:
        """Have the model loaded for a request that does not wait for it; one load for all such requests."""
        model_id = waiter.spec.model_id
        known = self._pending_loads.get(model_id)
        if known is None or known.spec != waiter.spec or now >= known.expires_at:
            needed, at_launch = waiter.needed_ctx, waiter.launch_ctx
        else:
            needed = max(known.needed_ctx, waiter.needed_ctx)
            at_launch = max(known.launch_ctx, waiter.launch_ctx)
        self._pending_loads[model_id] = PendingLoad(
            waiter.ticket,
            waiter.spec,
            needed,
            at_launch,
            # A launch that was decided before is of the version that was asked for then.
            known.since if known is not None and known.spec.path == waiter.spec.path else now,
            now + PENDING_LOAD_S,
        )

    def _forget(self, ticket: int, now: float) -> None:
        waiter = self._waiters.pop(ticket, None)
        if waiter is not None and self._is_last_of_a_begun_swap(waiter):
            self._keep_pending(waiter, now)
        for resident in self._residents.values():
            if ticket in resident.holders:
                self._release(resident, ticket, now)

    def _is_last_of_a_begun_swap(self, waiter: Waiter) -> bool:
        """Whether a resident was stopped for the model of a waiter that has left, and no other one waits for it."""
        model_id = waiter.spec.model_id
        return self._is_place_coming_for(model_id) and not any(
            other.spec.model_id == model_id for other in self._waiters.values()
        )

    def _is_place_coming_for(self, model_id: int) -> bool:
        return any(
            r.state is ResidentState.STOPPING and r.makes_room_for == model_id
            for r in self._residents.values()
        )

    def _need_no_room_for(self, model_id: int) -> None:
        """Take note that a model was launched, or will not be: no swap is under way for it any more."""
        for resident in self._residents.values():
            if resident.makes_room_for == model_id:
                resident.makes_room_for = None

    def _release(self, resident: Resident, ticket: int, now: float) -> None:
        resident.holders.remove(ticket)
        resident.last_used = now
        if not resident.holders:
            self._linger.note_idle(resident.spec.model_id, now)

    def _suspect(self, ticket: int, now: float) -> None:
        for resident in self._residents.values():
            if ticket in resident.holders and resident.state in {ResidentState.READY, ResidentState.DRAINING}:
                if resident.state is ResidentState.READY:
                    resident.move_to(ResidentState.DRAINING, now)
                resident.leaving = Leaving(StopReason.SILENT, now)
                resident.makes_room_for = None  # it goes for its own sake now

    def _become_ready(self, generation: int, spec: ModelLaunchSpec | None, now: float) -> None:
        resident = self._residents.get(generation)
        if resident is None or resident.state is not ResidentState.LOADING:
            return  # told to stop while the news was on its way
        resident.spec = spec or resident.spec
        self._linger.note_load(resident.spec.model_id, now - resident.since)
        resident.move_to(ResidentState.READY, now)
        resident.last_used = now
        self._back_off.succeeded(resident.spec.model_id)

    def _remove(self, generation: int, now: float) -> Resident | None:
        """Drop a launch whose process is gone. The load for which it was stopped does not expire before its turn."""
        resident = self._residents.pop(generation, None)
        model_id = None if resident is None else resident.makes_room_for
        if model_id is not None and (load := self._pending_loads.get(model_id)) is not None:
            expires_at = max(load.expires_at, now + PENDING_LOAD_S)
            self._pending_loads[model_id] = replace(load, expires_at=expires_at)
        return resident

    def _fail(self, event: LoadFailed, now: float) -> Iterator[Effect]:
        resident = self._remove(event.generation, now)
        if resident is not None:
            yield from self._refuse_all(self._back_off.load_failed(resident.spec, event.error, now), now)

    def _bury(self, event: Died, now: float) -> Iterator[Effect]:
        resident = self._remove(event.generation, now)
        if resident is None or resident.state is ResidentState.STOPPING:
            return  # it was about to be told anyway
        failure = self._back_off.died(resident.spec, event.reason, now)
        if failure is not None:
            yield from self._refuse_all(failure, now)

    def _refuse_all(self, failure: Failure, now: float) -> Iterator[Effect]:
        """Tell everyone who waits for a model that it has failed."""
        self._pending_loads.pop(failure.spec.model_id, None)
        self._need_no_room_for(failure.spec.model_id)
        for waiter in self.waiters:
            if waiter.spec.model_id == failure.spec.model_id:
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, failure.at(now))

    def _see_off(self, generation: int, now: float) -> None:
        resident = self._remove(generation, now)
        if resident is not None and resident.state is ResidentState.STOPPING:
            self._linger.note_stop(now - resident.since)

    def _ask_all_to_stop(self, deadline: float, now: float) -> Iterator[Effect]:
        self._back_off.forget_all()
        self._pending_loads.clear()
        for resident in self._residents.values():
            resident.makes_room_for = None
            resident.stop_by = deadline if resident.stop_by is None else min(resident.stop_by, deadline)
            if resident.state is not ResidentState.STOPPING:
                resident.leaving = Leaving(StopReason.ASKED, now)
            if resident.state is ResidentState.READY:
                resident.move_to(ResidentState.DRAINING, now)
            elif resident.state is ResidentState.LOADING:
                yield from self._refuse_who_waits_for(resident)

    def _refuse_who_waits_for(self, resident: Resident) -> Iterator[Effect]:
        for waiter in self.waiters:
            if waiter.is_served_by(resident):
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, ModelStoppedError(resident.spec.model_name))

    def _forget_model(self, model_id: int, now: float) -> Iterator[Effect]:
        """Refuse those that wait for a model that was removed, and have its launch end."""
        self._back_off.forget(model_id)
        self._pending_loads.pop(model_id, None)
        self._need_no_room_for(model_id)
        for waiter in self.waiters:
            if waiter.spec.model_id == model_id:
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, ModelNotFoundError(waiter.spec.model_name))
        for resident in self._residents.values():
            if resident.spec.model_id == model_id:
                yield from self._withdraw(resident, StopReason.REMOVED, now)

    def _withdraw(self, resident: Resident | None, reason: StopReason, now: float) -> Iterator[Effect]:
        """Have a launch take no new requests; ``_settle`` stops it once no request holds it."""
        if resident is None or resident.is_on_its_way_out:
            return
        if resident.state is ResidentState.LOADING:
            if reason is StopReason.REMOVED:
                yield self._stop(resident, now, Leaving(reason, now))
            return
        if resident.state is ResidentState.READY:
            resident.move_to(ResidentState.DRAINING, now)
        resident.leaving = Leaving(reason, now)
        resident.makes_room_for = None

    # --- what follows from the whole ---

    def _settle(self, now: float) -> list[Effect]:
        self._reopen(now)
        effects: list[Effect] = [*self._finish_draining(now), *self._grant_what_can_be()]
        self._drop_what_is_over(now)
        following = self._next_waiters()
        pending = self._next_pending_loads()
        effects += self._make_way([*following, *pending], now)
        effects += self._let_idle_ones_go(now)
        return [*effects, *self._wake(following, pending, now)]

    def _drop_what_is_over(self, now: float) -> None:
        """Drop pending loads that are served or have expired, and marks of models that nothing asks for any more."""
        for model_id, load in list(self._pending_loads.items()):
            is_expired = now >= load.expires_at and not self._is_place_coming_for(model_id)
            if is_expired or any(map(load.can_use, self._residents.values())):
                del self._pending_loads[model_id]
        if self._successors:
            self._successors &= {w.spec.model_id for w in (*self._waiters.values(), *self.pending_loads)}

    def _reopen(self, now: float) -> None:
        """Let residents take requests again when whoever they drain for has left."""
        while (resident := self._drains_for_nobody(now)) is not None:
            # One by one: who was overdue for another place may be served by the one that has just been reopened.
            resident.move_to(ResidentState.READY, now)
            resident.leaving = None
            resident.makes_room_for = None

    def _drains_for_nobody(self, now: float) -> Resident | None:
        overdue = [
            waiter
            for waiter in self._next_waiters()
            if self._is_overdue(waiter, now) and not any(map(waiter.can_use, self._residents.values()))
        ]
        for resident in self._residents.values():
            is_for_a_swap = resident.state is ResidentState.DRAINING and not resident.is_leaving_for_good
            if is_for_a_swap and all(waiter.is_served_by(resident) for waiter in overdue):
                return resident
        return None

    def _finish_draining(self, now: float) -> Iterator[Effect]:
        for resident in self._residents.values():
            is_leaving = resident.state is ResidentState.DRAINING or (
                resident.state is ResidentState.LOADING and resident.stop_by is not None
            )
            is_overdue = resident.stop_by is not None and now >= resident.stop_by
            if is_leaving and (not resident.holders or is_overdue):
                if not resident.is_leaving_for_good:
                    self._name_successor(resident, now)
                yield self._stop(resident, now)

    def _name_successor(self, resident: Resident, now: float) -> None:
        """Note for which waiter a drained resident stops, where the one that it drained for has left."""
        leaving = resident.leaving
        if leaving is None or leaving.ticket in self._waiters:
            return
        for waiter in self._next_waiters():
            if self._is_overdue(waiter, now) and not waiter.is_served_by(resident):
                reason = _twin_reason(resident, waiter) or StopReason.OVERDUE
                resident.leaving = Leaving(reason, leaving.since, waiter.ticket)
                resident.makes_room_for = waiter.spec.model_id
                return

    def _grant_what_can_be(self) -> Iterator[Effect]:
        for waiter in self.waiters:
            for resident in self._residents.values():
                if waiter.can_use(resident):
                    del self._waiters[waiter.ticket]
                    resident.holders.add(waiter.ticket)
                    resident.idle_ttl_s = waiter.spec.settings.idle_ttl_s
                    yield Grant(waiter.ticket, resident.generation)
                    break

    def _next_waiters(self) -> list[Waiter]:
        """Return the oldest waiter of each model that no load under way will serve, oldest first."""
        following: dict[int, Waiter] = {}
        for waiter in self._waiters.values():
            if not any(
                r.state is ResidentState.LOADING and waiter.is_served_by(r) for r in self._residents.values()
            ):
                following.setdefault(waiter.spec.model_id, waiter)
        return list(following.values())

    def _next_pending_loads(self) -> list[PendingLoad]:
        """Return the loads of models that no waiter asks for and no load under way will serve, oldest first."""
        waited_for = {waiter.spec.model_id for waiter in self._waiters.values()}
        return [
            load
            for model_id, load in self._pending_loads.items()
            if model_id not in waited_for
            and not any(
                r.state is ResidentState.LOADING and load.is_served_by(r) for r in self._residents.values()
            )
        ]

    def _make_way(self, following: list[Waiter], now: float) -> Iterator[Effect]:
        """Launch where there is room; where there is none, make one place for each who waits and has none coming."""
        places_coming = sum(r.state is ResidentState.STOPPING for r in self._residents.values())
        claimed: set[int] = set()
        for waiter in following:
            twin = next(
                (r for r in self._residents.values() if r.spec.model_id == waiter.spec.model_id), None
            )
            if twin is None and len(self._residents) < self._capacity:
                yield self._launch(waiter, now)
            elif twin is not None and twin.state is not ResidentState.STOPPING:
                # Its context is too small, or its version is an older one: it has to go first, for there are never two
                # launches of one model.
                yield from self._free(twin, waiter, now)
            elif places_coming:
                places_coming -= 1
            elif (victim := self._victim(waiter, claimed, now)) is not None:
                claimed.add(victim.generation)
                yield from self._free(victim, waiter, now)

    def _victim(self, waiter: Waiter, claimed: set[int], now: float) -> Resident | None:
        """Return what has to go: a load that no request waits for, else an idle resident, a draining, the least used.

        One that goes for another waiter already is ``claimed``. Of the idle, those whose clients may be back come last.
        For a pending load only an idle one goes.
        """
        is_pending = isinstance(waiter, PendingLoad)
        return min(
            (
                r
                for r in self._residents.values()
                if r.state is not ResidentState.STOPPING
                and r.generation not in claimed
                and (not is_pending or (r.is_idle and now >= _kept_from_pending_until(r)))
            ),
            key=lambda r: (
                not self._is_unwanted_load(r),
                r.state is ResidentState.LOADING,
                bool(r.holders),
                r.state is not ResidentState.DRAINING,
                now < self._linger.held_until(r.spec.model_id),
                r.last_used,
            ),
            default=None,
        )

    def _free(self, resident: Resident, waiter: Waiter, now: float) -> Iterator[Effect]:
        """Stop a resident for a waiter, or have it drain, or let it be: whatever its state and the time call for."""
        is_pending = isinstance(waiter, PendingLoad)
        is_overdue = not is_pending and self._is_overdue(waiter, now)
        twin_reason = _twin_reason(resident, waiter)

        def leave(reason: StopReason) -> Leaving:
            return Leaving(twin_reason or reason, now, waiter.ticket)

        match resident.state:
            case ResidentState.LOADING if (
                not is_pending
                and self._is_unwanted_load(resident)
                and (is_overdue or not resident.is_protected)
            ):
                self._successors.add(waiter.spec.model_id)
                resident.makes_room_for = waiter.spec.model_id
                yield self._stop(resident, now, leave(StopReason.UNWANTED))
            case ResidentState.READY if not resident.holders:
                if (
                    twin_reason is not None
                    or is_overdue
                    or now >= self._linger.held_until(resident.spec.model_id)
                ):
                    resident.makes_room_for = waiter.spec.model_id
                    yield self._stop(resident, now, leave(StopReason.IDLE))
            case ResidentState.READY if is_overdue:
                resident.move_to(ResidentState.DRAINING, now)
                resident.makes_room_for = waiter.spec.model_id
                resident.leaving = leave(StopReason.OVERDUE)

    def _is_overdue(self, waiter: Waiter, now: float) -> bool:
        return now >= waiter.since + self._max_wait_s

    def _is_unwanted_load(self, resident: Resident) -> bool:
        return resident.state is ResidentState.LOADING and not any(
            waiter.is_served_by(resident) for waiter in self._waiters.values()
        )

    def _launch(self, waiter: Waiter, now: float) -> Launch:
        """Launch for everyone who waits for this model: with the newest settings and the largest context needed."""
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
            is_protected=model_id in self._successors,
        )
        self._successors.discard(model_id)
        self._need_no_room_for(model_id)
        self._residents[resident.generation] = resident
        return Launch(resident.generation, spec, context, waiter.ticket)

    def _let_idle_ones_go(self, now: float) -> Iterator[Effect]:
        for resident in self._residents.values():
            goes_at = _expires_at(resident)
            if goes_at is not None and now >= goes_at:
                yield self._stop(resident, now, Leaving(StopReason.EXPIRED, now))

    def _stop(self, resident: Resident, now: float, leaving: Leaving | None = None) -> Stop:
        resident.move_to(ResidentState.STOPPING, now)
        resident.leaving = leaving or resident.leaving
        return Stop(resident.generation, resident.leaving)

    def _wake(self, following: list[Waiter], pending: list[PendingLoad], now: float) -> Iterator[Effect]:
        residents = self._residents.values()
        times = [r.stop_by for r in residents if r.stop_by is not None and r.state in _WAITS_TO_STOP]
        times += [waiter.since + self._max_wait_s for waiter in following]
        if following or pending:
            times += [self._linger.held_until(r.spec.model_id) for r in residents if r.is_idle]
        if pending:
            times += [_kept_from_pending_until(r) for r in residents if r.is_idle]
        times += [goes_at for r in residents if (goes_at := _expires_at(r)) is not None]
        if later := [time for time in times if time > now]:
            yield WakeAt(min(later))


def _twin_reason(resident: Resident, waiter: Waiter) -> StopReason | None:
    """Return why a launch of the waiter's own model does not serve it; None for one of another model."""
    if resident.spec.model_id != waiter.spec.model_id:
        return None
    return StopReason.TOO_SMALL if resident.has_version_of(waiter.spec) else StopReason.UPDATED


def _kept_from_pending_until(resident: Resident) -> float:
    """Return until when an idle resident is kept although the load of another model is pending."""
    return resident.since + UNUSED_KEPT_S if resident.is_unused else float("-inf")


def _expires_at(resident: Resident) -> float | None:
    """Return when an idle resident's time-to-live is over; None while it is used, and where it has none."""
    if not resident.is_idle or resident.idle_ttl_s is None:
        return None
    return resident.last_used + resident.idle_ttl_s
