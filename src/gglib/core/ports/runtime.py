"""What runs models: the one port that the proxy needs to turn a name into an address."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from gglib.core.models import RunningTarget


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


class ModelRuntimePort(ABC):
    """Runs models. The three abstract methods are enough to serve with."""

    @abstractmethod
    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Return a target that runs ``model_name``, launching it when needed; waits as long as that takes.

        ``num_ctx`` is what the request asked for, ``default_ctx`` what holds when neither it nor the model says.
        Raises a ``GglibError``.
        """

    @abstractmethod
    async def current_model(self) -> RunningTarget | None:
        """Return the model that is ready now, or None."""

    @abstractmethod
    async def stop_current(self) -> None:
        """Stop what runs and return when it is gone; no error when nothing runs."""

    def admit(
        self,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        *,
        wait_s: float | None = None,  # noqa: ARG002 - for runtimes that can leave a load going on
        request_id: str = "",  # noqa: ARG002 - for runtimes that say who asked for a swap
    ) -> AbstractAsyncContextManager[RunningTarget]:
        """Return the target, held for one request: it is not evicted before the block ends, however it ends.

        A block that ends with ``UpstreamStalledError`` tells the runtime that the target took the request and fell
        silent; it may replace the target when nobody else uses it.

        ``wait_s`` bounds the wait, after which ``ModelLoadingError`` is raised while the load goes on; None waits for
        as long as the runtime thinks right. The default holds nothing: it only calls ``ensure_model_running``.
        """
        return self._admit_without_hold(model_name, num_ctx, default_ctx)

    def is_wanted(self, target: RunningTarget) -> bool:  # noqa: ARG002 - for runtimes that swap
        """Whether requests for another model have waited beyond their bound, and only those on ``target`` keep it out.

        The proxy then has less patience with clients that do not read what ``target`` answers. Asked about once a
        second for each of those; the default says no.
        """
        return False

    async def status(self) -> RuntimeStatus:
        """Return what is resident and who waits. The default knows of the current model only."""
        target = await self.current_model()
        if target is None:
            return RuntimeStatus()
        return RuntimeStatus(
            residents=(
                ResidentStatus(
                    model_id=target.model_id,
                    model_name=target.model_name,
                    state="ready",
                    effective_ctx=target.effective_ctx,
                ),
            )
        )

    @asynccontextmanager
    async def _admit_without_hold(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> AsyncIterator[RunningTarget]:
        yield await self.ensure_model_running(model_name, num_ctx, default_ctx)
