"""The scheduler's input (events, past tense) and output (effects, imperative). Pure.

Treat all of them as immutable. The classes used by every request are not frozen, because creating a frozen instance
takes three times as long.

Fields with ``compare=False`` explain an effect to users and to the swap history; they do not change what it does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gglib.core.errors import GglibError
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.core.priority import Priority

SizesByLaunch = Mapping[tuple[ModelLaunchSpec, int], DeviceBytes]
"""The memory of launches by spec and context."""

# --- events: what happened ---------------------------------------------------------------------------------------


@dataclass(slots=True, unsafe_hash=True)
class Requested:
    """A request for a model. It needs ``needed_ctx`` tokens of context; a launch for it would use ``launch_ctx``."""

    ticket: int
    spec: ModelLaunchSpec
    needed_ctx: int
    launch_ctx: int
    request_id: str = ""
    waits: bool = True
    """False: only a ready model serves it; otherwise the model is loaded without it (``Prefer: wait=0``)."""
    priority: Priority = Priority.INTERACTIVE
    size: DeviceBytes = field(default_factory=dict, hash=False)
    """The memory that a launch with ``launch_ctx`` takes; empty if memory is not limited, or if a ready model serves
    the request (``Scheduler.grants_at_once``)."""


@dataclass(slots=True, unsafe_hash=True)
class RequestEnded:
    """A request has ended: its response is complete or failed, or it was cancelled while it waited."""

    ticket: int


@dataclass(frozen=True, slots=True)
class WaitTimedOut:
    """A request reached its maximum wait. The load continues without it, because clients retry."""

    ticket: int


@dataclass(frozen=True, slots=True)
class RequestStalled:
    """A request in flight received nothing from its engine for too long. ``RequestEnded`` follows."""

    ticket: int


@dataclass(frozen=True, slots=True)
class BecameReady:
    """A launch is ready for requests."""

    generation: int
    spec: ModelLaunchSpec | None = None
    """The launched spec, if the model was updated to another version after the launch was decided."""
    slots: int | None = None
    """How many requests its engine processes at a time; None if unknown."""


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """A launch failed: its process has exited, and its memory is free, as far as this is known."""

    generation: int
    error: GglibError


@dataclass(frozen=True, slots=True)
class Died:
    """The process of a ready launch exited without being stopped. ``Exited`` follows once its memory is free."""

    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process of a launch has exited, for any reason, and its memory is free, as far as this is known."""

    generation: int


@dataclass(frozen=True, slots=True)
class MadeWay:
    """A launch that stops goes on saving its prompts, and there is memory for the load that it was stopped for.

    While that model is in memory, it does not count as a model, only with its memory. Other loads wait for ``Exited``,
    which follows as after any stop: the memory was not compared with theirs.
    """

    generation: int


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Stop every resident: idle ones now, busy ones after their requests, at the latest at ``deadline``."""

    deadline: float
    model_id: int | None = None
    """Stop only this model; None: all."""
    is_shutdown: bool = False
    """Whether gglib stops, and not a user the models."""


@dataclass(frozen=True, slots=True)
class PinsChanged:
    """The pinned models. A pinned model is not evicted for other models, and its idle time-to-live does not apply."""

    model_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a ready launch; None: unchanged."""

    generation: int
    size: DeviceBytes | None = None
    """The memory that counts for it from now on (``MemoryAccounts.measure``)."""
    prompt_s: float | None = None
    """The time to process the prompts in its cache again, in seconds."""


@dataclass(frozen=True, slots=True)
class LimitsChanged:
    """How much memory all residents together may take, by device: the budget, or less if other programs need it."""

    limits: DeviceBytes


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """New limits; the fields are the parameters of ``Scheduler``. Idle residents beyond them are stopped."""

    capacity: int
    budget: DeviceBytes | None
    swap_wait_s: float
    queue_limit: int
    sizes: SizesByLaunch = field(default_factory=dict, hash=False)
    """With a budget: the size of each launch that is waited for, and of each resident without a size."""
    measured: Mapping[int, DeviceBytes] = field(default_factory=dict, hash=False)
    """What each measured resident counts with from now on, by generation."""


@dataclass(frozen=True, slots=True)
class ModelRemoved:
    """A model was removed from the catalogue: it takes no new requests, and is unloaded after those in flight."""

    model_id: int


@dataclass(frozen=True, slots=True)
class FileChanged:
    """The file of a loaded model was overwritten in place: the launch takes no new requests and is replaced."""

    generation: int


@dataclass(frozen=True, slots=True)
class Superseded:
    """The model has a newer version or other launch options: the launch stops after the requests in flight."""

    generation: int


@dataclass(frozen=True, slots=True)
class Tick:
    """The timer set by ``WakeAt`` has expired."""


Event = (
    Requested
    | RequestEnded
    | WaitTimedOut
    | RequestStalled
    | BecameReady
    | LoadFailed
    | Died
    | Exited
    | MadeWay
    | StopRequested
    | PinsChanged
    | Measured
    | LimitsChanged
    | Reconfigured
    | ModelRemoved
    | FileChanged
    | Superseded
    | Tick
)

# --- effects: what to do -----------------------------------------------------------------------------------------


class StopReason(Enum):
    """Why a resident is stopped. The values are published in ``GET /gglib/events`` and the metrics."""

    IDLE = "idle"
    """It is idle, and a request waits for another model."""
    OVERDUE = "overdue"
    """A request for another model has waited for ``swap_wait_s``."""
    PRIORITY = "priority"
    """An interactive request waits for another model, and only batch requests use this one."""
    UNWANTED = "unwanted"
    """Its load is abandoned, and a request waits for another model or a larger context."""
    TOO_SMALL = "too small"
    """A request needs a larger context."""
    EXPIRED = "expired"
    """It had no requests for its idle time-to-live."""
    SILENT = "silent"
    """It stalled: it accepted a request and sent nothing."""
    ASKED = "asked"
    """The user stopped it."""
    SHUTDOWN = "shutdown"
    """gglib stops."""
    REMOVED = "removed"
    """The model was removed from the catalogue."""
    CHANGED = "changed"
    """The model's file was overwritten while it was loaded."""
    UPDATED = "updated"
    """The model has a newer version, or its launch options were changed."""
    OUT_OF_MEMORY = "out of memory"
    """It is idle, and a load of another model ran out of memory."""
    EXCESS = "excess"
    """It is idle, and the models exceed the budget: it was reduced, or a model takes more than expected."""

    @property
    def is_final(self) -> bool:
        """Whether it stops even if no request waits any more."""
        return self in _FINAL


_FINAL = frozenset(
    (
        StopReason.SILENT,
        StopReason.ASKED,
        StopReason.SHUTDOWN,
        StopReason.REMOVED,
        StopReason.CHANGED,
        StopReason.UPDATED,
    )
)


@dataclass(frozen=True, slots=True)
class Eviction:
    """Why a resident is stopped, since when it takes no new requests, and for which waiting request, if any."""

    reason: StopReason
    since: float
    ticket: int | None = None


@dataclass(slots=True, unsafe_hash=True)
class Grant:
    """Send the request to this launch. It already counts as in flight."""

    ticket: int
    generation: int


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a process. ``ticket`` is the oldest waiting request, or the newest one of a pending load."""

    generation: int
    spec: ModelLaunchSpec
    context: int
    ticket: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the process of this launch, then send ``Exited``."""

    generation: int
    eviction: Eviction | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Refuse:
    """Fail the request with an error."""

    ticket: int
    error: GglibError


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send ``Tick`` at this time; replaces any earlier timer."""

    time: float


Effect = Grant | Launch | Stop | Refuse | WakeAt
