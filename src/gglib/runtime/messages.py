"""What the shell tells the scheduler (events, past tense), and what it is told to do (effects, imperative). Pure."""

from dataclasses import dataclass

from gglib.core.errors import GglibError
from gglib.core.models import ModelLaunchSpec

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
