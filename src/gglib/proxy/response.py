"""One response to a client: a state machine in front of the transport.

It controls how a response starts, continues and ends, including failures in mid-stream, independent of its content.
``TRANSITIONS`` has all legal transitions.
"""

from collections.abc import Mapping
from enum import Enum
from time import monotonic
from types import MappingProxyType

import msgspec

from gglib.http import headers as header_rules
from gglib.http import sse
from gglib.http.headers import EVENT_STREAM_HEADERS, Headers
from gglib.http.response_writer import ResponseWriter, encode_header_lines
from gglib.http.server.transport import ResponseTransport
from gglib.proxy.dialects.base import ErrorDialect
from gglib.proxy.dialects.error_events import (
    COMMON_PREFIX,
    COMMON_PREFIX_BYTES,
    CONTENT_KEY_INITIALS,
    KEY_OFFSET,
    LINE_FEED,
    MESSAGE_DELTA_LINE,
    MESSAGE_DELTA_LINE_BYTES,
    MULTI_EVENT_BYTES,
    is_error_free,
)
from gglib.proxy.dialects.errors import OPENAI
from gglib.proxy.errors import JSON, to_error_response
from gglib.proxy.token_usage import (
    START_BYTES,
    TAIL_BYTES,
    find_usage,
    has_usage,
    starts_with_usage,
)


class ResponseState(Enum):
    """The state of a response."""

    NOT_STARTED = "not started"
    """Nothing is sent; the status is still open."""
    STARTED = "started"
    """The head is sent; a failure is sent as an event in the body or aborts the response."""
    ENDED = "ended"
    """The response is complete."""
    ABORTED = "aborted"
    """The response failed and its body cannot carry an error; the server closes the connection before its end."""


class ResponseEvent(Enum):
    """What is sent to the client."""

    HEAD = "head"
    WHOLE = "whole response"
    """Head and body together."""
    PART = "part"
    """A part of the body, or a heartbeat."""
    LAST_PART = "last part"
    ABORT = "abort"
    """Nothing; the response ends incomplete."""


_NOT_STARTED, _STARTED, _ENDED = ResponseState.NOT_STARTED, ResponseState.STARTED, ResponseState.ENDED

TRANSITIONS: Mapping[tuple[ResponseState, ResponseEvent], ResponseState] = MappingProxyType(
    {
        (_NOT_STARTED, ResponseEvent.HEAD): _STARTED,
        (_NOT_STARTED, ResponseEvent.WHOLE): _ENDED,
        (_STARTED, ResponseEvent.PART): _STARTED,
        (_STARTED, ResponseEvent.LAST_PART): _ENDED,
        (_STARTED, ResponseEvent.ABORT): ResponseState.ABORTED,
    }
)
"""The state after each event; all other combinations are illegal."""


