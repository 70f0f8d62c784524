"""Forwards one request to one model: read, admit, connect, relay, release, in one lexical block.

However the block ends (end of the response, an error, a client disconnect, a shutdown), it unwinds in order: the
upstream connection is closed or returned to the pool, then the model is released. A stalled engine ends the block with
``UpstreamStalledError``, which propagates through ``runtime.admit``, so that the runtime can replace the engine.

If the engine fails a request because its cache is full while other requests are in flight, the request is sent again
after the others have ended, alone; it keeps its admission meanwhile. Engines launched by gglib have one cache per slot,
so this only concerns engines launched by other programs.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from time import monotonic

from gglib.core.errors import (
    CatalogError,
    EngineDiedError,
    EngineUnreachableError,
    NodeLostError,
    RequestWithdrawnError,
)
from gglib.core.models import ModelCapabilities, ModelKind, RunningTarget
from gglib.core.profiles import Profile
from gglib.http.client.connection import UpstreamConnection
from gglib.http.client.pool import UpstreamRequest
from gglib.http.errors import TransportError
from gglib.http.headers import is_encoded, is_json_within_limit
from gglib.proxy.access.priority import request_priority
from gglib.proxy.bodies import offloaded
from gglib.proxy.cluster.conversation import conversation_key
from gglib.proxy.cluster.hops import hop_lines, node_line
from gglib.proxy.cluster.node_errors import SHUTTING_DOWN, is_shutdown
from gglib.proxy.cluster.services import ClusterPorts
from gglib.proxy.dialects import engine_errors
from gglib.proxy.dialects.base import BatchedExchange, Exchange
from gglib.proxy.envelope import Envelope, apply_edits, read_envelope
from gglib.proxy.errors import (
    BadRequestError,
    ContentEncodingError,
    ContextLengthExceededError,
    EngineError,
    UnsupportedByModelError,
)
from gglib.proxy.guards.tool_choice import ToolUse
from gglib.proxy.names.candidates import (
    CHAT,
    Candidate,
    kind_of,
    lacks_kind,
    log_skip,
    resolve_request,
    wrong_kind,
)
from gglib.proxy.names.default_model import default_model
from gglib.proxy.names.fallback import CANNOT_RUN, next_candidate
from gglib.proxy.names.served_paths import check_served
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.profiles.apply import apply_profile
from gglib.proxy.profiles.guards import check_guards
from gglib.proxy.relay.backend_request import adapted_request
from gglib.proxy.relay.event_relay import EventRelay
from gglib.proxy.relay.exchange_relay import (
    relay_batches,
    relay_body,
    relay_stream,
    unexpected_response_error,
)
from gglib.proxy.relay.heartbeat import Heartbeat
from gglib.proxy.relay.node_relay import FIRST_ERROR_STATUS, relay_node_error, skip_comments
from gglib.proxy.relay.slot_use import SlotUse
from gglib.proxy.relay.target_locks import ExclusiveTimeoutError, TargetLock
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.token_usage import TAIL_BYTES
from gglib.proxy.tool_support import WARNING_HEADER, models_with_tools, tool_warning
from gglib.proxy.upstream_errors import check_backend_head, upstream_error

log = logging.getLogger("gglib.proxy")

_SHORT_BODY_BYTES = 32 * 1024
"""Longer bodies take a millisecond or more to check; only one is checked per iteration of the event loop."""

RECONNECT_DELAYS_S = (0.02, 0.1, 0.3, None)
"""Delays before a request is admitted again after a refused connection; None: no further attempt.

