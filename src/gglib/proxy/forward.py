"""One request to one model: read, admit, open upstream, relay, release, in one lexical block.

Whatever ends the block (the answer's end, an error, the client's leaving, a shutdown) unwinds it in order: the
upstream connection is closed or given back, then the hold on the model is released. An engine that falls silent ends
the block with ``UpstreamStalledError``, which the runtime sees as it passes.

A request that the engine failed for want of room in its cache, while others were at it, is sent once again when they
have ended, with nothing beside it; the model stays held meanwhile. gglib launches engines whose slots cannot take room
from one another, so this is for those that others launched.
"""

import asyncio
import logging
from functools import lru_cache
from time import monotonic

from gglib.core.errors import UnreachableError, UpstreamError
from gglib.core.models import RunningTarget
from gglib.core.names import not_found
from gglib.proxy import engine_errors
from gglib.proxy.answer import Answer
from gglib.proxy.envelope import corrected, read_envelope
from gglib.proxy.errors import ContentEncodingError
from gglib.proxy.first_event import CrowdedOutError, FirstEventSink
from gglib.proxy.headers import is_short_json
from gglib.proxy.heartbeat import Heartbeat
from gglib.proxy.lanes import Lane, NotAloneError
from gglib.proxy.options import Services
from gglib.proxy.overflow import is_overflow
from gglib.proxy.request import Request
from gglib.proxy.upstream import UpstreamRequest
from gglib.proxy.upstream_connection import UpstreamConnection

log = logging.getLogger("gglib.proxy")

PAUSES_S = (0.02, 0.1, 0.3, None)
"""A client is told of its engine's death some milliseconds before the runtime is: the kernel closes the sockets
first. A request that follows at once finds nobody listening; not a byte of it was sent, so it is admitted again, after
these times. None: no more."""


async def forward(request: Request, answer: Answer, services: Services) -> None:
    """Answer ``request`` with what the model that it names says. Errors are raised, for the caller to tell."""
    options = services.options
    if request.head.fields.get(b"content-encoding", b"identity").lower() != b"identity":
        raise ContentEncodingError
    body = await request.read_body(limit_bytes=options.max_body_bytes)
    envelope = read_envelope(body, allowed_engine_fields=options.allowed_engine_fields)
    if envelope.corrections:
        body = corrected(body, envelope.corrections)
    model = await services.catalog.resolve_model(envelope.model)
    if model is None:
        raise not_found(envelope.model, await services.catalog.list_models())
    request.model = name = model.name
    if envelope.is_stream:
        async with Heartbeat(answer, options.heartbeat_s) as heartbeat:
            await _exchange(request, answer, services, name, envelope.num_ctx, body, heartbeat)
    else:
        await _exchange(request, answer, services, name, envelope.num_ctx, body, None)


async def _exchange(  # noqa: PLR0913, PLR0917 - to make an object of them costs each request 0.3 us
    request: Request,
    answer: Answer,
    services: Services,
    model_name: str,
    num_ctx: int | None,
    body: bytes,
    heartbeat: Heartbeat | None,
) -> None:
    options = services.options
    wait_s = options.max_wait_s
    if request.preferred_wait_s is not None:
        wait_s = min(request.preferred_wait_s, wait_s)
    upstream_request = UpstreamRequest(request.target, request.upstream_lines, request.id, body)
    own_lines = answer.extra_lines
    may_send_again = True
    asked_s = monotonic()
    for pause_s in PAUSES_S:
        try:
            async with services.runtime.admit(
                model_name, num_ctx, services.default_ctx, wait_s=wait_s, request_id=request.id
            ) as target:
                request.waited_s = monotonic() - asked_s
                answer.extra_lines = own_lines + _context_line(target.effective_ctx)
                lane = services.pool.lanes.of(target)
                if lane.is_reserved:
                    await lane.opened()
                entry = lane.enter()
                try:
                    async with services.pool.post(
                        target,
                        upstream_request,
                        first_byte_s=options.first_byte_s,
                        chunk_gap_s=options.chunk_gap_s,
                    ) as upstream:
                        if heartbeat is not None:
                            await heartbeat.stop()
                        await _relay(upstream, answer, lane if may_send_again else None, entry)
                        return
                except CrowdedOutError as error:
                    refusal = error
                finally:
                    lane.leave()
                may_send_again = False
                log.info("%s: the engine's cache was full; it is sent again, alone", request.id)
                await _send_alone(
                    target, upstream_request, answer, services, heartbeat, lane, refusal, limit_s=wait_s
                )
                return
        except UnreachableError:
            if pause_s is None:
                raise
            await asyncio.sleep(pause_s)


