"""Who runs next: a pure state machine. Events in, effects out; it knows no clock, no process and no socket.

Theory of operation
-------------------
A *request* is known by its ticket and is in one of three places: it waits, it holds a resident, or it is gone.
A *resident* is one launch of one model, known by its generation, which is never used twice: what is told of an
older generation is ignored. It moves as ``_MOVES`` says and is forgotten when its process is gone. Only a READY
resident takes new requests.

Every event ends in ``_settle``, which looks at the whole and returns what must be done now:

1. Waiters whose model is READY with enough context are granted, all together.
2. The models that waiters want and no resident serves come next, in the order of their oldest waiters. Where there is
   room, the model is launched. Where there is none, a victim makes room: a load that nobody waits for any more, or an
   idle resident (the least recently used), at once; a busy one only drains, and not before that oldest waiter has
   waited for ``max_wait_s``. Until then requests for the running model pass the queue (no thrash); after it the running
   model takes no new ones (no starvation). When whoever it drains for has left, it takes requests again.

A resident is stopped only when nobody holds it, except by ``StopAsked`` whose patience is over.

A load that gives way because its clients lost patience is followed by one that does not: with loads longer than the
clients' patience, each would otherwise end the other's, for ever.

A model whose load failed is refused at once, with the same reason, for a time that doubles with each failure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from gglib.core.context import is_enough
from gglib.core.errors import GglibError, ModelLoadFailedError, ModelStoppedError, QueueFullError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.messages import (
    BecameReady,
    Effect,
    Event,
    Exited,
    Grant,
    Launch,
    Left,
    LoadFailed,
    Refuse,
    Requested,
    Stop,
    StopAsked,
    TimePassed,
    WakeAt,
)

DEFAULT_MAX_WAIT_S = 15.0
DEFAULT_QUEUE_LIMIT = 1_000
FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 30.0

# --- state -------------------------------------------------------------------------------------------------------


class ResidentState(Enum):
    """The life of a launch."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    STOPPING = "stopping"


_MOVES = {
    ResidentState.LOADING: {ResidentState.READY, ResidentState.STOPPING},
    ResidentState.READY: {ResidentState.DRAINING, ResidentState.STOPPING},
    ResidentState.DRAINING: {ResidentState.READY, ResidentState.STOPPING},
    ResidentState.STOPPING: set[ResidentState](),
}
_WAITS_TO_STOP = {ResidentState.LOADING, ResidentState.DRAINING}


class IllegalMoveError(Exception):
    """The scheduler was about to do what its table forbids: a fault of ours."""


@dataclass(slots=True)
class Resident:
    """One launch of one model."""

    generation: int
    spec: ModelLaunchSpec
    context: int
    state: ResidentState
    last_used: float
    holders: set[int] = field(default_factory=set)
    stop_by: float | None = None
    """When it stops even if somebody holds it; None waits for ever."""
    is_protected: bool = False
    """Its load took the place of an abandoned one, and is not abandoned itself before somebody is overdue."""

    def move_to(self, state: ResidentState) -> None:
        """Change state; an illegal move raises and changes nothing."""
        if state not in _MOVES[self.state]:
            raise IllegalMoveError(f"{self.state} -> {state}")
        self.state = state


