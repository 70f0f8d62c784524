"""Forwards llama.cpp's own routes that read or change a running engine. The model is in the query or a small body.

Reads (``/props``, ``/slots``, ``/metrics``, ``/lora-adapters``) are polled by dashboards. So they hold no lease, do not
count as a use of the model, and cause no load unless the request names the model and the route loads one: polling must
neither keep a model in memory nor swap it back in. A read in progress may therefore fail when its model is unloaded.
Changes and streams hold a lease like every other request.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gglib.core.models import RunningTarget
from gglib.http.client.pool import UpstreamRequest
from gglib.http.errors import TransportError
from gglib.proxy.access.engine_paths import PathRedaction
from gglib.proxy.access.priority import request_priority
from gglib.proxy.bodies import read_plain_body
from gglib.proxy.errors import EngineError, ModelNotLoadedError
from gglib.proxy.forward import relay, with_hint
from gglib.proxy.names.candidates import Candidate, log_skip, resolve_candidates, resolve_request
from gglib.proxy.names.fallback import first_that_runs
from gglib.proxy.names.named_model import NamedModel, read_named_model
from gglib.proxy.names.served_paths import check_served
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import caller_of
from gglib.proxy.upstream_errors import upstream_error

BODY_LIMIT_BYTES = 64 * 1024
"""More than a file name, the scales of adapters, or the ids of conversations need."""
_NO_BODY = frozenset(("GET", "HEAD"))


@dataclass(frozen=True, slots=True)
class EngineRoute:
    """How a route uses its engine."""

    loads: bool
    """Whether the model is loaded if the request names it and it is not in memory."""
    is_read: bool = False
    """Whether the request holds no lease while the model is in memory."""
    has_paths: bool = False
    """Whether the response may have paths of this machine, which only admins see."""
    check_body: Callable[[bytes], None] | None = None
    """Raises ``BadRequestError`` for a body that must not be forwarded; it is JSON or empty."""
    check_target: Callable[[RunningTarget], None] | None = None
    """Raises an error for an engine that must not get the request."""


async def forward_query(
    request: ProxyRequest, response: Response, services: Services, *, route: EngineRoute
) -> None:
    """Forward a request to the engine of the model that it names, else of the one that was used last.

    Only engines of this machine: what a slot or an adapter is called depends on the engine. Raises
    ``ModelNotLoadedError`` if the model is not in memory and not to be loaded, and the errors of ``forward``.
    """
    if services.cluster is not None:
        services = replace(services, runtime=services.cluster.own_runtime)
    body = await _read_body(request)
    named = read_named_model(request.query, body)
    if route.check_body is not None:
        route.check_body(body)
    forwarding = _Forwarding(request, response, services, route, body)
    candidates = await _candidates(named, services)
    for candidate in candidates:
        _check_is_llama_cpp(candidate, request)
        target = await services.runtime.loaded_target(candidate.name)
        if target is not None:
            await forwarding.send_to(candidate, target)
            return
    if not candidates or named.name is None or not (route.loads and named.may_load):
        raise ModelNotLoadedError(named.name)
    await first_that_runs(candidates, forwarding.load_and_send, on_skip=partial(log_skip, request.id))


def _check_is_llama_cpp(candidate: Candidate, request: ProxyRequest) -> None:
    """Raise ``UnsupportedByModelError`` for a model of a backend whose routes do not have the path of the request."""
    if candidate.spec is not None and candidate.spec.backend is not None:
        check_served(request.path, candidate.name, candidate.capabilities, candidate.spec.backend)


async def _read_body(request: ProxyRequest) -> bytes:
    if request.method in _NO_BODY:
        return b""
    return await read_plain_body(request, BODY_LIMIT_BYTES)


async def _candidates(named: NamedModel, services: Services) -> Sequence[Candidate]:
    """Return the models that the request means: named, or the last used one in memory if the caller may use it."""
    if named.name is not None:
        candidates, _ = await resolve_request(named.name, services)
        return candidates
    target = await services.runtime.current_model()
    if target is None or await services.catalog.resolve_model(target.model_name) is None:
        return ()
    return await resolve_candidates(target.model_name, services.catalog, services.aliases)


@dataclass(frozen=True, slots=True)
class _Forwarding:
    """One request, before its model is chosen."""

    request: ProxyRequest
    response: Response
    services: Services
    route: EngineRoute
    body: bytes

    async def send_to(self, candidate: Candidate, target: RunningTarget) -> None:
        """Send the request to a model in memory."""
        self.request.model, self.request.launch_spec = candidate.name, candidate.spec
        if self.route.is_read:
            await self._send(target)
        else:
            await self._send_leased(candidate, num_ctx=target.effective_ctx)

    async def load_and_send(self, candidate: Candidate) -> None:
        """Send the request to a model that has to be loaded."""
        self.request.model, self.request.launch_spec = candidate.name, candidate.spec
        await self._send_leased(candidate, num_ctx=None)

    async def _send_leased(self, candidate: Candidate, *, num_ctx: int | None) -> None:
        """Send the request with a lease. ``num_ctx`` is that of a running model, so that it is not relaunched."""
        request, spec = self.request, candidate.spec
        priority = request_priority(request.caller_priority, None if spec is None else spec.settings.priority)
        async with self.services.runtime.admit(
            candidate.name,
            num_ctx,
            self.services.default_ctx,
            wait_s=request.wait_s,
            request_id=request.id,
            spec=spec,
            priority=priority,
        ) as target:
            request.running_target = target
            await self._send(target)

    async def _send(self, target: RunningTarget) -> None:
        if self.route.check_target is not None:
            self.route.check_target(target)
        request, options = self.request, self.services.options
        method = b"GET" if request.method == "HEAD" else request.method.encode()
        upstream_request = UpstreamRequest(
            request.upstream_target,
            request.upstream_header_lines,
            request.id,
            self.body,
            options.first_byte_s,
            options.chunk_gap_s,
        )
        is_redacted = self.route.has_paths and not caller_of(request).is_admin
        exchange = PathRedaction() if is_redacted else None
        try:
            async with self.services.pool.send(target, method, upstream_request) as upstream:
                await relay(upstream, self.response, None, exchange)
        except TransportError as error:
            raise upstream_error(error, target) from error
        except EngineError as error:
            raise await with_hint(error, request, target.model_name, self.services) from error
