"""Plans launches and evictions for waiting requests. Pure: the plan changes nothing.

Each waiter stands for all requests for its model. In the order of ``waiting_order``, a model is launched, or waits for
residents that are stopping, or a set of residents is evicted for it (``placement`` has the decision tree). Idle
residents come first, then busy ones: these only drain, and only for a waiter that is overdue, or for an interactive
waiter if batch requests alone use them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from gglib.core.errors import (
    GglibError,
    InsufficientMemoryError,
    ModelsPinnedError,
    ModelTooLargeError,
)
from gglib.core.memory import DeviceBytes
from gglib.core.priority import Priority
from gglib.runtime.scheduler.events import StopReason
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.placement import MODELS, Candidate, Placement, Room, Vector, largest
from gglib.runtime.scheduler.repeated_loads import RepeatedLoads
from gglib.runtime.scheduler.state import PendingLoad, Resident, ResidentState, Waiter
from gglib.runtime.scheduler.victim_rule import LeastExpectedLoss, VictimRule

MEMORY_WAIT_S = 10.0
"""How long a request waits for memory that other programs use, from when they were first found to use it."""
UNUSED_GRACE_S = 3.0
"""How long a model that is unused since its load is safe from pending loads of other models: the client that requested
it with ``wait=0`` is about to return. Two such clients would otherwise evict each other's model for ever."""

_ABANDONED, _IDLE, _WARM, _DRAINING, _BUSY = range(5)
"""Ranks of victims: lower ranks are evicted first."""


@dataclass(frozen=True, slots=True)
class PlannedEviction:
    """A resident to stop or to drain for a waiter."""

    resident: Resident
    waiter: Waiter
    reason: StopReason


@dataclass(frozen=True, slots=True)
class Plan:
    """What the waiters need, in order."""

    launches: list[Waiter] = field(default_factory=list)
    sizes: dict[int, DeviceBytes] = field(default_factory=dict)
    """The memory of each launch, by the model's id."""
    evictions: list[PlannedEviction] = field(default_factory=list)

    @property
    def evicted(self) -> set[int]:
        """The generations of the residents to stop or to drain."""
        return {eviction.resident.generation for eviction in self.evictions}


def waiting_order(waiters: Iterable[Waiter], now: float, swap_wait_s: float) -> list[Waiter]:
    """Return waiters in the order of service: interactive before batch, then oldest first.

    A batch request that has waited for ``swap_wait_s`` ranks with the interactive ones.
    """
    ordered = list(waiters)
    if any(waiter.priority is not Priority.INTERACTIVE for waiter in ordered):
        ordered.sort(key=lambda waiter: _order(waiter, now, swap_wait_s))
    return ordered


