"""Snapshot of a runtime's state, as values."""

from dataclasses import dataclass, field

from gglib.core.memory import DeviceBytes
from gglib.core.runtime.kept_prompts import KeptTotals, KeptTransfer


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentStatus:
    """A model that is loading, loaded, or being unloaded. Times in seconds."""

    model_id: int
    model_name: str
    state: str
    """``loading``, ``ready``, ``draining`` or ``stopping``."""
    effective_ctx: int
    """In tokens, for each request."""
    in_flight: int = 0
    slots: int | None = None
    """How many requests it computes at a time; None if unknown or not known yet."""
    pid: int | None = None
    uptime_s: float | None = None
    """Time since it became ready; None before."""
    load_time_s: float | None = None
    """Duration of its load; None until it is ready."""
    loading_for_s: float | None = None
    """Elapsed time of its load; None once it is ready."""
    expected_load_s: float | None = None
    """Expected duration of the whole load, from its last load or its size; None once it is ready."""
    idle_ttl_s: float | None = None
    """It is unloaded after this time without requests; None: never."""
    idle_s: float | None = None
    """Time since its last request ended, or since it became ready; None while it loads or serves requests."""
    size: DeviceBytes = field(default_factory=dict)
    """Its memory in bytes, by device; empty if unknown."""
    is_measured: bool = False
    """Whether ``size`` is measured; else it is the expected size."""
    estimated_size: DeviceBytes = field(default_factory=dict)
    """What a launch with its options takes by the estimate from its header, in bytes by device; empty if unknown."""
    measured_size: DeviceBytes = field(default_factory=dict)
    """The most memory that it took so far, in bytes by device; empty until it is measured."""
    is_pinned: bool = False
    """Whether it is not evicted for other models."""
    threads: int | None = None
    """How many threads its engine computes with; None if unknown."""
    restored: KeptTransfer | None = None
    """The prompts of an earlier launch that were restored when it was loaded; None if none were."""
    kept_off_reason: str | None = None
    """Why its prompts are not kept while it is not in memory, as a clause; None if they are, or if none are kept."""
    keep_hint: str | None = None
    """A sentence with the command that would have saved time; None without a reason for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStatus:
    """A model that a server elsewhere serves, and the state of that server. Times in seconds."""

    model_id: int
    model_name: str
    host: str
    """Scheme and authority of the server."""
    in_flight: int = 0
    is_reachable: bool | None = None
    """Whether the last exchange succeeded; None before the first one."""
    last_failure: str = ""
    """Why the last failed exchange failed, as a sentence; empty if none did."""
    failed_ago_s: float | None = None
    """Time since that failure; None if there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingStatus:
    """The waiting requests of one model. Times in seconds."""

    model_name: str
    waiting: int
    longest_wait_s: float
    runs_in_s: float | None = None
    """Expected time until they run; None if unknown."""
    is_minimum: bool = False
    """Whether something of unknown duration comes before, such as the response of another model."""
    waits_for: str = ""
    """What they wait for: ``its load``, ``2 responses of small``; empty if the runtime does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapStatus:
    """A finished swap: one change of the models in memory. Times in seconds."""

    from_model: str | None
    """The unloaded model; None if there was room."""
    to_model: str | None
    """The loaded model; None if a model was only unloaded (idle time-to-live, stopped by the user, died)."""
    why: str
    """One clause for users: "'m1' was idle", "'m2' had waited 15.0 s while 'm1' was busy"."""
    request_id: str | None = None
    """Id of the request that caused it; None if none did."""
    waited_s: float = 0.0
    """From that request until the old model took no new requests."""
    drain_s: float = 0.0
    """From then until the last request of the old model ended."""
    stop_s: float = 0.0
    load_s: float = 0.0
    total_s: float = 0.0
    """From the request until its model was ready, or until the old model's process had exited."""
    error: str | None = None
    """Why the load failed; None if it did not."""
    ago_s: float = 0.0
    """Time since it finished."""
    ended_at: float | None = None
    """When it finished, in Unix seconds; None if the runtime does not know."""
    saved: KeptTransfer | None = None
    """The prompts of the unloaded model that were saved; None if none were."""
    restored: KeptTransfer | None = None
    """The prompts of the loaded model that were restored, a part of ``load_s``; None if none were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapCount:
    """Number of finished swaps with one reason, since the start."""

    reason: str
    """Why a model was unloaded: ``idle``, ``overdue``, ``priority``, ``unwanted``, ``too_small``, ``expired``,
    ``silent``, ``asked``, ``shutdown``, ``removed``, ``changed``, ``updated``, ``out_of_memory``, ``excess``,
    ``died``. ``room``: none was, there was room for the loaded model."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCount:
    """Number of finished loads of one model with one outcome, since the start."""

    model_name: str
    outcome: str
    """``ready``, ``failed``, or ``stopped`` (before it was ready)."""
    count: int
    total_s: float
    """Their total duration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStatus:
    """Snapshot of a runtime's state."""

    residents: tuple[ResidentStatus, ...] = ()
    remotes: tuple[RemoteStatus, ...] = ()
    """The models with a URL that were used since the start."""
    waiting: tuple[WaitingStatus, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    """Name and reason of each model whose last load failed, or whose process died too often."""
    last_swap: SwapStatus | None = None
    swaps: tuple[SwapCount, ...] = ()
    """By reason; without reasons that did not occur."""
    loads: tuple[LoadCount, ...] = ()
    """By model and outcome; without combinations that did not occur."""
    limits: DeviceBytes = field(default_factory=dict)
    """The memory budget of all models together in bytes, by device; empty if memory is not limited."""
    hint: str | None = None
    """A sentence that says how two models that were swapped repeatedly could both stay; None without a hint."""
    kept: KeptTotals | None = None
    """The prompts that were saved and restored, and the files; None for a runtime that keeps none."""

    @property
    def hints(self) -> tuple[str, ...]:
        """All hints: on models that were swapped repeatedly, then those of single models."""
        own = (resident.keep_hint for resident in self.residents)
        return tuple(hint for hint in (self.hint, *own) if hint is not None)

    @property
    def used(self) -> dict[str, int]:
        """The sum of the sizes of the residents in bytes, by device."""
        sums: dict[str, int] = {}
        for resident in self.residents:
            for device, size in resident.size.items():
                sums[device] = sums.get(device, 0) + size
        return sums
