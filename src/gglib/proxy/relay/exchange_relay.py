"""Relays an engine's response through the translation of an ``Exchange``."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from gglib.core.errors import UpstreamError
from gglib.core.models import RunningTarget
from gglib.http.client.connection import UpstreamConnection
from gglib.http.client.pool import UpstreamPool, UpstreamRequest
from gglib.http.response_writer import encode_header_lines
from gglib.proxy.cluster.hops import node_line
from gglib.proxy.dialects import engine_errors
from gglib.proxy.dialects.base import BatchedExchange, Exchange, Translated, TranslatedComment
from gglib.proxy.errors import EngineError
from gglib.proxy.relay.heartbeat import Heartbeat
from gglib.proxy.response import Response, ResponseState
from gglib.proxy.upstream_errors import check_backend_head

MAX_BODY_BYTES = 256 * 1024 * 1024
"""Limit on a response that is translated as a whole, and so kept in memory. 2,048 embeddings of 4,096 numbers have
about 100 MB as JSON."""
_STARTED = ResponseState.STARTED
_SHORT_BODY_BYTES = 64 * 1024
"""Longer bodies are cut and translated in a thread."""

Translation = TypeVar("Translation")


async def relay_stream(upstream: UpstreamConnection, response: Response, exchange: Exchange) -> None:
    """Relay an event stream. Raises ``EngineError`` for its error event, and for a stream without an end."""
    await upstream.relay_to(ExchangeRelay(response, exchange))


async def relay_body(upstream: UpstreamConnection, response: Response, exchange: Exchange) -> None:
    """Relay a complete response with status 200. Raises ``UpstreamError`` for one that cannot be translated."""
    body = await _read_body(upstream, MAX_BODY_BYTES)
    translated = await _translate(exchange.translate_body, body)
    await response.send_body(translated, exchange.body_headers())


async def relay_batches(  # noqa: PLR0913, PLR0917 - the parts of an exchange
    pool: UpstreamPool,
    target: RunningTarget,
    upstream_request: UpstreamRequest,
    response: Response,
    heartbeat: Heartbeat | None,
    exchange: BatchedExchange,
) -> None:
    """Send the requests of an exchange one after the other, and their response. The first error ends it."""
    if heartbeat is not None:
        await heartbeat.stop()
    if response.is_started:
        raise UpstreamError("The request has no stream, but heartbeats of one were sent: leave out 'stream'.")
    exchange.begin()
    room_bytes = MAX_BODY_BYTES
    bodies: Iterable[bytes] = exchange.batches(upstream_request.body)
    if len(upstream_request.body) > _SHORT_BODY_BYTES:
        bodies = await asyncio.to_thread(list, bodies)
    for body in bodies:
        async with pool.post(target, replace(upstream_request, body=body)) as upstream:
            check_backend_head(upstream.head, target)
            if upstream.head.status != 200:
                raise await unexpected_response_error(upstream)
            part = await _read_body(upstream, room_bytes)
        room_bytes -= len(part)
        await _translate(exchange.add_batch, part)
    whole = await asyncio.to_thread(exchange.finish)
    if target.node is not None:
        response.extra_header_lines += node_line(target.node)
    await response.send_body(whole, exchange.body_headers())


async def unexpected_response_error(upstream: UpstreamConnection) -> EngineError | UpstreamError:
    """Return the error for a response that is not what the client's stream, or its dialect, needs."""
    body = b""
    async for part in upstream:
        body += part
        if len(body) > engine_errors.SIZE_LIMIT_BYTES:
            break
    status = upstream.head.status
    error = engine_errors.read_response(status, body) if status >= 400 else None
    return error or UpstreamError(f"The engine sent an unexpected response (status {status}).")


async def _read_body(upstream: UpstreamConnection, limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    size_bytes = 0
    async for part in upstream:
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > limit_bytes:
            raise UpstreamError(f"The engine's response has more than {MAX_BODY_BYTES} bytes.")
    return b"".join(parts)


async def _translate(translate: Callable[[bytes], Translation], body: bytes) -> Translation:
    try:
        if len(body) <= _SHORT_BODY_BYTES:
            return translate(body)
        return await asyncio.to_thread(translate, body)
    except ValueError as error:
        raise UpstreamError("The engine's response has an unknown form.") from error


class ExchangeRelay:
    """A ``RelayTarget`` that translates each part. Nothing is sent before the first part with a translation.

    ``write`` raises the ``EngineError`` that ends the stream.
    """

    __slots__ = ("_exchange", "_header_lines", "_pending", "_response", "_stream", "_translate_common")

    def __init__(self, response: Response, exchange: Exchange) -> None:
        self._response = response
        self._exchange = exchange
        self._stream = exchange.open_stream()
        self._translate_common = self._stream.translate_common
        self._header_lines = encode_header_lines(exchange.stream_headers)
        self._pending: Translated | None = None
        """The translation, with an error, of a part that ``try_write`` declined."""

    def try_write(self, part: bytes, *, is_last: bool = False) -> bool:
        """Translate and send a part; False if ``write`` has to: at the start, for a slow client, and for an error."""
        response = self._response
        if not is_last and response.state is _STARTED:
            output = self._translate_common(part)
            if output:
                return response.try_write(output)  # if it declines, the part is fed later
        if not response.is_started or response.is_write_paused:
            return False
        translated = self._translate(part, is_last=is_last)
        if translated.error is not None:
            self._pending = translated
            return False
        if isinstance(translated, TranslatedComment):
            response.write_heartbeat(translated.output)
            return True
        if not translated.output and not is_last:
            return True
        return response.try_write(translated.output, is_last=is_last)

    async def drain(self) -> None:
        """Wait until the transport is not paused by a slow client, or the client has disconnected."""
        if self._response.is_started:
            await self._response.drain()

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Translate and send a part; if it ends with an error, what comes before it."""
        translated = self._pending or self._translate(part, is_last=is_last)
        output, error = translated
        if isinstance(translated, TranslatedComment):
            await self._response.send_heartbeat(output, self._exchange.stream_headers)
            return
        await self._send(output, is_last=is_last and error is None)
        if error is not None:
            raise error

    async def _send(self, output: bytes, *, is_last: bool) -> None:
        if not output and not is_last:
            return
        if self._response.is_started:
            await self._response.write(output, is_last=is_last)
            return
        await self._response.start_with(
            200,
            self._header_lines,
            length=None,  # an error of the proxy may follow
            is_stream=True,
            part=output,
            is_last=is_last,
        )

    def _translate(self, part: bytes, *, is_last: bool) -> Translated:
        translated = self._stream.feed(part) if part else Translated(b"")
        if not is_last or translated.error is not None:
            return translated
        rest, error = self._stream.finish()
        return Translated(translated.output + rest, error)