@dataclass(frozen=True, slots=True)
class Waiter:
    """One request that is not served yet."""

    ticket: int
    spec: ModelLaunchSpec
    needed_ctx: int
    launch_ctx: int
    since: float

    def can_use(self, resident: Resident) -> bool:
        """Whether this resident would serve it at once."""
        return resident.state is ResidentState.READY and _serves(resident, self)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is remembered of a model whose last load failed."""

    spec: ModelLaunchSpec
    error: GglibError
    count: int
    until: float
    """Until then the same launch is not tried again."""


class Scheduler:
    """Decides who runs. ``capacity`` is how many models may be resident at once, those on their way included."""

    def __init__(
        self,
        *,
        capacity: int = 1,
        max_wait_s: float = DEFAULT_MAX_WAIT_S,
        queue_limit: int = DEFAULT_QUEUE_LIMIT,
    ) -> None:
        self._capacity = capacity
        self._max_wait_s = max_wait_s
        self._queue_limit = queue_limit
        self._last_generation = 0
        self._residents: dict[int, Resident] = {}
        self._waiters: dict[int, Waiter] = {}
        self._failures: dict[int, Failure] = {}
        self._successors: set[int] = set()
        """Models whose next load takes the place of an abandoned one."""

    @property
    def residents(self) -> tuple[Resident, ...]:
        """Every launch that is not gone, oldest first."""
        return tuple(self._residents.values())

    @property
    def waiters(self) -> tuple[Waiter, ...]:
        """Every request that waits, oldest first."""
        return tuple(self._waiters.values())

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every model whose last load failed."""
        return tuple(self._failures.values())

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in what happened at ``now`` (seconds, never going back) and return what must be done, in order."""
        effects: list[Effect] = []
        match event:
            case Requested():
                effects += self._take_in(event, now)
            case Left(ticket):
                self._forget(ticket, now)
            case BecameReady(generation):
                self._become_ready(generation, now)
            case LoadFailed(generation, error):
                effects += self._fail(generation, error, now)
            case Exited(generation):
                self._residents.pop(generation, None)
            case StopAsked(deadline):
                effects += self._ask_all_to_stop(deadline)
            case TimePassed():
                pass
        return [*effects, *self._settle(now)]

    # --- what each event changes ---

    def _take_in(self, request: Requested, now: float) -> Iterator[Effect]:
        failure = self._failures.get(request.spec.model_id)
        waiter = Waiter(request.ticket, request.spec, request.needed_ctx, request.launch_ctx, now)
        if failure is not None and failure.spec == request.spec and now < failure.until:
            yield Refuse(request.ticket, _again(failure, now))
        elif len(self._waiters) >= self._queue_limit and not any(
            map(waiter.can_use, self._residents.values())
        ):
            yield Refuse(request.ticket, QueueFullError(len(self._waiters), self._max_wait_s))
        else:
            self._waiters[request.ticket] = waiter

    def _forget(self, ticket: int, now: float) -> None:
        self._waiters.pop(ticket, None)
        for resident in self._residents.values():
            if ticket in resident.holders:
                resident.holders.remove(ticket)
                resident.last_used = now

    def _become_ready(self, generation: int, now: float) -> None:
        resident = self._residents.get(generation)
        if resident is None or resident.state is not ResidentState.LOADING:
            return  # told to stop while the news was on its way
        resident.move_to(ResidentState.READY)
        resident.last_used = now
        self._failures.pop(resident.spec.model_id, None)

    def _fail(self, generation: int, error: GglibError, now: float) -> Iterator[Effect]:
        resident = self._residents.pop(generation, None)
        if resident is None:
            return
        spec = resident.spec
        before = self._failures.get(spec.model_id)
        count = before.count + 1 if before is not None and before.spec == spec else 1
        back_off_s = min(FIRST_BACK_OFF_S * 2 ** (count - 1), LONGEST_BACK_OFF_S)
        failure = Failure(spec, error, count, now + back_off_s)
        self._failures[spec.model_id] = failure
        for waiter in self.waiters:
            if waiter.spec.model_id == spec.model_id:
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, _again(failure, now))

    def _ask_all_to_stop(self, deadline: float) -> Iterator[Effect]:
        self._failures.clear()
        for resident in self._residents.values():
            resident.stop_by = deadline if resident.stop_by is None else min(resident.stop_by, deadline)
            if resident.state is ResidentState.READY:
                resident.move_to(ResidentState.DRAINING)
            elif resident.state is ResidentState.LOADING:
                yield from self._refuse_who_waits_for(resident)

    def _refuse_who_waits_for(self, resident: Resident) -> Iterator[Effect]:
        for waiter in self.waiters:
            if _serves(resident, waiter):
                del self._waiters[waiter.ticket]
                yield Refuse(waiter.ticket, ModelStoppedError(resident.spec.model_name))

    # --- what follows from the whole ---

    def _settle(self, now: float) -> list[Effect]:
        self._reopen(now)
        effects: list[Effect] = [*self._finish_draining(now), *self._grant_what_can_be()]
        following = self._next_waiters()
        effects += self._make_way(following, now)
        return [*effects, *self._wake(following, now)]

    def _reopen(self, now: float) -> None:
        """Let a resident take requests again when whoever it drains for has left."""
        overdue = [
            waiter
            for waiter in self._next_waiters()
            if self._is_overdue(waiter, now) and not any(map(waiter.can_use, self._residents.values()))
        ]
        for resident in self._residents.values():
            is_for_a_swap = resident.state is ResidentState.DRAINING and resident.stop_by is None
            if is_for_a_swap and all(_serves(resident, waiter) for waiter in overdue):
                resident.move_to(ResidentState.READY)

    def _finish_draining(self, now: float) -> Iterator[Effect]:
        for resident in self._residents.values():
            is_leaving = resident.state is ResidentState.DRAINING or (
                resident.state is ResidentState.LOADING and resident.stop_by is not None
            )
            is_overdue = resident.stop_by is not None and now >= resident.stop_by
            if is_leaving and (not resident.holders or is_overdue):
                yield self._stop(resident)

    def _grant_what_can_be(self) -> Iterator[Effect]:
        for waiter in self.waiters:
            for resident in self._residents.values():
                if waiter.can_use(resident):
                    del self._waiters[waiter.ticket]
                    resident.holders.add(waiter.ticket)
                    yield Grant(waiter.ticket, resident.generation)
                    break

    def _next_waiters(self) -> list[Waiter]:
        """Return the oldest waiter of each model that no load under way will serve, oldest first."""
        following: dict[int, Waiter] = {}
        for waiter in self._waiters.values():
            if not any(
                r.state is ResidentState.LOADING and _serves(r, waiter) for r in self._residents.values()
            ):
                following.setdefault(waiter.spec.model_id, waiter)
        return list(following.values())

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
                # Its context is too small: it has to go first, for there are never two launches of one model.
                yield from self._free(twin, waiter, now)
            elif places_coming:
                places_coming -= 1
            elif (victim := self._victim(claimed)) is not None:
                claimed.add(victim.generation)
                yield from self._free(victim, waiter, now)

    def _victim(self, claimed: set[int]) -> Resident | None:
        """Return who has to go: a load that nobody waits for, else the idle, else who drains, else the least used.

        Who goes for somebody else already is ``claimed``.
        """
        return min(
            (
                r
                for r in self._residents.values()
                if r.state is not ResidentState.STOPPING and r.generation not in claimed
            ),
            key=lambda r: (
                not self._is_unwanted_load(r),
                r.state is ResidentState.LOADING,
                bool(r.holders),
                r.state is not ResidentState.DRAINING,
                r.last_used,
            ),
            default=None,
        )

    def _free(self, resident: Resident, waiter: Waiter, now: float) -> Iterator[Effect]:
        is_overdue = self._is_overdue(waiter, now)
        match resident.state:
            case ResidentState.LOADING if self._is_unwanted_load(resident) and (
                is_overdue or not resident.is_protected
            ):
                self._successors.add(waiter.spec.model_id)
                yield self._stop(resident)
            case ResidentState.READY if not resident.holders:
                yield self._stop(resident)
            case ResidentState.READY if is_overdue:
                resident.move_to(ResidentState.DRAINING)

    def _is_overdue(self, waiter: Waiter, now: float) -> bool:
        return now >= waiter.since + self._max_wait_s

    def _is_unwanted_load(self, resident: Resident) -> bool:
        return resident.state is ResidentState.LOADING and not any(
            _serves(resident, waiter) for waiter in self._waiters.values()
        )

    def _launch(self, waiter: Waiter, now: float) -> Launch:
        """Launch for everyone who waits for this model: with the newest settings and the largest context needed."""
        model_id = waiter.spec.model_id
        served = [w for w in self._waiters.values() if w.spec.model_id == model_id]
        spec, context = served[-1].spec, max(w.launch_ctx for w in served)
        self._last_generation += 1
        resident = Resident(
            self._last_generation,
            spec,
            context,
            ResidentState.LOADING,
            now,
            is_protected=model_id in self._successors,
        )
        self._successors.discard(model_id)
        self._residents[resident.generation] = resident
        return Launch(resident.generation, spec, context)

    def _stop(self, resident: Resident) -> Stop:
        resident.move_to(ResidentState.STOPPING)
        return Stop(resident.generation)

    def _wake(self, following: list[Waiter], now: float) -> Iterator[Effect]:
        times = [
            r.stop_by for r in self._residents.values() if r.stop_by is not None and r.state in _WAITS_TO_STOP
        ]
        times += [waiter.since + self._max_wait_s for waiter in following]
        if later := [time for time in times if time > now]:
            yield WakeAt(min(later))


def _again(failure: Failure, now: float) -> GglibError:
    """Return a failure's error with the time until it is worth another try."""
    if isinstance(failure.error, ModelLoadFailedError):
        return failure.error.with_retry_after(failure.until - now)
    return failure.error


def _serves(resident: Resident, waiter: Waiter) -> bool:
    return resident.spec.model_id == waiter.spec.model_id and is_enough(
        running=resident.context, needed=waiter.needed_ctx
    )
