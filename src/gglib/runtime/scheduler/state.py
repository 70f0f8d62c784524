"""The scheduler's state: resident models, waiting requests and pending loads. Pure, without decisions."""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar

from gglib.core.context import is_enough
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.core.priority import Priority
from gglib.runtime.scheduler.events import Eviction, SizesByLaunch


class ResidentState(Enum):
    """The states of a launch."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    STOPPING = "stopping"


_TRANSITIONS = {
    ResidentState.LOADING: {ResidentState.READY, ResidentState.STOPPING},
    ResidentState.READY: {ResidentState.DRAINING, ResidentState.STOPPING},
    ResidentState.DRAINING: {ResidentState.READY, ResidentState.STOPPING},
    ResidentState.STOPPING: set[ResidentState](),
}


class IllegalTransitionError(Exception):
    """The scheduler attempted a transition that is not in its table: a bug in gglib."""


@dataclass(slots=True)
class Resident:
    """One launch of one model. Times are the scheduler's, in seconds."""

    generation: int
    spec: ModelLaunchSpec
    context: int
    state: ResidentState
    since: float
    """When it entered its state."""
    last_used: float
    launched_at: float = 0.0
    idle_ttl_s: float | None = None
    """How long it stays loaded without requests; from the newest request's settings. None: for ever."""
    holders: set[int] = field(default_factory=set)
    batch_holders: set[int] = field(default_factory=set)
    """The holders with batch priority."""
    interactive_at: float = float("-inf")
    """When an interactive request was last granted without waiting."""
    size: DeviceBytes = field(default_factory=dict)
    """Its memory by device: expected, or measured. Empty if it is unknown: without a budget, until it is measured."""
    is_measured: bool = False
    slots: int | None = None
    """How many requests its engine processes at a time; None if unknown."""
    prompt_s: float = 0.0
    """The time to process the prompts in its cache again, in seconds."""
    eviction: Eviction | None = None
    """Why it drains or stops; None: it does neither, or it stops because its process died."""
    made_way_for: int | None = None
    """Id of the model whose load may begin beside its stop, because it saves its prompts; None: no load may."""
    was_beside_saves: bool = False
    """Whether one that had made way exited while it was loading: it may have run out of memory before that."""
    stop_deadline: float | None = None
    """When it stops even if requests hold it; None: never."""
    is_protected: bool = False
    """It replaced an abandoned load: while it loads, it is not evicted before a waiter is overdue."""
    evicted_for: int | None = None
    """Id of the model that it drains or stops for. After the stop, that model is launched even if its waiters leave."""
    matched_spec: ModelLaunchSpec | None = None
    """The last requested spec of the same version. The next request mostly has the same object: comparing identities is
    much faster than comparing paths."""

    @property
    def is_idle(self) -> bool:
        """Whether it is ready and no request holds it."""
        return self.state is ResidentState.READY and not self.holders

    @property
    def is_unused(self) -> bool:
        """Whether it has served no request since it became ready."""
        return self.last_used <= self.since

    @property
    def has_made_way(self) -> bool:
        """Whether a load may begin beside its stop, or has begun."""
        return self.made_way_for is not None

    @property
    def has_died(self) -> bool:
        """Whether its process exited without being stopped; its memory may not be free yet."""
        return self.state is ResidentState.STOPPING and self.eviction is None

    @property
    def is_eviction_final(self) -> bool:
        """Whether it will stop and never take requests again, whatever the waiters do."""
        return self.stop_deadline is not None or (self.eviction is not None and self.eviction.reason.is_final)

    @property
    def is_terminating(self) -> bool:
        """Whether it is stopping, or will stop after its requests in flight."""
        return self.state is ResidentState.STOPPING or self.is_eviction_final

    def has_version_of(self, spec: ModelLaunchSpec) -> bool:
        """Whether it runs the version of a spec of the same model: each version has its own paths."""
        if self.matched_spec is spec:
            return True
        if self.spec.path != spec.path:
            return False
        self.matched_spec = spec
        return True

    def serves(self, spec: ModelLaunchSpec, needed_ctx: int) -> bool:
        """Whether it runs the version of a spec with enough context."""
        return (
            self.spec.model_id == spec.model_id
            and is_enough(running=self.context, needed=needed_ctx)
            and self.has_version_of(spec)
        )

    def transition_to(self, state: ResidentState, now: float) -> None:
        """Change state. An illegal transition raises ``IllegalTransitionError`` and changes nothing."""
        if state not in _TRANSITIONS[self.state]:
            raise IllegalTransitionError(f"{self.state} -> {state}")
        self.state, self.since = state, now


@dataclass(frozen=True, slots=True)
class Waiter:
    """A request that waits for a resident."""

    ticket: int
    spec: ModelLaunchSpec
    needed_ctx: int
    launch_ctx: int
    since: float
    priority: Priority = Priority.INTERACTIVE
    size: DeviceBytes = field(default_factory=dict)
    """The memory of a launch with ``launch_ctx``, by device; empty without a budget."""

    def is_served_by(self, resident: Resident) -> bool:
        """Whether this resident serves it, now or once it is ready.

        A launch decided after the request arrived has the version of the newest request, or a newer one.
        """
        return (
            resident.spec.model_id == self.spec.model_id
            and is_enough(running=resident.context, needed=self.needed_ctx)
            and (resident.has_version_of(self.spec) or resident.launched_at >= self.since)
        )

    def can_use(self, resident: Resident) -> bool:
        """Whether this resident can serve it now."""
        return resident.state is ResidentState.READY and self.is_served_by(resident)


@dataclass(frozen=True, slots=True)
class PendingLoad(Waiter):
    """A load without waiters that has not started: requested without waiting, or the rest of a started swap.

    ``since`` is the arrival of its first request, ``ticket`` that of its last request.
    """

    expires_at: float = 0.0


AnyWaiter = TypeVar("AnyWaiter", bound=Waiter)


def resized(waiter: AnyWaiter, sizes: SizesByLaunch) -> AnyWaiter:
    """Return a waiter with the size of its launch in ``sizes``, if there is one."""
    return replace(waiter, size=sizes.get((waiter.spec, waiter.launch_ctx), waiter.size))
