"""One response to a client: a state machine in front of the connection that it goes over.

It knows how a response begins, goes on and ends, also when something fails in the middle; not what is in it.
``TRANSITIONS`` has all legal moves.
"""

from collections.abc import Mapping
from enum import Enum
from time import monotonic
from types import MappingProxyType

import msgspec

from gglib.http import headers as header_rules
from gglib.http import sse
from gglib.http.headers import Headers
from gglib.http.response_writer import ResponseWriter, header_lines
from gglib.http.server.transport import ResponseTransport
from gglib.proxy.dialects.error_events import (
    COMMON_PREFIX,
    COMMON_PREFIX_BYTES,
    CONTENT_KEY_INITIALS,
    KEY_OFFSET,
    LINE_FEED,
    MULTI_EVENT_BYTES,
    is_error_free,
)
from gglib.proxy.dialects.errors import OPENAI, ErrorDialect
from gglib.proxy.errors import JSON, to_error_response
from gglib.proxy.token_usage import (
    HEAD_BYTES,
    TAIL_BYTES,
    find_usage,
    has_usage,
    starts_with_usage,
)

EVENT_STREAM_HEADERS: Headers = [(b"content-type", header_rules.EVENT_STREAM), *header_rules.STREAM_HEADERS]


class ResponseState(Enum):
    """How far a response is."""

    NOT_STARTED = "not started"
    """Nothing is sent: any status is still possible."""
    STARTED = "started"
    """The head is sent: a failure can only be sent inside the body, or by cutting it."""
    ENDED = "ended"
    """All of it is sent."""
    ABORTED = "aborted"
    """It failed where its body has no place for an error: without its end, the server closes the connection."""


class ResponseEvent(Enum):
    """What is sent."""

    HEAD = "head"
    WHOLE = "whole response"
    """Head and body in one."""
    PART = "part"
    """A part of the body, or a heartbeat."""
    LAST_PART = "last part"
    ABORT = "abort"
    """Nothing more, and no end."""


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
"""The state after each event; what is not here is illegal."""


