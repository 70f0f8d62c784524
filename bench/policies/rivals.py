"""Other scheduling policies, behind the scheduler's own events and effects, for one resident model.

They model kinds of behaviour and were written for this comparison: they are not any project's code, and make no claim
about a particular release. None of them has a queue limit, so that only the order is compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gglib.runtime.scheduler.events import (
    BecameReady,
    Effect,
    Event,
    Exited,
    Grant,
    Launch,
    LoadFailed,
    Refuse,
    Requested,
    RequestEnded,
    Stop,
    WakeAt,
)

LULL_S = 0.25
"""A client that sends its next request this soon (a loop, or overlapping requests) counts as still active."""


@dataclass(slots=True)
class _Resident:
    generation: int
    model_id: int
    idle_since: float
    is_ready: bool = False
    is_stopping: bool = False
    holders: set[int] = field(default_factory=set)


class OneAtATime:
    """The bookkeeping that the rivals share: waiting requests, leases, the loaded model. A rival decides the order."""

    def __init__(self) -> None:
        self._waiting: dict[int, Requested] = {}
        self._resident: _Resident | None = None
        self._last_generation = 0

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Process an event at time ``now`` (seconds) and return the effects, in order."""
        effects: list[Effect] = []
        resident = self._resident
        match event:
            case Requested(ticket):
                self._waiting[ticket] = event
            case RequestEnded(ticket):
                self._forget(ticket, now)
            case BecameReady() if resident is not None:
                resident.is_ready, resident.idle_since = True, now
            case LoadFailed(_, error) if resident is not None:
                failed = [t for t, r in self._waiting.items() if r.spec.model_id == resident.model_id]
                for ticket in failed:
                    del self._waiting[ticket]
                effects += [Refuse(ticket, error) for ticket in failed]
                self._resident = None
            case Exited(generation) if resident is not None and resident.generation == generation:
                self._resident = None
        return [*effects, *self._settle(now)]

    def _forget(self, ticket: int, now: float) -> None:
        self._waiting.pop(ticket, None)
        if self._resident is not None and ticket in self._resident.holders:
            self._resident.holders.remove(ticket)
            self._resident.idle_since = now

    def _settle(self, now: float) -> Iterator[Effect]:
        resident = self._resident
        if resident is not None and resident.is_ready and not resident.is_stopping:
            for request in self._passing(resident):
                del self._waiting[request.ticket]
                resident.holders.add(request.ticket)
                yield Grant(request.ticket, resident.generation)
        following = next(iter(self._waiting.values()), None)
        if following is None:
            return
        if resident is None:
            self._last_generation += 1
            self._resident = _Resident(self._last_generation, following.spec.model_id, now)
            yield Launch(self._last_generation, following.spec, following.launch_ctx)
        elif resident.is_ready and not resident.is_stopping and not resident.holders:
            yield from self._give_way(resident, now)

    def _passing(self, resident: _Resident) -> list[Requested]:
        """Return the requests that are admitted to a ready model now."""
        raise NotImplementedError

    def _give_way(self, resident: _Resident, now: float) -> Iterator[Effect]:  # noqa: ARG002 - a rival may use the time
        """Decide what happens to an idle model while a request for another one waits."""
        resident.is_stopping = True
        yield Stop(resident.generation)


class ArrivalOrder(OneAtATime):
    """First come, first served; adjacent requests in the queue for the same model run together."""

    def _passing(self, resident: _Resident) -> list[Requested]:
        passing: list[Requested] = []
        for request in self._waiting.values():
            if request.spec.model_id != resident.model_id:
                break
            passing.append(request)
        return passing


class Collate(OneAtATime):
    """Requests for the running model overtake without bound; when it is idle, the longest waiting request is next.

    With a lull, a model counts as idle after that time without requests, so clients in a loop keep it loaded. Without a
    lull, it is evicted as soon as its last request ends.
    """

    def __init__(self, *, lull_s: float) -> None:
        super().__init__()
        self._lull_s = lull_s

    def _passing(self, resident: _Resident) -> list[Requested]:
        return [r for r in self._waiting.values() if r.spec.model_id == resident.model_id]

    def _give_way(self, resident: _Resident, now: float) -> Iterator[Effect]:
        idle_until = resident.idle_since + self._lull_s
        if now < idle_until:
            yield WakeAt(idle_until)
        else:
            yield from super()._give_way(resident, now)
