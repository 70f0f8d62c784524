"""The state of a server in ``gglib top``, and its changes by responses and events. Pure: times are monotonic."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gglib.cli.top.rates import Rates
from gglib.core.history.matching import is_failed
from gglib.core.history.requests import RunningRequest, StoredRequest
from gglib.core.runtime.status import ResidentStatus, SwapStatus, WaitingStatus
from gglib.proxy.routes.responses import Node, Status

MAX_KEPT = 50
"""Swaps and failed requests that are kept."""
_SAME_SWAP_S = 2.0
"""A swap in a status and one of an event are the same if they ended within this time, and are equal otherwise."""
_OWN_ROUTES = ("/gglib/", "/metrics", "/health", "/ready")


@dataclass(frozen=True, slots=True)
class EndedSwap:
    """A swap, and when it ended."""

    swap: SwapStatus
    ended_s: float


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A failed request, and when it ended."""

    request: StoredRequest
    ended_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TopData:
    """The latest that is known. Swaps and failed requests: newest first."""

    url: str
    started_s: float | None = None
    """When the server started; None if unknown."""
    status: Status | None = None
    """None before the first one, and while the server does not respond."""
    status_s: float = 0.0
    """When it arrived."""
    running: tuple[RunningRequest, ...] = ()
    """Requests of clients in progress, oldest first."""
    running_s: float = 0.0
    has_requests: bool = True
    """Whether the server reports requests; an older one does not."""
    swaps: tuple[EndedSwap, ...] = ()
    failed: tuple[FailedRequest, ...] = ()
    rates: Rates = field(default_factory=Rates)
    nodes: tuple[Node, ...] = ()
    """The nodes of the server, its own machine first; empty if it has no others."""
    has_nodes: bool = True
    """Whether the server reports nodes; an older one does not."""
    problem: str | None = None
    """Why the server does not respond; None if it does."""

    @property
    def residents(self) -> tuple[ResidentStatus, ...]:
        """The models in memory."""
        return self.status.residents if self.status is not None else ()

    @property
    def waiting(self) -> tuple[WaitingStatus, ...]:
        """The waiting requests, by model."""
        return self.status.waiting if self.status is not None else ()

    def resident(self, name: str | None) -> ResidentStatus | None:
        """Return the model in memory with this name."""
        return next((resident for resident in self.residents if resident.model_name == name), None)


def with_status(data: TopData, status: Status, now_s: float) -> TopData:
    """Return the data with a new status; its last swap is added if no event has brought it."""
    data = replace(data, status=status, status_s=now_s, problem=None)
    return data if status.last_swap is None else with_swap(data, status.last_swap, now_s)


def with_running(data: TopData, running: Sequence[RunningRequest], now_s: float) -> TopData:
    """Return the data with the requests in progress, without those of operators."""
    shown = tuple(request for request in running if is_of_client(request))
    return replace(data, running=shown, running_s=now_s)


def with_swap(data: TopData, swap: SwapStatus, now_s: float) -> TopData:
    """Return the data with a swap that ended ``swap.ago_s`` ago, unless it is known."""
    ended_s = now_s - swap.ago_s
    swap = replace(swap, ago_s=0.0)
    if any(known.swap == swap and abs(known.ended_s - ended_s) < _SAME_SWAP_S for known in data.swaps):
        return data
    swaps = sorted((EndedSwap(swap, ended_s), *data.swaps), key=lambda known: -known.ended_s)
    return replace(data, swaps=tuple(swaps[:MAX_KEPT]))


def with_finished(data: TopData, request: StoredRequest, ended_s: float) -> TopData:
    """Return the data with a finished request: it is no longer in progress, and is kept if it failed."""
    running = data.running
    if any(known.request_id == request.request_id for known in running):
        running = tuple(known for known in running if known.request_id != request.request_id)
    failed = data.failed
    if is_failed(request.error, request.status):
        kept = [known for known in failed if known.request.request_id != request.request_id]
        newest = sorted((FailedRequest(request, ended_s), *kept), key=lambda known: -known.ended_s)
        failed = tuple(newest[:MAX_KEPT])
    if running is data.running and failed is data.failed:
        return data
    return replace(data, running=running, failed=failed)


def without_server(data: TopData, problem: str) -> TopData:
    """Return the data while the server does not respond: past swaps and failures are kept, current values are not."""
    return replace(data, status=None, running=(), nodes=(), rates=Rates(), problem=problem)


def is_of_client(request: RunningRequest | StoredRequest) -> bool:
    """Whether a request is for a model, or of a client; operators' requests, such as those of this view, are not."""
    return request.model is not None or not request.route.startswith(_OWN_ROUTES)
