"""What the shell tells the scheduler (events, past tense), and what it is told to do (effects, imperative). Pure.

Nobody changes one. Those that every request has are not frozen, because making a frozen one takes three times as long.

What is not compared explains an effect to people and to the journal; it changes nothing in what has to be done.
"""

from dataclasses import dataclass, field
from enum import Enum

from gglib.core.errors import GglibError
from gglib.core.models import ModelLaunchSpec

# --- events: what happened ---------------------------------------------------------------------------------------


@dataclass(slots=True, unsafe_hash=True)
class Requested:
    """Somebody asks for a model: ``needed_ctx`` serves them, ``launch_ctx`` is what a launch for them would use."""

    ticket: int
    spec: ModelLaunchSpec
    needed_ctx: int
    launch_ctx: int
    request_id: str = ""
    waits: bool = True
    """False: it is served only by what is ready; otherwise the load goes on without it (``Prefer: wait=0``)."""


@dataclass(slots=True, unsafe_hash=True)
class RequestEnded:
    """A request is over: it was answered, or it went away while it waited."""

    ticket: int


@dataclass(frozen=True, slots=True)
class WaitTimedOut:
    """A request stopped waiting and will be sent again later: the load that it waited for goes on without it."""

    ticket: int


@dataclass(frozen=True, slots=True)
class RequestStalled:
    """A request that holds a resident has heard nothing from it for too long. ``RequestEnded`` follows."""

    ticket: int


@dataclass(frozen=True, slots=True)
class BecameReady:
    """A launch answers requests now."""

    generation: int
    spec: ModelLaunchSpec | None = None
    """What was launched, where the model had moved to another version since the launch was decided."""


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """A launch came to nothing, and nothing of it is left."""

    generation: int
    error: GglibError


@dataclass(frozen=True, slots=True)
class Died:
    """The process of a launch that was ready is gone, and nobody had told it to go."""

    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process of a launch is gone, for whatever reason."""

    generation: int


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Every resident has to go: idle ones now, busy ones when they are free, at the latest at ``deadline``."""

    deadline: float


@dataclass(frozen=True, slots=True)
class ModelRemoved:
    """A model was removed from the catalogue: it takes no new requests, and leaves memory after those in flight."""

    model_id: int


@dataclass(frozen=True, slots=True)
class FileChanged:
    """The file of a loaded model was overwritten in place: the launch takes no new requests and is replaced."""

    generation: int


@dataclass(frozen=True, slots=True)
class Superseded:
    """The model moved to a newer version: the launch takes no new requests and ends after those in flight."""

    generation: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing happened but time."""


Event = (
    Requested
    | RequestEnded
    | WaitTimedOut
    | RequestStalled
    | BecameReady
    | LoadFailed
    | Died
    | Exited
    | StopRequested
    | ModelRemoved
    | FileChanged
    | Superseded
    | Tick
)

# --- effects: what to do -----------------------------------------------------------------------------------------


class StopReason(Enum):
    """Why a resident leaves."""

    IDLE = "idle"
    """Somebody waits for another model, and nobody uses this one."""
    OVERDUE = "overdue"
    """Somebody has waited for another model as long as this one may keep them waiting."""
    UNWANTED = "unwanted"
    """Nobody waits for its load any more, and somebody waits for another model."""
    TOO_SMALL = "too small"
    """Somebody needs a larger context than it has."""
    EXPIRED = "expired"
    """Nobody asked for it during its idle time-to-live."""
    SILENT = "silent"
    """It took a request and fell silent."""
    ASKED = "asked"
    """The user said so."""
    REMOVED = "removed"
    """The model was removed from the catalogue."""
    CHANGED = "changed"
    """The model's file was overwritten while it was loaded."""
    UPDATED = "updated"
    """The model has a newer version."""

    @property
    def is_final(self) -> bool:
        """Whether it goes even if nobody waits any more."""
        return self in _FINAL


_FINAL = frozenset(
    (StopReason.SILENT, StopReason.ASKED, StopReason.REMOVED, StopReason.CHANGED, StopReason.UPDATED)
)


@dataclass(frozen=True, slots=True)
class Eviction:
    """Why a resident leaves, for which waiting request, and since when it takes no new ones."""

    reason: StopReason
    since: float
    ticket: int | None = None


@dataclass(slots=True, unsafe_hash=True)
class Grant:
    """Let the request go to this launch. It is counted as a hold already."""

    ticket: int
    generation: int


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a process; ``ticket`` is the oldest request that waits for it, or the newest that asked without waiting."""

    generation: int
    spec: ModelLaunchSpec
    context: int
    ticket: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Stop:
    """End the process of this launch and tell ``Exited``."""

    generation: int
    eviction: Eviction | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the request that it will not be served, and why."""

    ticket: int
    error: GglibError


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send ``Tick`` at this time; it replaces any earlier wish."""

    time: float


Effect = Grant | Launch | Stop | Refuse | WakeAt