When an engine dies, the kernel closes its sockets some milliseconds before the runtime sees the exit. A request in that
gap cannot connect. Retrying it is safe, because none of its bytes were sent."""
LOST_NODE_DELAYS_S = (0.02, 0.1, 0.3, 1.0, 1.0, 1.0, None)
"""The same after a node was lost: another one is chosen each time, and several may be lost one after the other."""


async def forward(  # noqa: C901, PLR0912, PLR0913, PLR0915 - one more coroutine would cost each request 0.4 us
    request: ProxyRequest,
    response: Response,
    services: Services,
    body: bytes | None = None,
    kind: ModelKind | None = CHAT,
    *,
    form_fields: bytes | None = None,
) -> None:
    """Forward ``request`` to the model it names and relay the response. Errors propagate to the caller.

    ``body`` replaces the request's. If it is a form: ``form_fields`` are its fields as a JSON object, which is read
    and checked instead of it; profiles do not apply. For an alias list: the first model that can run gets the request.
    ``kind`` is that of the path (``kind_of``). Raises ``UnsupportedByModelError`` for a model of another kind, before
    it is loaded.
    """
    options = services.options
    if body is None:
        encoding = request.head.fields.get(b"content-encoding")
        if encoding is not None and is_encoded(encoding):
            raise ContentEncodingError
        body = await request.read_body(limit_bytes=options.max_body_bytes)
        if request.capture is not None:
            request.capture.set_request(body, request.head.fields.get(b"content-type"))
        checked = body
    else:
        checked = form_fields or body
    if len(checked) <= _SHORT_BODY_BYTES:
        envelope = read_envelope(  # inline: the hot path
            checked, allowed_engine_fields=options.allowed_engine_fields, schema_limits=options.schema_limits
        )
    else:
        async with services.large_body_lock:
            envelope = _read_envelope(checked, options)
            await asyncio.sleep(0)
    if envelope.edits:
        if form_fields is not None:
            raise BadRequestError("A number in the form is out of range.")
        body = apply_edits(body, envelope.edits)
    request.named_model = envelope.model
    spec = None if envelope.model is None else await services.catalog.resolve_for_launch(envelope.model)
    others: Sequence[Candidate] = ()
    if spec is not None:
        name, capabilities = spec.model_name, spec.capabilities
    else:
        ((name, spec, capabilities), *others), body = await _resolve_otherwise(
            request, envelope, body, services, is_form=form_fields is not None
        )
    # Nearly all requests are chats with a model that is nothing else: for them this is two attributes.
    if (kind is not CHAT or capabilities.embedding or capabilities.rerank) and lacks_kind(capabilities, kind):
        raise await with_hint(wrong_kind(name, kind), request, name, services)
    exchange, header_lines = request.exchange, response.extra_header_lines
    if services.cluster is not None and services.cluster.has_nodes:
        _note_conversation(request, body, services.cluster)
    while True:
        if kind is None or (spec is not None and spec.backend is not None):
            check_served(request.engine_path, name, capabilities, None if spec is None else spec.backend)
        if exchange is not None and spec is not None:
            spec = replace(spec, keep_alive_s=exchange.keep_alive_s)
        request.model, request.launch_spec = name, spec
        if services.poison_requests.has_entries:
            services.poison_requests.check(name, body, monotonic())
        try:
            if envelope.tool_use is not None:
                _add_tool_warning(response, envelope.tool_use, capabilities)
            if envelope.is_stream:
                async with Heartbeat(response, options.heartbeat_s, exchange) as heartbeat:
                    await _exchange(request, response, services, name, envelope.num_ctx, body, heartbeat)
            else:
                await _exchange(request, response, services, name, envelope.num_ctx, body, None)
        except EngineError as error:
            raise await with_hint(error, request, name, services) from error
        except EngineDiedError as error:
            _record_crash(error, name, body, services)
            raise
        except CANNOT_RUN as error:  # nothing was sent to an engine
            response.extra_header_lines = header_lines
            (name, spec, capabilities), others = _next_candidate(others, error, request)
        else:
            return


def _note_conversation(request: ProxyRequest, body: bytes, cluster: ClusterPorts) -> None:
    conversation = conversation_key(body)
    if conversation is not None:
        cluster.note_conversation(request.id, conversation, len(body))


async def forward_exchange(
    request: ProxyRequest, response: Response, services: Services, exchange: Exchange
) -> None:
    """Forward a translated request like ``forward``, and translate the response."""
    request.exchange = exchange
    request.upstream_target = exchange.path.encode()
    await forward(request, response, services, exchange.body, kind_of(exchange.path))


async def _resolve_otherwise(
    request: ProxyRequest, envelope: Envelope, body: bytes, services: Services, *, is_form: bool
) -> tuple[Sequence[Candidate], bytes]:
    """Return the models that may serve a request without a launch spec of its own, and its body.

    It names no model, an alias list, ``model:profile``, whose defaults are then in the body, or a model that the
    runtime does not launch itself. A request with tools goes to the models of an alias list that see them. Raises
    ``ModelNotFoundError``, ``BadRequestError`` without a default model, or ``UnsupportedByModelError`` for an alias
    list without a model for the path.
    """
    request.wait_until_s = monotonic() + request.wait_s
    name = envelope.model or await default_model(request.engine_path, services)
    candidates, profile = await resolve_request(name, services, kind_of(request.engine_path))
    request.profile_name = None if profile is None else profile.name
    if profile is not None and not is_form:
        body = await _with_profile(body, profile, request.engine_path, services)
    return candidates if envelope.tool_use is None else models_with_tools(candidates), body


def _add_tool_warning(response: Response, tool_use: ToolUse, capabilities: ModelCapabilities) -> None:
    """Announce in a header that the model does not see the tools. Raises as ``tool_warning``."""
    header_lines = response.extra_header_lines.replace(
        WARNING_HEADER, b""
    )  # of the previous model of an alias list
    response.extra_header_lines = header_lines + tool_warning(tool_use, capabilities)


def _record_crash(error: EngineDiedError, model_name: str, body: bytes, services: Services) -> None:
    if error.was_only_request:
        services.poison_requests.record_crash(model_name, body, monotonic())


def _next_candidate(
    others: Sequence[Candidate], error: Exception, request: ProxyRequest
) -> tuple[Candidate, Sequence[Candidate]]:
    """Return the next model of an alias list and those after it; it may wait until the deadline of the first.

    Raises ``error`` after the last.
    """
    candidate, others = next_candidate(others, error)
    log_skip(request.id, error, candidate)
    request.wait_s = max(0.0, request.wait_until_s - monotonic())
    return candidate, others


async def _with_profile(body: bytes, profile: Profile, path: str, services: Services) -> bytes:
    """Return the body with a profile applied. The client's fields and the profile's have passed the same checks.

    Long bodies are edited in a thread, one at a time: on the event loop 20 MB blocked other requests for 0.1 to 0.9 s.
    """
    check_guards(profile, services.options.field_limits)
    apply = partial(apply_profile, body, profile, path)
    return await offloaded(services, len(body), apply, short_bytes=_SHORT_BODY_BYTES)


async def with_hint(
    error: EngineError, request: ProxyRequest, model_name: str, services: Services
) -> EngineError:
    """Return the engine's error with a hint for the user; without one if the catalogue is not readable."""
    if isinstance(request.running_target, RunningTarget):
        error.n_ctx = request.running_target.effective_ctx
    model, models = None, []
    with contextlib.suppress(CatalogError):
        model = await services.catalog.resolve_model(model_name)
        if isinstance(error, UnsupportedByModelError):
            models = await services.catalog.list_models()
    return error if model is None else engine_errors.explain(error, model, models)


