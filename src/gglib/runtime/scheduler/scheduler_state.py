"""The state of the scheduler, and questions about it: which waiters a resident serves, which are next. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gglib.core.memory import DeviceBytes
from gglib.core.priority import Priority
from gglib.runtime.scheduler.backoff import Backoff
from gglib.runtime.scheduler.batch_limits import BatchLimits
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.pending_loads import PendingLoads
from gglib.runtime.scheduler.placement import Placement, largest
from gglib.runtime.scheduler.planning import Planner, pinned_beside, waiting_order
from gglib.runtime.scheduler.repeated_loads import RepeatedLoads
from gglib.runtime.scheduler.state import AnyWaiter, PendingLoad, Resident, ResidentState, Waiter
from gglib.runtime.scheduler.victim_rule import VictimRule

_SERVING_STATES = {ResidentState.LOADING, ResidentState.READY}
"""The states in which a resident serves its waiters, now or once it is ready."""


@dataclass(slots=True, kw_only=True)
class SchedulerState:
    """Everything that the scheduler knows. The other modules of the package change it."""

    placement: Placement
    swap_wait_s: float
    queue_limit: int
    keep_warm: KeepWarm
    victim_rule: VictimRule
    residents: dict[int, Resident] = field(default_factory=dict)
    """By generation, oldest first."""
    waiters: dict[int, Waiter] = field(default_factory=dict)
    """By ticket, oldest first."""
    last_generation: int = 0
    pinned: frozenset[int] = frozenset()
    """Models that are not evicted for other models."""
    protected: set[int] = field(default_factory=set)
    """Models whose next load replaces an abandoned load, and is therefore protected."""
    pending_loads: PendingLoads = field(default_factory=PendingLoads)
    backoff: Backoff = field(default_factory=Backoff)
    batch_limits: BatchLimits = field(default_factory=BatchLimits)
    repeated_loads: RepeatedLoads = field(default_factory=RepeatedLoads)
    short_since: dict[int, float] = field(default_factory=dict)
    """Since when a request, by ticket, lacks memory that other programs use."""
    has_excess: bool = False
    """Whether the residents may exceed a reduced budget."""

    def has_eviction_for(self, model_id: int) -> bool:
        """Whether a resident is stopping for a model."""
        return any(
            r.state is ResidentState.STOPPING and r.evicted_for == model_id for r in self.residents.values()
        )

    def clear_evictions_for(self, model_id: int) -> None:
        """Unmark the evictions for a model whose swap is complete (launched) or ends (failed, removed, refused)."""
        for resident in self.residents.values():
            if resident.evicted_for == model_id:
                resident.evicted_for = None

    def tickets_for(self, model_id: int | None) -> list[int]:
        """Return the tickets of the requests that need a model: its waiters, oldest first, then its pending load."""
        requests = (*self.waiters.values(), *self.pending_loads.all)
        return [request.ticket for request in requests if request.spec.model_id == model_id]

    def is_ready_for(self, waiter: Waiter, now: float) -> bool:
        """Whether a ready resident can serve a request now."""
        return any(self.can_grant(waiter, resident, now) for resident in self.residents.values())

    def can_grant(self, waiter: Waiter, resident: Resident, now: float) -> bool:
        """Whether a resident can serve a request now; a batch request also needs a slot."""
        if not waiter.can_use(resident):
            return False
        return waiter.priority is Priority.INTERACTIVE or self.batch_limits.has_room(resident, now)

    def unserved(self, waiters: Iterable[AnyWaiter]) -> list[AnyWaiter]:
        """Return the waiters that no ready or loading resident will serve."""
        return [
            waiter
            for waiter in waiters
            if not any(r.state in _SERVING_STATES and waiter.is_served_by(r) for r in self.residents.values())
        ]

    def next_waiters(self, now: float) -> list[Waiter]:
        """Return the first waiter of each model that no current launch will serve, in the order of service."""
        next_waiters: dict[int, Waiter] = {}
        placeable = self.placeable(self.unserved(tuple(self.waiters.values())))
        for waiter in waiting_order(placeable, now, self.swap_wait_s):
            next_waiters.setdefault(waiter.spec.model_id, waiter)
        return list(next_waiters.values())

    def next_pending_loads(self) -> list[PendingLoad]:
        """Return the pending loads of models without waiters that no current launch will serve, oldest first."""
        waited_for = {waiter.spec.model_id for waiter in self.waiters.values()}
        placeable = self.placeable(self.unserved(self.pending_loads.all))
        return [load for load in placeable if load.spec.model_id not in waited_for]

    def placeable(self, waiters: Iterable[AnyWaiter]) -> list[AnyWaiter]:
        """Return the waiters whose launch fits into what other programs and the pinned residents leave.

        The others wait for memory. Otherwise one request for a large context would hold up its model for all requests.
        """
        if not self.placement.limits_memory:
            return list(waiters)
        return [
            waiter
            for waiter in waiters
            if not self.placement.exceeds_limits(waiter.size, besides=self.pinned_sizes(waiter.spec.model_id))
        ]

    def pinned_sizes(self, model_id: int) -> list[DeviceBytes]:
        """Return the sizes of the pinned residents that a launch of a model has to fit beside."""
        return [r.size for r in pinned_beside(self.residents.values(), self.pinned, model_id)]

    def launch_sizes(self) -> dict[int, DeviceBytes]:
        """Return the memory of the next launch of each requested model: enough for all its waiters.

        A pending load does not count beside waiters: no request waits for it (``pending_sizes``).
        """
        sizes: dict[int, DeviceBytes] = {}
        for waiter in self.placeable(self.waiters.values()):
            model_id = waiter.spec.model_id
            known = sizes.get(model_id, self.repeated_loads.size_of(model_id))
            sizes[model_id] = largest((known, waiter.size))
        return self.pending_sizes() | sizes

    def pending_sizes(self) -> dict[int, DeviceBytes]:
        """Return the memory of the launch of each pending load, by model."""
        return {
            load.spec.model_id: largest((self.repeated_loads.size_of(load.spec.model_id), load.size))
            for load in self.placeable(self.pending_loads.all)
        }

    def is_last_waiter_of_started_swap(self, waiter: Waiter) -> bool:
        """Whether a resident was stopped for this waiter's model, and no other waiter needs that model."""
        model_id = waiter.spec.model_id
        return self.has_eviction_for(model_id) and not any(
            other.spec.model_id == model_id for other in self.waiters.values()
        )

    def expires_at(self, resident: Resident) -> float | None:
        """Return when an idle resident's time-to-live expires; None while it is in use or pinned, or without one."""
        if not resident.is_idle or resident.idle_ttl_s is None or resident.spec.model_id in self.pinned:
            return None
        return resident.last_used + resident.idle_ttl_s

    def planner(self, now: float) -> Planner:
        """Return the planner of this state."""
        return Planner(
            residents=tuple(self.residents.values()),
            waiters=tuple(self.waiters.values()),
            sizes=self.launch_sizes(),
            pending_sizes=self.pending_sizes(),
            placement=self.placement,
            keep_warm=self.keep_warm,
            pinned=self.pinned,
            repeated_loads=self.repeated_loads,
            swap_wait_s=self.swap_wait_s,
            victim_rule=self.victim_rule,
            now=now,
        )