class Response:
    """Sends one response. An illegal transition raises RuntimeError and sends nothing.

    The methods on the hot path compare the state inline and use the table only for other states.

    A part is written with one call after the wait for a slow client. So if that wait is cancelled, nothing of it is
    sent.
    """

    __slots__ = (
        "_body_start",
        "_middle_usage",
        "_older_parts",
        "_parts",
        "_parts_bytes",
        "_request_id",
        "_request_id_start",
        "_transport",
        "_writer",
        "chunks",
        "closes_connection",
        "extra_header_lines",
        "first_byte_at_s",
        "is_stream",
        "state",
        "status",
    )

    def __init__(
        self, transport: ResponseTransport, *, method: str, minor_version: int, request_id: str
    ) -> None:
        self._transport = transport
        self._writer = ResponseWriter(method=method, minor_version=minor_version)
        self._request_id = request_id.encode()
        self._request_id_start = b"x-request-id: "
        """What precedes the request id in the head: the name of its header, after a dialect's own header, if any."""
        self._body_start: bytes | None = None
        """The first bytes of a body longer than its tail; empty for a stream that does not report usage there."""
        self._middle_usage = b""
        """The last usage found between start and tail."""
        self._older_parts: list[bytes] = []
        """The parts before ``_parts``; both lists together contain at least the tail."""
        self._parts: list[bytes] = []
        """The last parts; at ``TAIL_BYTES`` they replace ``_older_parts``."""
        self._parts_bytes = 0
        self.is_stream = False
        """Whether the body is a stream that can end with an error of its dialect."""
        self.state = _NOT_STARTED
        self.status: int | None = None
        self.first_byte_at_s: float | None = None
        """When the first part of the body was sent, without heartbeats; ``time.monotonic``."""
        self.chunks = 0
        """Number of body parts sent, without heartbeats."""
        self.extra_header_lines = b""
        """Serialized headers of every response to this request, including errors."""
        self.closes_connection = False
        """Whether the connection closes after the response."""

    @property
    def is_started(self) -> bool:
        """Whether the head is sent."""
        return self.state is not _NOT_STARTED

    @property
    def is_ended(self) -> bool:
        """Whether the response is complete."""
        return self.state is _ENDED

    @property
    def is_write_paused(self) -> bool:
        """Whether the client reads too slowly: a write would wait."""
        return self._transport.is_write_paused

    @property
    def tail(self) -> bytes:
        """The last bytes of the body."""
        return b"".join(self._older_parts + self._parts)[-TAIL_BYTES:]

    @property
    def usage_excerpt(self) -> bytes:
        """The excerpts of the body for ``read_usage``: kept start and middle, and the tail."""
        return (
            b"%b\n%b\n%b" % (self._body_start, self._middle_usage, self.tail)
            if self._body_start
            else self.tail
        )

    def set_request_id_header(self, dialect: ErrorDialect) -> None:
        """Send the request id under the dialect's own header, too."""
        if dialect.request_id_header:
            own = b"%b: %b\r\n" % (dialect.request_id_header, self._request_id)
            self._request_id_start = own + b"x-request-id: "

    async def start(self, status: int, headers: Headers, *, length: int | None = None) -> None:
        """Send the head. ``length`` is the body size in bytes; None if unknown."""
        is_stream = header_rules.is_event_stream(headers)
        await self.start_with(status, encode_header_lines(headers), length=length, is_stream=is_stream)

    async def start_with(  # noqa: PLR0913 - a head and the first part of the body
        self,
        status: int,
        lines: bytes,
        *,
        length: int | None,
        is_stream: bool,
        part: bytes = b"",
        is_last: bool = False,
    ) -> None:
        """Send the head with serialized headers ``lines`` and, in the same write, the first part of the body."""
        if self.state is not _NOT_STARTED:
            self._next_state(ResponseEvent.WHOLE if is_last else ResponseEvent.HEAD)
        transport = self._transport
        if transport.is_write_paused:
            await transport.drain()
        head = self._writer.head(
            status,
            b"%b%b%b%b\r\n" % (lines, self.extra_header_lines, self._request_id_start, self._request_id),
            length=length,
            date_line=transport.date_line,
            may_keep_alive=transport.can_keep_alive and not self.closes_connection,
            send_keep_alive=is_stream,
        )
        self.state, self.status, self.is_stream = _STARTED, status, is_stream
        if part or is_last:
            self._send(head, part, is_last=is_last)
        else:
            transport.write(head)

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Send a part of the body; waits first while the transport is paused by a slow client."""
        if self.state is not _STARTED:
            self._next_state(ResponseEvent.LAST_PART if is_last else ResponseEvent.PART)
        if self._transport.is_write_paused:
            await self._transport.drain()
        self._send(b"", part, is_last=is_last)

    async def drain(self) -> None:
        """Wait until the transport is not paused by a slow client, or the client has disconnected."""
        await self._transport.drain()

    def try_write_events(self, part: bytes, *, is_last: bool = False) -> bool:
        """Send engine events like ``try_write``; returns False without sending if the part could contain an error.

        Nearly every part of a token stream is one event, identified by one byte and one search for a line feed. The
        fast path is inline: calls would cost several times as much.
        """
        size_bytes = len(part)
        if size_bytes >= MULTI_EVENT_BYTES:
            last_line = part.rfind(b"\n", 0, -2) + 1  # not the two line feeds that end the event
            is_error_free_event = (
                part[last_line : last_line + COMMON_PREFIX_BYTES] == COMMON_PREFIX and part[-1] == LINE_FEED
            )
        else:
            is_error_free_event = (
                size_bytes > KEY_OFFSET
                and part[KEY_OFFSET] in CONTENT_KEY_INITIALS
                and LINE_FEED not in part[:-2]
                and part[-1] == LINE_FEED
            )
        if not is_error_free_event and not (
            part.startswith(MESSAGE_DELTA_LINE)
            and LINE_FEED not in part[MESSAGE_DELTA_LINE_BYTES:-2]
            and part[-1] == LINE_FEED
        ):
            return is_error_free(part) and self.try_write(part, is_last=is_last)
        if (
            is_last
            or self.first_byte_at_s is None
            or self.state is not _STARTED
            or not self._writer.is_chunking
        ):
            return self.try_write(part, is_last=is_last)
        transport = self._transport
        if transport.is_write_paused:
            return False
        transport.write(b"%x\r\n%b\r\n" % (size_bytes, part))
        if size_bytes > TAIL_BYTES:
            self._record_part(part)
            return True
        self.chunks += 1
        self._parts.append(part)
        self._parts_bytes += size_bytes
        if self._parts_bytes >= TAIL_BYTES:
            self._rotate_tail()
        return True

    def try_write(self, part: bytes, *, is_last: bool = False) -> bool:
        """Send a part of the body without waiting. Returns False without sending if the client is slow.

        Inline for a later part of a chunked body, as in ``try_write_events``: a translated stream sends its parts here.
        """
        if self.state is not _STARTED:
            self._next_state(ResponseEvent.LAST_PART if is_last else ResponseEvent.PART)
        transport = self._transport
        if transport.is_write_paused:
            return False
        size_bytes = len(part)
        if is_last:
            self._send(b"", part, is_last=True)
        elif not 0 < size_bytes <= TAIL_BYTES or self.first_byte_at_s is None or not self._writer.is_chunking:
            transport.write(self._writer.part(part))
            self._record_part(part)
        else:
            transport.write(b"%x\r\n%b\r\n" % (size_bytes, part))
            self.chunks += 1
            self._parts.append(part)
            self._parts_bytes += size_bytes
            if self._parts_bytes >= TAIL_BYTES:
                self._rotate_tail()
        return True

    async def send(
        self, content: object, *, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        """Send ``content`` as a complete JSON response."""
        await self.send_body(msgspec.json.encode(content), [JSON, *headers], status=status)

    async def send_body(self, body: bytes, headers: Headers, *, status: int = 200) -> None:
        """Send an encoded body as a complete response."""
        lines = encode_header_lines(headers)
        await self.start_with(status, lines, length=len(body), is_stream=False, part=body, is_last=True)

    async def send_heartbeat(
        self, content: bytes = sse.HEARTBEAT, headers: Headers = EVENT_STREAM_HEADERS
    ) -> None:
        """Send a heartbeat of a stream. The first one sends the head with ``headers`` and status 200.

        Sends nothing while the client is slow: unread data keeps the connection alive, and only the task that writes
        the response may wait for it.
        """
        if self._transport.is_write_paused:
            return
        if not self.is_started:
            lines = encode_header_lines(headers)
            await self.start_with(200, lines, length=None, is_stream=True)
        self.write_heartbeat(content)

    def write_heartbeat(self, content: bytes) -> None:
        """Send a heartbeat of a stream that has started. It does not count as a part of the body."""
        self._next_state(ResponseEvent.PART)
        self._transport.write(self._writer.part(content))

    async def fail(self, error: Exception, dialect: ErrorDialect = OPENAI) -> None:
        """Send ``error`` to the client in the form of ``dialect``, as far as the state allows.

        Before the head: an error response. In a stream: the error and the end. In any other body: nothing; the server
        closes the connection before the body's end, so that clients detect the truncation.
        """
        error_response = to_error_response(error)
        request_id = self._request_id.decode()
        if not self.is_started:
            self.set_request_id_header(dialect)
            body = dialect.body(error_response, request_id)
            await self.send_body(body, error_response.all_headers(), status=error_response.status)
        elif self.state is _STARTED and self.is_stream:
            await self.write(dialect.stream_end(error_response, request_id, self.tail), is_last=True)
        elif self.state is _STARTED:
            self._abort()

    def _abort(self) -> None:
        self.state = self._next_state(ResponseEvent.ABORT)

    def _send(self, head: bytes, part: bytes, *, is_last: bool) -> None:
        writer, transport = self._writer, self._transport
        framed = writer.part(part)
        if is_last:
            transport.write(b"%b%b%b" % (head, framed, writer.end()))
            self.state = _ENDED
            transport.end(may_keep_alive=writer.may_keep_alive)
        else:
            transport.write(head + framed if head else framed)
        if part:
            self._record_part(part)

    def _record_part(self, part: bytes) -> None:
        if self.first_byte_at_s is None:
            self.first_byte_at_s = monotonic()
        self.chunks += 1
        # Copying the tail for each part would touch 4 KB outside the CPU caches with many streams. So the last
        # parts are kept unjoined, in two lists.
        if len(part) > TAIL_BYTES:
            if self._body_start is None or not self.is_stream:
                self._record_long_part(part)
            self._older_parts, self._parts, self._parts_bytes = [part[-TAIL_BYTES:]], [], 0
            return
        self._parts.append(part)
        self._parts_bytes += len(part)
        if self._parts_bytes >= TAIL_BYTES:
            self._rotate_tail()

    def _rotate_tail(self) -> None:
        if self._body_start is None:
            self._keep_start(b"".join(self._parts))
        if not self.is_stream:
            self._keep_middle_usage(b"".join(self._older_parts + self._parts))
        self._older_parts, self._parts, self._parts_bytes = self._parts, [], 0

    def _record_long_part(self, part: bytes) -> None:
        """Search a long part for usage, because only its end is kept."""
        before = b"".join(self._older_parts + self._parts)
        if self._body_start is None:
            self._keep_start(before + part[:START_BYTES])
        if not self.is_stream:
            self._keep_middle_usage(before)  # short parts are not searched until they are dropped
            self._keep_middle_usage(part, before)

    def _keep_middle_usage(self, part: bytes, before: bytes = b"") -> None:
        """Keep the usage in a part between start and tail, or across its boundary with ``before``."""
        # Embeddings, the longest responses, report usage at the start, so they are not searched.
        if not has_usage(self._body_start or b""):
            self._middle_usage = find_usage(part, before) or self._middle_usage

    def _keep_start(self, begin: bytes) -> None:
        """Keep the start of a body for ``usage_excerpt``; of a stream only if it reports usage (Anthropic's)."""
        start = begin[:START_BYTES]
        self._body_start = start if not self.is_stream or starts_with_usage(start) else b""

    def _next_state(self, event: ResponseEvent) -> ResponseState:
        """Return the state after ``event``. Raises RuntimeError for an illegal transition."""
        try:
            return TRANSITIONS[self.state, event]
        except KeyError:
            raise RuntimeError(
                f"A response in state '{self.state.value}' cannot take the event '{event.value}'."
            ) from None