def _read_envelope(body: bytes, options: ProxyOptions) -> Envelope:
    return read_envelope(
        body, allowed_engine_fields=options.allowed_engine_fields, schema_limits=options.schema_limits
    )


async def _exchange(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - an object for them would cost each request 0.3 us
    request: ProxyRequest,
    response: Response,
    services: Services,
    model_name: str,
    num_ctx: int | None,
    body: bytes,
    heartbeat: Heartbeat | None,
) -> None:
    """Wait for the model, send the request to its engine and relay the response. Retries refused connections."""
    options = services.options
    wait_s = request.wait_s
    upstream_request = UpstreamRequest(
        request.upstream_target,
        request.upstream_header_lines,
        request.id,
        body,
        options.first_byte_s,
        options.chunk_gap_s,
    )
    spec, exchange = request.launch_spec, request.exchange
    priority = request_priority(request.caller_priority, None if spec is None else spec.settings.priority)
    cors_header_lines = response.extra_header_lines
    queued_at_s = monotonic()
    reconnect_delays_s, lost_node_delays_s = iter(RECONNECT_DELAYS_S), iter(LOST_NODE_DELAYS_S)
    while True:
        try:
            async with services.runtime.admit(
                model_name,
                num_ctx,
                services.default_ctx,
                wait_s=wait_s,
                request_id=request.id,
                spec=spec,
                priority=priority,
            ) as target:
                request.running_target, request.waited_s = target, monotonic() - queued_at_s
                node = target.node
                if node is None:
                    response.extra_header_lines = cors_header_lines + _context_line(target.effective_ctx)
                sent = upstream_request
                if target.served_name is not None:
                    sent = await _adapted(upstream_request, target, request, services)
                lock = services.target_locks.of(target)
                while (ticket := lock.try_acquire_shared()) is None:
                    await lock.wait_shared()
                slot_use = None
                try:
                    if target.slots is not None and target.slots > 1:
                        slot_use = SlotUse(request, sent, services.slot_tables.of(target))
                        sent = slot_use.begin() or await slot_use.begin_slowly(target, services)
                    # ``isinstance`` of an abstract class takes 0.4 us, so only for translated requests.
                    if exchange is None or not isinstance(exchange, BatchedExchange):
                        async with services.pool.post(target, sent) as upstream:
                            check_backend_head(upstream.head, target)
                            if node is None:
                                await relay(upstream, response, heartbeat, exchange)
                            else:
                                await _relay_from_node(upstream, response, heartbeat, exchange, node)
                    else:
                        await relay_batches(services.pool, target, sent, response, heartbeat, exchange)
                except TransportError as error:
                    raise upstream_error(error, target) from error
                except EngineError as error:
                    if slot_use is not None:
                        slot_use.is_refused = True
                    if not (
                        isinstance(error, ContextLengthExceededError)
                        and error.is_cache_full
                        and lock.had_concurrent(ticket)
                        and _has_sent_only_comments(response)
                    ):
                        raise
                    cache_full_error = error
                else:
                    if slot_use is not None:
                        slot_use.is_answered = True
                    return
                finally:
                    lock.release_shared()
                    if slot_use is not None:
                        slot_use.end(response)
                await _resend_exclusively(
                    target,
                    sent,
                    response,
                    services,
                    heartbeat,
                    exchange=exchange,
                    lock=lock,
                    cache_full_error=cache_full_error,
                    limit_s=wait_s,
                )
                return
        except (EngineUnreachableError, NodeLostError, RequestWithdrawnError) as error:
            response.extra_header_lines = cors_header_lines  # the next engine may have another context size
            delays_s = lost_node_delays_s if isinstance(error, NodeLostError) else reconnect_delays_s
            delay_s = 0.0 if isinstance(error, RequestWithdrawnError) else next(delays_s)
            await _before_resending(error, delay_s, response, heartbeat)
            request.running_target = request.waited_s = None  # it waits again
            wait_s = max(0.0, request.wait_s - (monotonic() - queued_at_s))


