"""Relays an engine's response through the translation of an ``Exchange``."""

import asyncio

from gglib.core.errors import UpstreamError
from gglib.http.client.connection import UpstreamConnection
from gglib.http.response_writer import encode_header_lines
from gglib.proxy.dialects.base import Exchange, Translated
from gglib.proxy.response import Response, ResponseState

MAX_BODY_BYTES = 256 * 1024 * 1024
"""Limit on a response that is translated as a whole, and so kept in memory. 2,048 embeddings of 4,096 numbers have
about 100 MB as JSON."""
_STARTED = ResponseState.STARTED
_SHORT_BODY_BYTES = 64 * 1024
"""Longer bodies are translated in a thread."""


async def relay_stream(upstream: UpstreamConnection, response: Response, exchange: Exchange) -> None:
    """Relay an event stream. Raises ``EngineError`` for its error event, and for a stream without an end."""
    await upstream.relay_to(ExchangeRelay(response, exchange))


async def relay_body(upstream: UpstreamConnection, response: Response, exchange: Exchange) -> None:
    """Relay a complete response with status 200. Raises ``UpstreamError`` for one that cannot be translated."""
    parts: list[bytes] = []
    size_bytes = 0
    async for part in upstream:
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > MAX_BODY_BYTES:
            raise UpstreamError(f"The engine's response has more than {MAX_BODY_BYTES} bytes.")
    body = b"".join(parts)
    try:
        if size_bytes <= _SHORT_BODY_BYTES:
            translated = exchange.translate_body(body)
        else:
            translated = await asyncio.to_thread(exchange.translate_body, body)
    except ValueError as error:
        raise UpstreamError("The engine's response has an unknown form.") from error
    await response.send_body(translated, exchange.body_headers())


class ExchangeRelay:
    """A ``RelayTarget`` that translates each part. Nothing is sent before the first part with a translation.

    ``write`` raises the ``EngineError`` that ends the stream.
    """

    __slots__ = ("_header_lines", "_pending", "_response", "_stream", "_translate_common")

    def __init__(self, response: Response, exchange: Exchange) -> None:
        self._response = response
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
        if not translated.output and not is_last:
            return True
        return response.try_write(translated.output, is_last=is_last)

    async def drain(self) -> None:
        """Wait until the transport is not paused by a slow client, or the client has disconnected."""
        if self._response.is_started:
            await self._response.drain()

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Translate and send a part; if it ends with an error, what comes before it."""
        output, error = self._pending or self._translate(part, is_last=is_last)
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
