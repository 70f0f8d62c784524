"""Who runs next: a pure state machine. Events in, effects out; it knows no clock, no process and no socket.

Theory of operation
-------------------
A *request* is known by its ticket and is in one of three places: it waits, it holds a resident, or it is gone.
A *resident* is one launch of one model, known by its generation, which is never used twice: what is told of an
older generation is ignored. A resident goes LOADING -> READY -> DRAINING -> STOPPING, skips what it must
(``_MOVES``), and is forgotten when its process is gone. Only a READY resident takes new requests.

Every event ends in ``_settle``, which looks at the whole and returns what must be done now:

1. Waiters whose model is READY with enough context are granted, all together.
2. The models that waiters want and no resident serves come next, in the order of their oldest waiters. Where there is
   room, the model is launched. Where there is none, a victim makes room: a load that nobody waits for any more, or an
   idle resident (the least recently used), at once; a busy one only drains, and not before that oldest waiter has
   waited for ``max_wait_s``. Until then requests for the running model pass the queue (no thrash); after it the running
   model takes no new ones (no starvation).

A resident is stopped only when nobody holds it, except by ``StopAsked`` whose patience is over.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from gglib.core.context import is_enough
from gglib.core.errors import GglibError, QueueFullError
from gglib.core.models import ModelLaunchSpec

DEFAULT_MAX_WAIT_S = 15.0
DEFAULT_QUEUE_LIMIT = 1_000


# --- events: what happened ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Requested:
    """Somebody asks for a model: ``needed_ctx`` serves them, ``launch_ctx`` is what a launch for them would use."""

    ticket: int
    spec: ModelLaunchSpec
    needed_ctx: int
    launch_ctx: int


@dataclass(frozen=True, slots=True)
class Left:
    """A request is over: it was answered, or it went away while it waited."""

    ticket: int


@dataclass(frozen=True, slots=True)
class BecameReady:
    """A launch answers requests now."""

    generation: int


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """A launch came to nothing, and nothing of it is left."""

    generation: int
    error: GglibError


@dataclass(frozen=True, slots=True)
class Exited:
    """The process of a launch is gone, for whatever reason."""

    generation: int


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Every resident has to go: idle ones now, busy ones when they are free, at the latest at ``deadline``."""

    deadline: float


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened but time."""


Event = Requested | Left | BecameReady | LoadFailed | Exited | StopAsked | TimePassed

# --- effects: what to do -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grant:
    """Let the request go to this launch. It is counted as a hold already."""

    ticket: int
    generation: int


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a process."""

    generation: int
    spec: ModelLaunchSpec
    context: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End the process of this launch and tell ``Exited``."""

    generation: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the request that it will not be served, and why."""

    ticket: int
    error: GglibError


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send ``TimePassed`` at this time; it replaces any earlier wish."""

    time: float


Effect = Grant | Launch | Stop | Refuse | WakeAt

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
    ResidentState.DRAINING: {ResidentState.STOPPING},
    ResidentState.STOPPING: set[ResidentState](),
}


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

    @property
    def residents(self) -> tuple[Resident, ...]:
        """Every launch that is not gone, oldest first."""
        return tuple(self._residents.values())

    @property
    def waiters(self) -> tuple[Waiter, ...]:
        """Every request that waits, oldest first."""
        return tuple(self._waiters.values())

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
                effects += self._fail(generation, error)
            case Exited(generation):
                self._residents.pop(generation, None)
            case StopAsked(deadline):
                self._ask_all_to_stop(deadline)
            case TimePassed():
                pass
        return [*effects, *self._settle(now)]

    # --- what each event changes ---

    def _take_in(self, request: Requested, now: float) -> Iterable[Effect]:
        if len(self._waiters) >= self._queue_limit:
            return [Refuse(request.ticket, QueueFullError(len(self._waiters), self._max_wait_s))]
        self._waiters[request.ticket] = Waiter(
            request.ticket, request.spec, request.needed_ctx, request.launch_ctx, now
        )
        return []

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

    def _fail(self, generation: int, error: GglibError) -> Iterable[Effect]:
        resident = self._residents.pop(generation, None)
        if resident is None:
            return []
        failed = [w for w in self._waiters.values() if w.spec.model_id == resident.spec.model_id]
        for waiter in failed:
            del self._waiters[waiter.ticket]
        return [Refuse(waiter.ticket, error) for waiter in failed]

    def _ask_all_to_stop(self, deadline: float) -> None:
        for resident in self._residents.values():
            resident.stop_by = deadline
            if resident.state is ResidentState.READY:
                resident.move_to(ResidentState.DRAINING)

    # --- what follows from the whole ---

    def _settle(self, now: float) -> list[Effect]:
        effects: list[Effect] = [*self._finish_draining(now), *self._grant_what_can_be()]
        following = self._next_waiters()
        effects += self._make_way(following, now)
        return [*effects, *self._wake(following, now)]

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
                if resident.state is ResidentState.READY and _serves(resident, waiter):
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
        places_coming = sum(r.state in _LEAVING for r in self._residents.values())
        for waiter in following:
            twin = next(
                (r for r in self._residents.values() if r.spec.model_id == waiter.spec.model_id), None
            )
            if twin is None and len(self._residents) < self._capacity:
                yield self._launch(waiter, now)
            elif places_coming:
                places_coming -= 1
            elif (victim := twin or self._victim()) is not None:
                # A twin's context is too small: it has to go first, for there are never two launches of one model.
                yield from self._free(victim, waiter, now)

    def _victim(self) -> Resident | None:
        """Return who has to go: a load that nobody waits for, else the idle, else the one not used for longest."""
        return min(
            (r for r in self._residents.values() if r.state not in _LEAVING),
            key=lambda r: (
                not self._is_unwanted_load(r),
                r.state is ResidentState.LOADING,
                bool(r.holders),
                r.last_used,
            ),
            default=None,
        )

    def _free(self, resident: Resident, waiter: Waiter, now: float) -> Iterator[Effect]:
        match resident.state:
            case ResidentState.LOADING if self._is_unwanted_load(resident):
                yield self._stop(resident)
            case ResidentState.READY if not resident.holders:
                yield self._stop(resident)
            case ResidentState.READY if now >= waiter.since + self._max_wait_s:
                resident.move_to(ResidentState.DRAINING)

    def _is_unwanted_load(self, resident: Resident) -> bool:
        return resident.state is ResidentState.LOADING and not any(
            _serves(resident, waiter) for waiter in self._waiters.values()
        )

    def _launch(self, waiter: Waiter, now: float) -> Launch:
        """Launch for everyone who waits for this model: with the largest context that one of them needs."""
        context = max(w.launch_ctx for w in self._waiters.values() if w.spec.model_id == waiter.spec.model_id)
        self._last_generation += 1
        resident = Resident(self._last_generation, waiter.spec, context, ResidentState.LOADING, now)
        self._residents[resident.generation] = resident
        return Launch(resident.generation, waiter.spec, context)

    def _stop(self, resident: Resident) -> Stop:
        resident.move_to(ResidentState.STOPPING)
        return Stop(resident.generation)

    def _wake(self, following: list[Waiter], now: float) -> Iterator[Effect]:
        times = [r.stop_by for r in self._residents.values() if r.stop_by and r.state in _WAITS_TO_STOP]
        times += [waiter.since + self._max_wait_s for waiter in following]
        if later := [time for time in times if time > now]:
            yield WakeAt(min(later))


_LEAVING = {ResidentState.DRAINING, ResidentState.STOPPING}
_WAITS_TO_STOP = {ResidentState.LOADING, ResidentState.DRAINING}


def _serves(resident: Resident, waiter: Waiter) -> bool:
    return resident.spec.model_id == waiter.spec.model_id and is_enough(
        running=resident.context, needed=waiter.needed_ctx
    )