async def _before_resending(
    error: Exception, delay_s: float | None, response: Response, heartbeat: Heartbeat | None
) -> None:
    """Wait before a request is sent again. Raises ``error`` after the last attempt, and after the first content."""
    if delay_s is None or not _has_sent_only_comments(response):
        raise error
    if heartbeat is not None:
        heartbeat.start()
    await asyncio.sleep(delay_s)


async def _relay_from_node(
    upstream: UpstreamConnection,
    response: Response,
    heartbeat: Heartbeat | None,
    exchange: Exchange | None,
    node: str,
) -> None:
    """Relay a node's response like ``relay``, and name the node in the head, if that is not sent yet.

    Heartbeats go on until the content begins: they send the head, and until then another node may be the one that
    answers. Raises ``NodeLostError`` for a stream that ends because the node shuts down.
    """
    if upstream.head.is_event_stream:
        await skip_comments(upstream)
    response.extra_header_lines += node_line(node)
    try:
        await relay(upstream, response, heartbeat, exchange, node)
    except EngineError as error:
        if is_shutdown(error):
            raise NodeLostError(node, SHUTTING_DOWN) from error
        raise


async def _adapted(
    upstream_request: UpstreamRequest, target: RunningTarget, request: ProxyRequest, services: Services
) -> UpstreamRequest:
    """Return the request as the server of a backend, or a node, takes it. The body of a translated request is JSON."""
    if target.node is not None and target.served_name == request.named_model:
        return _marked(upstream_request, request, services.instance)
    is_own = request.exchange is None
    content_type = request.head.fields.get(b"content-type", b"") if is_own else b""
    adapt = partial(adapted_request, upstream_request, target, content_type)
    adapted = await offloaded(services, len(upstream_request.body), adapt, short_bytes=_SHORT_BODY_BYTES)
    return adapted if target.node is None else _marked(adapted, request, services.instance)


def _marked(upstream_request: UpstreamRequest, request: ProxyRequest, front: str) -> UpstreamRequest:
    """Return the request with the headers for a node, where it waits for its model as long as it may."""
    spec = request.launch_spec
    model_priority = None if spec is None else spec.settings.priority
    wait_s = max(0.0, request.wait_s - (request.waited_s or 0.0))
    first_byte_s = upstream_request.first_byte_s
    return UpstreamRequest(
        upstream_request.path,
        upstream_request.header_lines
        + hop_lines(front, wait_s, request_priority(request.caller_priority, model_priority)),
        upstream_request.request_id,
        upstream_request.body,
        first_byte_s + wait_s if first_byte_s else first_byte_s,
        upstream_request.chunk_gap_s,
        reuses_after_chunks=True,
    )