@lru_cache(maxsize=256)
def _context_line(context: int) -> bytes:
    """Return the header line that says how many tokens a request may have, whatever it asked for."""
    return b"x-gglib-context: %d\r\n" % context


async def _send_alone(  # noqa: PLR0913, PLR0917 - what an exchange is made of
    target: RunningTarget,
    upstream_request: UpstreamRequest,
    answer: Answer,
    services: Services,
    heartbeat: Heartbeat | None,
    lane: Lane,
    refusal: CrowdedOutError,
    *,
    limit_s: float,
) -> None:
    """Send a request again when nothing else is at its target; tell what it was refused for if that takes too long."""
    options = services.options
    if heartbeat is not None:
        heartbeat.start()
    try:
        async with (
            lane.alone(limit_s),
            services.pool.post(
                target,
                upstream_request,
                first_byte_s=options.first_byte_s,
                chunk_gap_s=options.chunk_gap_s,
            ) as upstream,
        ):
            if heartbeat is not None:
                await heartbeat.stop()
            await _relay(upstream, answer, None, 0)
    except NotAloneError:
        if heartbeat is not None:
            await heartbeat.stop()
        await _tell_refusal(answer, refusal.status, refusal.lines, refusal.body)


async def _relay(upstream: UpstreamConnection, answer: Answer, lane: Lane | None, entry: int) -> None:
    """Hand on an answer; raises ``CrowdedOutError`` where others in ``lane`` made it fail. None: none can have."""
    head, length = upstream.head, upstream.content_length
    if answer.is_started and (head.status != 200 or not head.is_event_stream):
        await _tell_as_event(upstream, answer, lane, entry)  # a heartbeat has decided the status already
        return
    if head.status >= 400 and is_short_json(head.headers, length, engine_errors.SIZE_LIMIT_BYTES):
        await _retell(upstream, answer, lane, entry)
        return
    sink = None
    if lane is not None and head.is_event_stream:
        sink = FirstEventSink(answer, upstream, lane, entry)
    if not answer.is_started:
        part = upstream.take_part()
        if sink is not None:
            part = sink.begin(part, is_last=upstream.is_drained)
        await answer.start_with(
            head.status,
            head.relayed_lines,
            length=None if head.is_event_stream else length,  # an error may have to be told behind its events
            is_event_stream=head.is_event_stream,
            part=part,
            is_last=upstream.is_drained,
        )
    if not answer.is_ended:
        await upstream.pour_into(answer if sink is None else sink)


async def _retell(upstream: UpstreamConnection, answer: Answer, lane: Lane | None, entry: int) -> None:
    """Relay the engine's error, unless it is one that others in ``lane`` are the reason for."""
    body = b"".join([part async for part in upstream])
    head = upstream.head
    if lane is not None and is_overflow(body) and lane.had_company(entry):
        raise CrowdedOutError(body, status=head.status, lines=head.relayed_lines)
    await _tell_refusal(answer, head.status, head.relayed_lines, body)


async def _tell_refusal(answer: Answer, status: int, lines: bytes, body: bytes) -> None:
    """Tell the engine's error in the shape that clients know, or as it is where it has another."""
    told = engine_errors.retell(body) or body
    if answer.is_started:
        await answer.end_with_event(told)
        return
    await answer.start_with(status, lines, length=len(told), is_event_stream=False, part=told, is_last=True)


async def _tell_as_event(upstream: UpstreamConnection, answer: Answer, lane: Lane | None, entry: int) -> None:
    """End the stream with the engine's own error, or with ours where it has none to tell."""
    body = b""
    async for part in upstream:
        body += part
        if len(body) > engine_errors.SIZE_LIMIT_BYTES:
            break
    if lane is not None and is_overflow(body) and lane.had_company(entry):
        raise CrowdedOutError(body)
    told = engine_errors.retell(body)
    if told is None:
        raise UpstreamError(f"The engine answered a stream with status {upstream.head.status}.")
    await answer.end_with_event(told)
