"""One request to one model: read, admit, open upstream, relay, release, in one lexical block.

Whatever ends the block (the answer's end, an error, the client's leaving, a shutdown) unwinds it in order: the
upstream connection is closed or given back, then the hold on the model is released. An engine that falls silent ends
the block with ``UpstreamStalledError``, which the runtime sees as it passes.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial

from gglib.core.errors import UnreachableError, UpstreamError
from gglib.core.models import ModelSummary, RunningTarget
from gglib.core.names import require_model
from gglib.proxy import engine_errors
from gglib.proxy.answer import Answer
from gglib.proxy.envelope import Envelope, read_envelope
from gglib.proxy.headers import (
    Headers,
    from_upstream,
    is_event_stream,
    is_short_json,
    preferred_wait_s,
    to_upstream,
)
from gglib.proxy.interrupt import Companion
from gglib.proxy.options import Services
from gglib.proxy.request import Request
from gglib.proxy.upstream import UpstreamRequest, UpstreamResponse

PAUSES_S = (0.02, 0.1, 0.3)
"""A client is told of its engine's death some milliseconds before the runtime is: the kernel closes the sockets
first. A request that follows at once finds nobody listening; not a byte of it was sent, so it is admitted again, after
these times."""


async def forward(request: Request, answer: Answer, services: Services) -> None:
    """Answer ``request`` with what the model that it names says. Errors are raised, for the caller to tell."""
    body = await request.read_body(limit_bytes=services.options.max_body_bytes)
    envelope = read_envelope(body)
    model = await require_model(services.catalog, envelope.model)
    request.model = model.name
    heartbeat_s = services.options.heartbeat_s if envelope.is_stream else 0
    async with Companion(partial(_beat, answer, heartbeat_s)) as heartbeat:
        asked_s = asyncio.get_running_loop().time()
        for pause_s in (*PAUSES_S, None):
            try:
                async with _admit(request, services, model, envelope) as target:
                    request.waited_s = asyncio.get_running_loop().time() - asked_s
                    async with _post(target, _upstream_request(request, body), services) as upstream:
                        await heartbeat.stop()
                        await _relay(upstream, answer)
                        break
            except UnreachableError:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)


async def _beat(answer: Answer, every_s: float) -> None:
    while every_s > 0:
        await asyncio.sleep(every_s)
        await answer.beat()


def _admit(
    request: Request, services: Services, model: ModelSummary, envelope: Envelope
) -> AbstractAsyncContextManager[RunningTarget]:
    preferred_s = preferred_wait_s(request.headers)
    max_wait_s = services.options.max_wait_s
    return services.runtime.admit(
        model.name,
        envelope.num_ctx,
        services.default_ctx,
        wait_s=max_wait_s if preferred_s is None else min(preferred_s, max_wait_s),
        request_id=request.id,
    )


def _post(
    target: RunningTarget, request: UpstreamRequest, services: Services
) -> AbstractAsyncContextManager[UpstreamResponse]:
    options = services.options
    return services.pool.post(
        target, request, first_byte_s=options.first_byte_s, chunk_gap_s=options.chunk_gap_s
    )


def _upstream_request(request: Request, body: bytes) -> UpstreamRequest:
    path = request.path.encode() + (b"?" + request.query if request.query else b"")
    headers = [*to_upstream(request.headers), (b"x-request-id", request.id.encode())]
    return UpstreamRequest(path, headers, body)


async def _relay(upstream: UpstreamResponse, answer: Answer) -> None:
    headers = from_upstream(upstream.headers)
    if answer.is_started and (upstream.status != 200 or not is_event_stream(headers)):
        await _tell_as_event(upstream, answer)  # a heartbeat has decided the status already
        return
    if upstream.status >= 400 and is_short_json(headers, engine_errors.SIZE_LIMIT_BYTES):
        await _retell(upstream, answer, headers)
        return
    if not answer.is_started:
        await answer.start(upstream.status, headers)
    async for part in upstream:
        await answer.write(part, is_last=upstream.is_drained)
    if not answer.is_ended:
        await answer.write(b"", is_last=True)


async def _retell(upstream: UpstreamResponse, answer: Answer, headers: Headers) -> None:
    """Relay the engine's error in the shape that clients know, or as it is where it has another."""
    body = b"".join([part async for part in upstream])
    told = engine_errors.retell(body) or body
    kept = [(name, value) for name, value in headers if name != b"content-length"]
    await answer.start(upstream.status, [*kept, (b"content-length", str(len(told)).encode())])
    await answer.write(told, is_last=True)


async def _tell_as_event(upstream: UpstreamResponse, answer: Answer) -> None:
    """End the stream with the engine's own error, or with ours where it has none to tell."""
    body = b""
    async for part in upstream:
        body += part
        if len(body) > engine_errors.SIZE_LIMIT_BYTES:
            break
    told = engine_errors.retell(body)
    if told is None:
        raise UpstreamError(f"The engine answered a stream with status {upstream.status}.")
    await answer.end_with_event(told)