@lru_cache(maxsize=256)
def _context_line(context: int) -> bytes:
    """Return the response header with the engine's context size, in tokens."""
    return b"x-gglib-context: %d\r\n" % context


def _has_sent_only_comments(response: Response) -> bool:
    """Whether nothing but heartbeats and SSE comments has been sent as the body."""
    tail = response.tail
    return not response.chunks or (
        len(tail) < TAIL_BYTES and all(not line or line.startswith(b":") for line in tail.splitlines())
    )


async def _resend_exclusively(  # noqa: PLR0913 - the parts of an exchange
    target: RunningTarget,
    upstream_request: UpstreamRequest,
    response: Response,
    services: Services,
    heartbeat: Heartbeat | None,
    *,
    exchange: Exchange | None,
    lock: TargetLock,
    cache_full_error: EngineError,
    limit_s: float,
) -> None:
    """Send a request again, alone. Raises ``cache_full_error`` if the requests in flight do not end in ``limit_s``."""
    log.info(
        "%s: the engine's cache was full; sending the request again, exclusively", upstream_request.request_id
    )
    if heartbeat is not None:
        heartbeat.start()
    try:
        async with lock.exclusive(limit_s), services.pool.post(target, upstream_request) as upstream:
            await relay(upstream, response, heartbeat, exchange)
    except ExclusiveTimeoutError:
        if heartbeat is not None:
            await heartbeat.stop()
        raise cache_full_error from None
    except TransportError as error:
        raise upstream_error(error, target) from error


async def relay(
    upstream: UpstreamConnection,
    response: Response,
    heartbeat: Heartbeat | None,
    exchange: Exchange | None,
    node: str | None = None,
) -> None:
    """Relay the engine's response. Raises ``EngineError`` for an error response and for an error event in a stream.

    ``node`` is the node that responds, if one does.
    """
    if heartbeat is not None:
        await heartbeat.stop()
    head, length = upstream.head, upstream.content_length
    if response.is_started and (head.status != 200 or not head.is_event_stream):
        raise await unexpected_response_error(upstream)  # a heartbeat has already sent status 200
    if exchange is not None:
        await _relay_exchange(upstream, response, exchange)
        return
    if head.is_event_stream:
        await _relay_events(upstream, response)
        return
    if node is not None and head.status >= FIRST_ERROR_STATUS:
        await relay_node_error(upstream, response)
        return
    if head.status >= 400 and is_json_within_limit(head.headers, length, engine_errors.SIZE_LIMIT_BYTES):
        await _relay_error(upstream, response)
        return
    part = upstream.read_available()
    is_last = upstream.is_fully_read
    await response.start_with(
        head.status,
        head.relayed_header_lines,
        length=length,
        is_stream=False,
        part=part,
        is_last=is_last,
    )
    if not response.is_ended:
        await upstream.relay_to(response)


async def _relay_exchange(upstream: UpstreamConnection, response: Response, exchange: Exchange) -> None:
    if upstream.head.status != 200:
        raise await unexpected_response_error(upstream)
    relay_translated = relay_stream if upstream.head.is_event_stream else relay_body
    await relay_translated(upstream, response, exchange)


async def _relay_events(upstream: UpstreamConnection, response: Response) -> None:
    events = EventRelay(response)
    try:
        if not response.is_started:
            part = upstream.read_available()
            await events.begin(upstream.head, part, is_last=upstream.is_fully_read)
        if not response.is_ended:
            await upstream.relay_to(events)
    except TransportError:
        await events.finish()
        raise


async def _relay_error(upstream: UpstreamConnection, response: Response) -> None:
    """Raise the engine's error; if the body has no known form, relay the response unchanged."""
    body = b""
    async for part in upstream:
        body += part
        if len(body) > engine_errors.SIZE_LIMIT_BYTES:
            break
    head, is_whole = upstream.head, upstream.is_fully_read
    error = engine_errors.read_response(head.status, body) if is_whole else None
    if error is not None:
        raise error
    length = len(body) if is_whole else upstream.content_length
    await response.start_with(
        head.status,
        head.relayed_header_lines,
        length=length,
        is_stream=False,
        part=body,
        is_last=is_whole,
    )
    if not is_whole:
        await upstream.relay_to(response)
