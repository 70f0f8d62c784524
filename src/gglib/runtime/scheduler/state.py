"""What the scheduler looks at: who is in memory, on the way in or out, and who waits. Pure state, no decisions."""

from dataclasses import dataclass, field
from enum import Enum

from gglib.core.context import is_enough
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.events import Eviction


class ResidentState(Enum):
    """The life of a launch."""

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
    """The scheduler was about to do what its table forbids: a fault of ours."""


@dataclass(slots=True)
class Resident:
    """One launch of one model. Times are the scheduler's, in seconds."""

    generation: int
    spec: ModelLaunchSpec
    context: int
    state: ResidentState
    since: float
    """When it came into its state."""
    last_used: float
    launched_at: float = 0.0
    idle_ttl_s: float | None = None
    """How long it stays without a request; follows the newest request's settings. None: for ever."""
    holders: set[int] = field(default_factory=set)
    eviction: Eviction | None = None
    """Why it drains or stops."""
    stop_by: float | None = None
    """When it stops even if somebody holds it; None waits for ever."""
    is_protected: bool = False
    """Its load took the place of an abandoned one, and is not abandoned itself before somebody is overdue."""
    evicted_for: int | None = None
    """The model for which it drains or stops: once it has stopped, that model is launched even if its waiters left."""
    matched_spec: ModelLaunchSpec | None = None
    """The last spec of a request that was of the same version: the next request mostly has the same object, which is
    compared in no time, as the paths are not."""

    @property
    def is_idle(self) -> bool:
        """Whether it could answer and nobody asks."""
        return self.state is ResidentState.READY and not self.holders

    @property
    def is_unused(self) -> bool:
        """Whether it has answered no request since it became ready."""
        return self.last_used <= self.since

    @property
    def is_eviction_final(self) -> bool:
        """Whether it drains and will not take requests again, whoever waits or leaves."""
        return self.stop_by is not None or (self.eviction is not None and self.eviction.reason.is_final)

    @property
    def is_terminating(self) -> bool:
        """Whether nothing keeps it in memory any more but the requests that it answers."""
        return self.state is ResidentState.STOPPING or self.is_eviction_final

    def has_version_of(self, spec: ModelLaunchSpec) -> bool:
        """Whether it runs the version that a spec of its model names: each version has paths of its own."""
        if self.matched_spec is spec:
            return True
        if self.spec.path != spec.path:
            return False
        self.matched_spec = spec
        return True

    def transition_to(self, state: ResidentState, now: float) -> None:
        """Change state; an illegal move raises and changes nothing."""
        if state not in _TRANSITIONS[self.state]:
            raise IllegalTransitionError(f"{self.state} -> {state}")
        self.state, self.since = state, now


@dataclass(frozen=True, slots=True)
class Waiter:
    """One request that is not served yet."""

    ticket: int
    spec: ModelLaunchSpec
    needed_ctx: int
    launch_ctx: int
    since: float

    def is_served_by(self, resident: Resident) -> bool:
        """Whether this resident is, or will be, what it asked for.

        A launch that was decided after the request came has the version of the newest request, or a newer one.
        """
        return (
            resident.spec.model_id == self.spec.model_id
            and is_enough(running=resident.context, needed=self.needed_ctx)
            and (resident.has_version_of(self.spec) or resident.launched_at >= self.since)
        )

    def can_use(self, resident: Resident) -> bool:
        """Whether this resident would serve it at once."""
        return resident.state is ResidentState.READY and self.is_served_by(resident)


@dataclass(frozen=True, slots=True)
class PendingLoad(Waiter):
    """A load that no request waits for any more: it was asked for with ``wait=0``, or its swap had begun.

    ``since`` is when it was first asked for, ``ticket`` the request that asked last.
    """

    expires_at: float = 0.0
