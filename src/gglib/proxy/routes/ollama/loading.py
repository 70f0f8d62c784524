"""Loads or unloads a model for a request without content, as Ollama does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from gglib.core.backends import UrlBackend
from gglib.http.headers import Headers
from gglib.http.response_writer import encode_header_lines
from gglib.proxy.access.priority import request_priority
from gglib.proxy.dialects.ollama.lines import NDJSON_HEADERS, ResponseLines
from gglib.proxy.errors import JSON
from gglib.proxy.names.candidates import Candidate, log_skip, resolve_request
from gglib.proxy.names.default_model import default_model
from gglib.proxy.names.fallback import first_that_runs
from gglib.proxy.options import Services
from gglib.proxy.relay.heartbeat import Heartbeat
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.ollama.names import with_resolved_name

_IN_MEMORY = frozenset(("loading", "ready"))
"""The states of models that requests may still use; others are being unloaded already."""


@dataclass(frozen=True, slots=True)
class LineHeartbeats:
    """Heartbeats that are complete lines with empty content."""

    lines: ResponseLines

    @property
    def stream_headers(self) -> Headers:
        """The headers of a stream of lines."""
        return NDJSON_HEADERS

    def heartbeat(self) -> bytes:
        """Return one line."""
        return self.lines.piece("")


@dataclass(frozen=True, slots=True)
class ModelUse:
    """How a request without content uses its model."""

    model: str | None
    """Its name as the client wrote it; None: the default."""
    path: str
    """The path of the engine for the same request with content; it determines the kind of the default model."""
    num_ctx: int | None
    """In tokens."""
    keep_alive_s: float | None

    @property
    def is_unload(self) -> bool:
        """Whether the model is to be unloaded."""
        return self.keep_alive_s == 0

    @property
    def done_reason(self) -> str:
        """The reason in the response."""
        return "unload" if self.is_unload else "load"


async def load_or_unload(  # noqa: PLR0913 - the parts of a request
    request: ProxyRequest,
    response: Response,
    services: Services,
    use: ModelUse,
    lines: ResponseLines,
    *,
    is_stream: bool,
) -> None:
    """Load the model, or unload it, then send one object. A stream gets heartbeats meanwhile."""
    if not is_stream:
        await apply_use(request, services, use)
        await response.send_body(lines.complete("", use.done_reason, {}), [JSON])
        return
    async with Heartbeat(response, services.options.heartbeat_s, LineHeartbeats(lines)):
        await apply_use(request, services, use)
    await end_stream(response, lines.last(use.done_reason, {}))


async def end_stream(response: Response, line: bytes) -> None:
    """Send the last line of a stream, which heartbeats may have started."""
    if response.is_started:
        await response.write(line, is_last=True)
        return
    lines = encode_header_lines(NDJSON_HEADERS)
    await response.start_with(200, lines, length=None, is_stream=True, part=line, is_last=True)


async def apply_use(request: ProxyRequest, services: Services, use: ModelUse) -> None:
    """Load the model and set how long it stays; or unload it once no request uses it or waits for it."""

    async def attempt(name: str | None) -> None:
        candidates, _ = await resolve_request(name or await default_model(use.path, services), services)
        if use.is_unload:
            await _unload(candidates, request, services, use)
        else:
            await first_that_runs(
                candidates,
                partial(_hold_briefly, request, services, use),
                on_skip=partial(log_skip, request.id),
            )

    await with_resolved_name(use.model, services, attempt)


async def _unload(
    candidates: Sequence[Candidate], request: ProxyRequest, services: Services, use: ModelUse
) -> None:
    """Unload those of the models that are in memory; one that is loading for other requests serves them first."""
    status = await services.runtime.status()
    resident = {model.model_name for model in status.residents if model.state in _IN_MEMORY}
    for candidate in candidates:
        if candidate.name not in resident:
            continue
        if candidate.spec is None:  # a runtime that launches nothing has no time-to-live
            await services.runtime.unload(candidate.name)
        else:
            await _hold_briefly(request, services, use, candidate)


async def _hold_briefly(
    request: ProxyRequest, services: Services, use: ModelUse, candidate: Candidate
) -> None:
    """Admit the request like one with content, and end it when its model is ready.

    The model's time-to-live is then that of this request.
    """
    request.model = candidate.name
    if candidate.spec is not None and isinstance(candidate.spec.backend, UrlBackend):  # never in memory
        request.running_target = await services.runtime.load(
            candidate.name, use.num_ctx, services.default_ctx
        )
        return
    spec = None if candidate.spec is None else replace(candidate.spec, keep_alive_s=use.keep_alive_s)
    priority = request_priority(request.caller_priority, None if spec is None else spec.settings.priority)
    async with services.runtime.admit(
        candidate.name,
        use.num_ctx,
        services.default_ctx,
        wait_s=request.wait_s,
        request_id=request.id,
        spec=spec,
        priority=priority,
    ) as target:
        request.running_target = target