class Response:
    """Sends one response. A move that is not in ``TRANSITIONS`` raises RuntimeError and sends nothing.

    What is sent for each request or token compares the state in place, and asks the table where it is another one.

    A cancelled wait for a slow client counts as not sent: what is written is written at once, after the wait.
    """

    __slots__ = (
        "_head",
        "_middle",
        "_older_parts",
        "_parts",
        "_parts_bytes",
        "_request_id",
        "_transport",
        "_writer",
        "chunks",
        "closes_connection",
        "extra_lines",
        "first_byte_at_s",
        "is_event_stream",
        "state",
        "status",
    )

    def __init__(
        self, transport: ResponseTransport, *, method: str, minor_version: int, request_id: str
    ) -> None:
        self._transport = transport
        self._writer = ResponseWriter(method=method, minor_version=minor_version)
        self._request_id = request_id.encode()
        self._head: bytes | None = None
        """The first bytes of a body that is longer than its tail; empty for a stream that reports no usage there."""
        self._middle = b""
        """What was seen of its usage in between."""
        self._older_parts: list[bytes] = []
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self.is_event_stream = False
        self.state = _NOT_STARTED
        self.status: int | None = None
        self.first_byte_at_s: float | None = None
        """When the first part of the body was sent, heartbeats apart; ``time.monotonic``."""
        self.chunks = 0
        """How many parts of the body were sent, heartbeats apart."""
        self.extra_lines = b""
        """Header lines that it carries, whatever it is."""
        self.closes_connection = False
        """Whether the connection ends with it."""

    @property
    def is_started(self) -> bool:
        """Whether the status is decided."""
        return self.state is not _NOT_STARTED

    @property
    def is_ended(self) -> bool:
        """Whether all of it is sent."""
        return self.state is _ENDED

    @property
    def tail(self) -> bytes:
        """The last bytes of the body."""
        return b"".join(self._older_parts + self._parts)[-TAIL_BYTES:]

    @property
    def usage_excerpt(self) -> bytes:
        """The pieces of the body that ``read_usage`` reads: its end, and before it what is known of the rest."""
        return b"%b\n%b\n%b" % (self._head, self._middle, self.tail) if self._head else self.tail

    async def start(self, status: int, headers: Headers, *, length: int | None = None) -> None:
        """Send the head. ``length`` is the body's in bytes; None where it is not known."""
        is_event_stream = header_rules.is_event_stream(headers)
        await self.start_with(status, header_lines(headers), length=length, is_event_stream=is_event_stream)

    async def start_with(  # noqa: PLR0913 - a head, and what may leave with it
        self,
        status: int,
        lines: bytes,
        *,
        length: int | None,
        is_event_stream: bool,
        part: bytes = b"",
        is_last: bool = False,
    ) -> None:
        """Send the head, whose header lines are written already, and with it what there is of the body."""
        if self.state is not _NOT_STARTED:
            self._next_state(ResponseEvent.WHOLE if is_last else ResponseEvent.HEAD)
        transport = self._transport
        if transport.is_write_paused:
            await transport.drain()
        head = self._writer.head(
            status,
            b"%b%bx-request-id: %b\r\n" % (lines, self.extra_lines, self._request_id),
            length=length,
            date_line=transport.date_line,
            may_keep_alive=transport.can_keep_alive and not self.closes_connection,
            send_keep_alive=is_event_stream,
        )
        self.state, self.status, self.is_event_stream = _STARTED, status, is_event_stream
        if part or is_last:
            self._send(head, part, is_last=is_last)
        else:
            transport.write(head)

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Send a part of the body; waits first while the client is slow to read."""
        if self.state is not _STARTED:
            self._next_state(ResponseEvent.LAST_PART if is_last else ResponseEvent.PART)
        if self._transport.is_write_paused:
            await self._transport.drain()
        self._send(b"", part, is_last=is_last)

    async def drain(self) -> None:
        """Return when the client has read, or is gone."""
        await self._transport.drain()

    def try_write_events(self, part: bytes, *, is_last: bool = False) -> bool:
        """Send events of the engine at once, as ``try_write``; where an error could be among them, send nothing.

        Nearly every part that comes token by token is one event. That it is one is seen by a byte and a slice, and all
        that is to be done for it stands here: what is called instead of this would cost several times as much.
        """
        size_bytes = len(part)
        if size_bytes >= MULTI_EVENT_BYTES:
            last_line = part.rfind(b"\n", 0, -2) + 1  # in front of the two that end the event
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
        if not is_error_free_event:
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
            self._record(part)
            return True
        self.chunks += 1
        self._parts.append(part)
        self._parts_bytes += size_bytes
        if self._parts_bytes >= TAIL_BYTES:
            self._rotate_tail()
        return True

    def try_write(self, part: bytes, *, is_last: bool = False) -> bool:
        """Send a part of the body at once; where the client is slow, send nothing and return False."""
        if self.state is not _STARTED:
            self._next_state(ResponseEvent.LAST_PART if is_last else ResponseEvent.PART)
        transport = self._transport
        if transport.is_write_paused:
            return False
        if is_last:
            self._send(b"", part, is_last=True)
        else:
            transport.write(self._writer.part(part))
            self._record(part)
        return True

    async def send(
        self, content: object, *, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        """Send ``content`` as a whole response, in JSON."""
        await self.send_body(msgspec.json.encode(content), [JSON, *headers], status=status)

    async def send_body(self, body: bytes, headers: Headers, *, status: int = 200) -> None:
        """Send a body that is written already as a whole response."""
        lines = header_lines(headers)
        await self.start_with(status, lines, length=len(body), is_event_stream=False, part=body, is_last=True)

    async def send_heartbeat(self) -> None:
        """Send a heartbeat; the first one decides the status, which is 200 from then on.

        Sends nothing to a slow client: what it has not read keeps the connection alive. Only the task that writes the
        response may wait for it.
        """
        if self._transport.is_write_paused:
            return
        if not self.is_started:
            await self.start(200, EVENT_STREAM_HEADERS)
        self._next_state(ResponseEvent.PART)
        self._transport.write(self._writer.part(sse.HEARTBEAT))

    async def fail(self, error: Exception, dialect: ErrorDialect = OPENAI) -> None:
        """Send ``error`` to the client in the way that is left, and in the form of ``dialect``.

        Before the head: a proper status. In an event stream: one event, and the end. In any other body: nothing,
        and no end either, so that the server breaks the connection and nobody takes a part for the whole.
        """
        error_response = to_error_response(error)
        request_id = self._request_id.decode()
        if not self.is_started:
            body = dialect.body(error_response, request_id)
            headers = error_response.all_headers() + dialect.headers(request_id)
            await self.send_body(body, headers, status=error_response.status)
        elif self.state is _STARTED and self.is_event_stream:
            tail = self.tail
            events = dialect.events(error_response, request_id, tail)
            await self.write(sse.event_terminator(tail) + events, is_last=True)
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
            self._record(part)

    def _record(self, part: bytes) -> None:
        if self.first_byte_at_s is None:
            self.first_byte_at_s = monotonic()
        self.chunks += 1
        # To copy the tail for each part would touch 4 KB that no cache holds where there are many streams. So the last
        # parts are kept as they are: a generation of them that is long enough for the tail, and the one that grows.
        if len(part) > TAIL_BYTES:
            if self._head is None or not self.is_event_stream:
                self._record_long(part)
            self._older_parts, self._parts, self._parts_bytes = [part[-TAIL_BYTES:]], [], 0
            return
        self._parts.append(part)
        self._parts_bytes += len(part)
        if self._parts_bytes >= TAIL_BYTES:
            self._rotate_tail()

    def _rotate_tail(self) -> None:
        if self._head is None:
            self._keep_head(b"".join(self._parts))
        self._older_parts, self._parts, self._parts_bytes = self._parts, [], 0

    def _record_long(self, part: bytes) -> None:
        """Look at all of a part of which only the end is kept."""
        head = self._head
        if head is None:
            head = self._keep_head(b"".join(self._parts) + part[:HEAD_BYTES])
        if not self.is_event_stream and not has_usage(
            head
        ):  # embeddings, the longest responses, have it there
            before = b"".join(self._older_parts + self._parts)
            self._middle = find_usage(part, before) or self._middle

    def _keep_head(self, begin: bytes) -> bytes:
        """Keep the beginning of a body for ``usage_excerpt``; of a stream only if it reports usage (Anthropic's)."""
        head = begin[:HEAD_BYTES]
        self._head = head if not self.is_event_stream or starts_with_usage(head) else b""
        return head

    def _next_state(self, event: ResponseEvent) -> ResponseState:
        """Return the state after ``event``. Raises RuntimeError where that is no legal move."""
        try:
            return TRANSITIONS[self.state, event]
        except KeyError:
            raise RuntimeError(
                f"A response in state '{self.state.value}' cannot take the event '{event.value}'."
            ) from None
