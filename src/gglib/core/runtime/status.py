"""A moment in the life of a runtime, as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentStatus:
    """One model that is loaded, on its way in or on its way out. Times in seconds."""

    model_id: int
    model_name: str
    state: str
    """``loading``, ``ready``, ``draining`` or ``stopping``."""
    effective_ctx: int
    """In tokens, for each request."""
    in_flight: int = 0
    slots: int | None = None
    """How many requests it computes at a time; None where that is not known, or not yet."""
    pid: int | None = None
    uptime_s: float | None = None
    """Since it was ready; None before."""
    load_time_s: float | None = None
    """How long its load took; None while it lasts."""
    loading_for_s: float | None = None
    """How long its load has lasted so far; None once it is ready."""
    expected_load_s: float | None = None
    """How long the whole load may take, from its last one or from its size; None once it is ready."""
    idle_ttl_s: float | None = None
    """After so long without a request it leaves the memory; None stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingStatus:
    """The requests that wait for one model. Times in seconds."""

    model_name: str
    waiting: int
    longest_wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapStatus:
    """One change of what is in memory, that is over. Times in seconds."""

    from_model: str | None
    """Who left for it; None where there was room."""
    to_model: str | None
    """Who came; None where a model only left (idle for too long, stopped by the user, died)."""
    why: str
    """One clause for a person: "m1 was idle", "m2 had waited 15 s, the longest that m1 may keep others waiting"."""
    request_id: str | None = None
    """The request that asked for it; None where none did."""
    waited_s: float = 0.0
    """From that request to the moment that its turn came."""
    drain_s: float = 0.0
    """From then until the last request of the leaving model was over."""
    stop_s: float = 0.0
    load_s: float = 0.0
    total_s: float = 0.0
    """From the request until its model was ready, or until the leaving model was gone."""
    error: str | None = None
    """Why the load failed; None where it did not."""
    ago_s: float = 0.0
    """How long it has been over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapCount:
    """How many swaps that are over had one reason, since the start."""

    reason: str
    """Why a model left: ``idle``, ``overdue``, ``unwanted``, ``too_small``, ``expired``, ``silent``, ``asked``,
    ``removed``, ``changed``, ``updated``, ``died``. ``room``: none had to, there was room for the one that came."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCount:
    """How many loads of one model ended in one way, since the start."""

    model_name: str
    outcome: str
    """``ready``, ``failed``, or ``stopped`` (told to stop before it was ready)."""
    count: int
    total_s: float
    """How long they took, all of them together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStatus:
    """A moment in the life of a runtime."""

    residents: tuple[ResidentStatus, ...] = ()
    waiting: tuple[WaitingStatus, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    """Model name and reason of each model whose last load failed, or that died too often."""
    last_swap: SwapStatus | None = None
    swaps: tuple[SwapCount, ...] = ()
    """By reason; a reason that did not occur is not there."""
    loads: tuple[LoadCount, ...] = ()
    """By model and outcome; what did not occur is not there."""