def _order(waiter: Waiter, now: float, swap_wait_s: float) -> tuple[int, float, int]:
    is_overdue = now >= waiter.since + swap_wait_s
    return (Priority.INTERACTIVE if is_overdue else waiter.priority, waiter.since, waiter.ticket)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans for one state of the scheduler at one time."""

    residents: Sequence[Resident]
    waiters: Collection[Waiter]
    """All waiting requests."""
    sizes: dict[int, DeviceBytes]
    """The memory of the next launch of each waiting model, by id."""
    pending_sizes: dict[int, DeviceBytes] = field(default_factory=dict)
    """The memory of the launch of each pending load, by the model's id."""
    placement: Placement
    keep_warm: KeepWarm
    pinned: frozenset[int]
    repeated_loads: RepeatedLoads = field(default_factory=RepeatedLoads)
    victim_rule: VictimRule = field(default_factory=LeastExpectedLoss)
    swap_wait_s: float
    now: float

    def plan(self, next_waiters: Iterable[Waiter]) -> Plan:
        """Return what these waiters need: one for each model that no resident serves, in order."""
        plan = Plan()
        room = self.placement.room(
            [self._footprint(r) for r in self.residents if r.state is not ResidentState.STOPPING],
            [self._footprint(r) for r in self.residents if r.state is ResidentState.STOPPING],
        )
        for waiter in next_waiters:
            self._plan_for(waiter, room, plan)
        self._drop_surplus(plan, room)
        self._set_sizes(plan, room)
        return plan

    def is_overdue(self, waiter: Waiter) -> bool:
        """Whether a request, unlike a pending load, has waited for ``swap_wait_s``."""
        return not isinstance(waiter, PendingLoad) and self.now >= waiter.since + self.swap_wait_s

    def value(self, resident: Resident) -> float:
        """Return the value of keeping a resident (``victim_rule``)."""
        return self.victim_rule.value(
            resident, placement=self.placement, keep_warm=self.keep_warm, now=self.now
        )

    def _footprint(self, resident: Resident) -> Vector:
        return self.placement.footprint(resident.size, models=0 if self._is_replaced(resident) else 1)

    def _is_replaced(self, resident: Resident) -> bool:
        """Whether a resident stops beside the one that it has made way for."""
        return resident.has_made_way and any(
            r.spec.model_id == resident.made_way_for and r.state is not ResidentState.STOPPING
            for r in self.residents
        )

    def _may_begin_beside(self, model_id: int) -> bool:
        """Whether a resident that stops has made way for this load, and it has not begun yet."""
        return any(r.made_way_for == model_id == r.evicted_for for r in self.residents)

    def _plan_for(self, waiter: Waiter, room: Room, plan: Plan) -> None:
        model_id = waiter.spec.model_id
        existing = next((r for r in self.residents if r.spec.model_id == model_id), None)
        if existing is not None and existing.state is not ResidentState.STOPPING:
            self._plan_replacement(existing, waiter, plan)
            return
        size = self.placement.footprint(self.sizes[model_id])
        # The numbers are those of the decision tree (``placement``); 1 to 5 are decided already.
        can_begin = existing is None and not self._waits_for_stops(model_id)
        if can_begin and self._may_begin_beside(model_id) and room.fits_beside_stop(size):  # 9
            room.take_beside_stop(size)
            plan.launches.append(waiter)
        elif can_begin and room.fits_now(size):  # 6
            room.take(size)
            plan.launches.append(waiter)
        elif not (shortage := room.shortage(size)):  # 7
            room.reserve(size)
        elif (victims := self._victims(waiter, shortage, plan)) is not None:  # 8
            for victim in victims:
                room.give_back(victim.size)
                self._add_eviction(victim.generation, waiter, plan)
            room.reserve(size)
        elif self.is_overdue(waiter) and not self._exceeds_limits(waiter):
            room.reserve(size)  # no younger waiter takes the room that it waits for

    def _waits_for_stops(self, model_id: int) -> bool:
        """Whether the load of this model is repeated once the residents that stop for it have exited."""
        return model_id in self.repeated_loads and any(
            r.state is ResidentState.STOPPING
            and (r.evicted_for == model_id or self.repeated_loads.awaits(model_id, r.generation))
            for r in self.residents
        )

    def _drop_surplus(self, plan: Plan, room: Room) -> None:
        """Drop evictions for one waiter that those for later waiters have made unnecessary, the most valuable first."""
        evictions = [e for e in plan.evictions if e.resident.spec.model_id != e.waiter.spec.model_id]
        if len(evictions) == 1:
            return
        for eviction in sorted(evictions, key=lambda e: self.value(e.resident), reverse=True):
            size = self.placement.footprint(eviction.resident.size)
            if all(not size[device] or left >= size[device] for device, left in room.soon.items()):
                plan.evictions.remove(eviction)
                room.keep(size)

    def _set_sizes(self, plan: Plan, room: Room) -> None:
        """Let each launch serve the pending load of its model, too, if there is still room for its size."""
        for waiter in plan.launches:
            model_id = waiter.spec.model_id
            size = self.sizes[model_id]
            larger = largest((size, self.pending_sizes.get(model_id, size)))
            more = self.placement.difference(larger, size)
            if room.fits_now(more):
                room.take(more)
                size = larger
            plan.sizes[model_id] = size

    def _plan_replacement(self, existing: Resident, waiter: Waiter, plan: Plan) -> None:
        """Evict the launch of the waiter's own model: its context is too small or its version is older.

        It has to stop first: there are never two launches of one model. A draining launch that would serve the waiter
        is left alone: it takes requests again, or exits.
        """
        if waiter.is_served_by(existing) or existing.is_eviction_final or self._exceeds_limits(waiter):
            return
        if self._rank(existing, waiter) is not None:
            reason = StopReason.TOO_SMALL if existing.has_version_of(waiter.spec) else StopReason.UPDATED
            plan.evictions.append(PlannedEviction(existing, waiter, reason))

    def _victims(self, waiter: Waiter, shortage: dict[str, int], plan: Plan) -> tuple[Candidate, ...] | None:
        """Return the set of residents to evict for a waiter; None if there is none yet."""
        evicted = plan.evicted
        candidates = [
            Candidate(r.generation, self.placement.footprint(r.size), rank, self.value(r))
            for r in self.residents
            if r.generation not in evicted
            and r.spec.model_id not in self.pinned
            and (rank := self._rank(r, waiter)) is not None
        ]
        return self.victim_rule.choose(candidates, shortage)

    def _exceeds_limits(self, waiter: Waiter) -> bool:
        """Whether other programs use memory that the waiter's model needs, so that no eviction helps."""
        size = self.sizes[waiter.spec.model_id]
        return self.placement.exceeds_limits(size, besides=self.pinned_sizes(waiter))

    def refusal(self, waiter: Waiter) -> GglibError | None:
        """Return why a launch for this waiter is impossible; None if it is possible, or may become so."""
        name, size, pinned = waiter.spec.model_name, self._size_for(waiter), self._pinned_beside(waiter)
        if self.placement.exceeds_budget(size):  # 3
            return ModelTooLargeError(name, size, self.placement.memory_budget)
        if exceeded := self.placement.exceeded_by(size, [r.size for r in pinned]):  # 4
            in_the_way = (r for r in pinned if exceeded & self.placement.devices_of(r.size))
            names = tuple(sorted(r.spec.model_name for r in in_the_way))
            return ModelsPinnedError(name, names, self.placement.capacity if MODELS in exceeded else None)
        return None

    def lacks_memory(self, waiter: Waiter) -> bool:
        """Whether other programs use memory that a launch for this waiter needs, so that no eviction helps (5)."""
        return self.placement.exceeds_limits(self._size_for(waiter), besides=self.pinned_sizes(waiter))

    def insufficient_memory(self, waiter: Waiter) -> InsufficientMemoryError:
        """Return the error for a waiter that lacks memory for too long."""
        name, size, placement = waiter.spec.model_name, self._size_for(waiter), self.placement
        if placement.exceeds_limits(size):
            return InsufficientMemoryError(name, size, placement.memory_limits, MEMORY_WAIT_S)
        left = placement.memory_beside(self.pinned_sizes(waiter))
        return InsufficientMemoryError(name, size, left, MEMORY_WAIT_S, beside_pinned=True)

    def _size_for(self, waiter: Waiter) -> DeviceBytes:
        return largest((waiter.size, self.repeated_loads.size_of(waiter.spec.model_id)))

    def pinned_sizes(self, waiter: Waiter) -> list[DeviceBytes]:
        """Return the sizes of the residents that stay for any waiter of this model."""
        return [r.size for r in self._pinned_beside(waiter)]

    def _pinned_beside(self, waiter: Waiter) -> list[Resident]:
        return pinned_beside(self.residents, self.pinned, waiter.spec.model_id)

    def _add_eviction(self, generation: int, waiter: Waiter, plan: Plan) -> None:
        resident = next(r for r in self.residents if r.generation == generation)
        plan.evictions.append(PlannedEviction(resident, waiter, self._reason(resident, waiter)))

    def _reason(self, resident: Resident, waiter: Waiter) -> StopReason:
        if resident.state is ResidentState.LOADING:
            return StopReason.UNWANTED
        if not resident.holders and resident.state is ResidentState.READY:
            return StopReason.IDLE
        return StopReason.OVERDUE if self.is_overdue(waiter) else StopReason.PRIORITY

    def _rank(self, resident: Resident, waiter: Waiter) -> int | None:
        """Return the rank of a victim; None if it may not be evicted for this waiter now."""
        match resident.state:
            case ResidentState.LOADING:
                return self._loading_rank(resident, waiter)
            case ResidentState.READY if not resident.holders:
                return self._idle_rank(resident, waiter)
            case ResidentState.READY:
                return _BUSY if self._may_drain(resident, waiter) else None
            case ResidentState.DRAINING:
                is_draining_anyway = resident.is_eviction_final or self._may_drain(resident, waiter)
                return _DRAINING if is_draining_anyway else None
            case _:  # STOPPING: what it gives back counts without an eviction
                return None

    def _loading_rank(self, resident: Resident, waiter: Waiter) -> int | None:
        """Return the rank of an abandoned load. If it replaced one itself, only an overdue waiter evicts it."""
        if isinstance(waiter, PendingLoad) or not self.is_abandoned_load(resident):
            return None
        return _ABANDONED if self.is_overdue(waiter) or not resident.is_protected else None

    def _idle_rank(self, resident: Resident, waiter: Waiter) -> int | None:
        if resident.spec.model_id == waiter.spec.model_id:
            return _IDLE  # its clients have no use for it while a request needs a larger context or a newer version
        if isinstance(waiter, PendingLoad) and self.now < grace_until(resident):
            return None
        if self.now >= self.keep_warm.keep_until(resident.spec.model_id):
            return _IDLE
        return _WARM if self.is_overdue(waiter) else None

    def _may_drain(self, resident: Resident, waiter: Waiter) -> bool:
        """Whether a busy resident takes no new requests for this waiter."""
        if self.is_overdue(waiter):
            return True
        return (
            not isinstance(waiter, PendingLoad)
            and waiter.priority is Priority.INTERACTIVE
            and resident.holders == resident.batch_holders
            and not any(self._ranks_before(other, waiter) for other in self._waiters_of(resident))
        )

    def _waiters_of(self, resident: Resident) -> Iterable[Waiter]:
        return (waiter for waiter in self.waiters if waiter.spec.model_id == resident.spec.model_id)

    def _ranks_before(self, first: Waiter, second: Waiter) -> bool:
        return _order(first, self.now, self.swap_wait_s) < _order(second, self.now, self.swap_wait_s)

    def is_abandoned_load(self, resident: Resident) -> bool:
        """Whether a resident is loading although no request waits for it any more."""
        return resident.state is ResidentState.LOADING and not any(
            waiter.is_served_by(resident) for waiter in self.waiters
        )


def grace_until(resident: Resident) -> float:
    """Return until when an idle resident is safe from pending loads of other models."""
    return resident.since + UNUSED_GRACE_S if resident.is_unused else float("-inf")


def pinned_beside(residents: Iterable[Resident], pinned: Collection[int], model_id: int) -> list[Resident]:
    """Return the pinned residents that a launch of a model has to fit beside: not its own, and none that will stop."""
    return [
        r
        for r in residents
        if r.spec.model_id in pinned and r.spec.model_id != model_id and not r.is_terminating
    ]
