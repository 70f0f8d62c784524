"""A connection from a client: parses requests and serves them in order.

Theory of operation. ``RequestReader`` turns received bytes into events. One task serves the requests in order: it reads
the body from ``RequestBody`` and writes through this object (``ResponseTransport``). Meanwhile the connection may
receive more of the body, a pipelined request (which is queued) or EOF (which cancels the request). After the response
the connection serves the pipelined request, becomes idle, or closes: at once if no client data is left to read,
otherwise with a lingering close, because closing a socket with unread input can destroy the response (RFC 9112 section
9.6).

``TRANSITIONS`` defines what may follow on the connection. ``Deadlines`` decides when a phase has timed out; the
server checks all connections periodically.

Reading is paused for any of three reasons (``_PauseReason``) and resumes when none holds. Each connection gets a
bounded slice of an event loop iteration: of the connections with many small chunks to parse, one parses a few hundred
per iteration, and a pipelined request waits for the next iteration.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable, Coroutine, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol

from gglib.http.errors import (
    HttpError,
    RequestTimeoutError,
    TooManyBodiesError,
    TooManyConnectionsError,
)
from gglib.http.request_reader import End, NewRequest, RequestReader
from gglib.http.server.body import RequestBody
from gglib.http.server.budget import UNCOUNTED_BYTES, BodyBudget
from gglib.http.server.deadlines import (
    NO_DEADLINE,
    DeadlineLimits,
    Deadlines,
    Phase,
)
from gglib.http.server.disconnects import DisconnectWatcher
from gglib.http.server.request import ClientStalledError, Request, new_request_id
from gglib.http.server.send_queue import unsent_bytes

WRITE_HIGH_WATER_BYTES = 32 * 1024
"""High-water mark of the transport's write buffer, above which the response is paused."""
NOTSENT_LOWAT_BYTES = 32 * 1024
"""``TCP_NOTSENT_LOWAT``: how much unsent data the kernel may hold."""
_UNLIMITED_BYTES = 2**31 - 1
"""The largest ``TCP_NOTSENT_LOWAT``: no limit."""
MAX_PIPELINED_BYTES = 64 * 1024
"""How much a client may pipeline behind the request that is being served."""
PIPELINE_WAIT_S = 1.0
"""How long pipelined data beyond ``MAX_PIPELINED_BYTES`` may wait. Then all of it is discarded, and the connection
closes after the response (clients have to retry, RFC 9112 section 9.3.2): unread data would hide a disconnect."""
NEW_CONNECTION_GRACE_S = 1.0
"""A new connection counts as idle, and may be closed when there are too many, after this time without a request. Until
then its first request may be in flight."""
MAX_DISCARDED_BODY_BYTES = 64 * 1024
"""How much of an unread request body is read and discarded to keep the connection alive."""
MAX_BODY_BYTES_PER_TURN = 512 * 1024
"""How much of a body is read before other uploads are read: uvloop reads up to 8 MiB while data is available."""


class _PauseReason(Enum):
    """Why reading is paused."""

    PIPELINE = "too much pipelined data"
    TURN = "other connections are read first"
    BUDGET = "the memory budget for request bodies is exhausted"


class ConnectionState(Enum):
    """What may still follow on a connection. Transitions go forward only."""

    OPEN = "open"
    """Another request may follow."""
    MUST_CLOSE = "must close"
    """No request follows: the request or the response disabled keep-alive."""
    ERROR = "error"
    """No request follows, and unread input may be left: a lingering close is needed to deliver the response."""
    CLOSING = "closing"
    """Input is ignored. Buffered output is still sent."""


class ConnectionEvent(Enum):
    """What changes the state of a connection."""

    DISABLE_KEEP_ALIVE = "keep-alive disabled"
    """``Connection: close`` in a request or response, or a request in HTTP/1.0 without ``keep-alive``."""
    FAIL = "error"
    """Input is malformed, late or too large, or the request handler failed."""
    CLOSE = "close"


_OPEN, _MUST_CLOSE = ConnectionState.OPEN, ConnectionState.MUST_CLOSE
_ERROR, _CLOSING = ConnectionState.ERROR, ConnectionState.CLOSING

TRANSITIONS: Mapping[tuple[ConnectionState, ConnectionEvent], ConnectionState] = MappingProxyType(
    {
        (_OPEN, ConnectionEvent.DISABLE_KEEP_ALIVE): _MUST_CLOSE,
        (_MUST_CLOSE, ConnectionEvent.DISABLE_KEEP_ALIVE): _MUST_CLOSE,
        (_ERROR, ConnectionEvent.DISABLE_KEEP_ALIVE): _ERROR,
        (_CLOSING, ConnectionEvent.DISABLE_KEEP_ALIVE): _CLOSING,
        (_OPEN, ConnectionEvent.FAIL): _ERROR,
        (_MUST_CLOSE, ConnectionEvent.FAIL): _ERROR,
        (_ERROR, ConnectionEvent.FAIL): _ERROR,
        (_CLOSING, ConnectionEvent.FAIL): _CLOSING,
        (_OPEN, ConnectionEvent.CLOSE): _CLOSING,
        (_MUST_CLOSE, ConnectionEvent.CLOSE): _CLOSING,
        (_ERROR, ConnectionEvent.CLOSE): _CLOSING,
    }
)
"""The state after each event. Only a second ``CLOSE`` is illegal."""

_EXPECTING = frozenset((Phase.NEW, Phase.HEAD, Phase.BODY, Phase.QUEUE))
_idle_counter = itertools.count()
"""Orders connections by when they became idle; ``loop.time()`` may be equal within one iteration of the loop."""


class ServerContext(Protocol):
    """What a connection uses of the ``HttpServer`` that accepted it."""

    limits: DeadlineLimits
    date_line: bytes
    is_shutting_down: bool
    is_draining: bool
    """No more connections are accepted, and each closes after its current request."""
    max_body_bytes: int
    body_budget: "BodyBudget[ClientConnection]"
    disconnect_watcher: DisconnectWatcher
    handle: Callable[[Any, "ClientConnection"], Coroutine[Any, Any, None]]
    """Serves a request, an instance of ``request_class``."""
    request_class: type[Request]
    format_refusal: Callable[[HttpError, str, bytes, str], bytes]
    """Builds the whole error response from the error, its request id, the ``Date`` line and the path."""
    is_blocking_others: Callable[[Any], bool]
    """Whether other requests wait for this request to end."""

    def add(self, connection: "ClientConnection") -> bool:
        """Register a connection. False if there are too many."""
        ...

    def discard(self, connection: "ClientConnection") -> None:
        """Unregister a lost connection."""
        ...

    def start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task and track it until it is done."""
        ...

    def record_refusal(self, error: HttpError, request_id: str) -> None:
        """Record an error response that was sent before there was a request."""
        ...

    def schedule_read(self, connection: "ClientConnection") -> None:
        """Queue a connection for ``read_next_slice``."""
        ...

    def admit_bodies(self) -> None:
        """Resume reading of bodies that wait for memory, as far as the budget allows."""
        ...


class ClientConnection(asyncio.Protocol):
    """A connection from a client. It is the ``ResponseTransport`` of its current response."""

    def __init__(self, server: ServerContext) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(max_body_bytes=server.max_body_bytes)
        self._accepted_s = self._loop.time()
        self._deadlines = Deadlines(server.limits, self._accepted_s)
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None
        self._body: RequestBody | None = None
        self._has_whole_body = False
        """Whether the body was received with the head: then the reader is not in a body and need not be checked."""
        self._state = _OPEN
        self._is_response_complete = False
        """Whether the response to the latest request is complete."""
        self._pause_reasons: set[_PauseReason] = set()
        self._watched_descriptor = -1
        self._is_body_counted = False
        self._bytes_this_turn = 0
        self._pipeline_deadline_s = NO_DEADLINE
        self._drain_waiter: asyncio.Future[None] | None = None
        self._idle_order = next(_idle_counter)
        self._task: asyncio.Task[None] | None = None
        self._request_waiter: asyncio.Future[None] | None = None
        self.is_write_paused = False

    # -- the transport --------------------------------------------------------------------------------------

    @property
    def date_line(self) -> bytes:
        """The current ``Date`` header line."""
        return self._server.date_line

    @property
    def can_keep_alive(self) -> bool:
        """Whether another request may follow: only if the unread rest of the body is small enough to discard."""
        if self._state is not _OPEN or self._server.is_shutting_down or self._server.is_draining:
            return False
        if self._has_whole_body or not self._reader.is_in_body:
            return True
        missing = self._reader.remaining_body_bytes
        return missing is not None and missing <= MAX_DISCARDED_BODY_BYTES

    @property
    def peer_host(self) -> str | None:
        """The IP address of the client; None if the socket is not an IP socket."""
        return self._host("peername")

    @property
    def server_host(self) -> str | None:
        """The IP address that the client connected to; None if the socket is not an IP socket."""
        return self._host("sockname")

    async def drain(self) -> None:
        """Return when writing is not paused, or the connection is lost."""
        while self.is_write_paused:
            self._drain_waiter = self._loop.create_future()
            try:
                await self._drain_waiter
            finally:
                self._drain_waiter = None

    def write(self, data: bytes) -> None:
        """Write data; discard it if the connection is lost or closing."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(data)

    def end(self, *, may_keep_alive: bool) -> None:
        """Mark the response as complete; without ``may_keep_alive`` the connection closes after it."""
        self._is_response_complete = True
        if not may_keep_alive:
            self._transition(ConnectionEvent.DISABLE_KEEP_ALIVE)

    # -- what the server calls ------------------------------------------------------------------------------

    @property
    def idle_order(self) -> int | None:
        """Position among the idle connections, the longest idle lowest; None if the connection is not idle."""
        phase = self._deadlines.phase
        is_unused = phase is Phase.NEW and self._loop.time() >= self._accepted_s + NEW_CONNECTION_GRACE_S
        is_idle = (phase is Phase.IDLE or is_unused) and self._state is not _CLOSING
        return self._idle_order if is_idle else None

    @property
    def expects_request(self) -> bool:
        """Whether a request may be on its way: the connection is new, or the request has not arrived completely."""
        return self._state is not _CLOSING and self._deadlines.phase in _EXPECTING

    def close_if_idle(self) -> None:
        """Close the connection if it is between two requests."""
        if self._deadlines.phase is Phase.IDLE:
            self._close()

    def check(self, now_s: float) -> float:
        """Enforce the deadline, and return the time of the next check at the latest; in the loop's time."""
        transport = self._transport
        if transport is None:
            return NO_DEADLINE
        if now_s >= self._pipeline_deadline_s:
            self._discard_pipelined()
        unsent, is_blocking_others = transport.get_write_buffer_size(), False
        if self._deadlines.phase is Phase.WRITE_BLOCKED:
            unsent = unsent_bytes(transport)
            is_blocking_others = self._request is not None and self._server.is_blocking_others(self._request)
        match self._deadlines.check(now_s, unsent, is_blocking_others=is_blocking_others):
            case None | Phase.RESPONSE:
                pass
            case Phase.HEAD:
                self.refuse(RequestTimeoutError("The request head did not arrive in time."))
            case Phase.BODY if self._request is not None:
                self._fail_body(RequestTimeoutError("The request body did not arrive in time."))
            case Phase.QUEUE:
                self._fail_body(TooManyBodiesError())
            case Phase.NEW | Phase.IDLE:
                self._close()
            case _:
                if self._request is not None:
                    self._request.disconnect(ClientStalledError())
                transport.abort()
        return min(self._deadlines.deadline_s, self._pipeline_deadline_s)

    def resume_body(self) -> None:
        """Resume reading a body that waited for memory."""
        if self._deadlines.phase is Phase.QUEUE:
            self._deadlines.begin_body(self._loop.time())
        self._resume_reading(_PauseReason.BUDGET)

    def apply_limits(self) -> None:
        """Use the server's current limits: timeouts from the next phase on, sizes from the next body on."""
        self._deadlines.limits = self._server.limits
        self._reader.max_body_bytes = self._server.max_body_bytes

    def shut_down(self) -> None:
        """Close the connection if it is idle; otherwise after the current response. Called during shutdown.

        Backpressure is lifted: the kernel may buffer the whole response and delivers it after the process has exited.
        """
        if self._transport is None:
            return
        if self._request is None:
            self._transport.close()
            return
        _limit_unsent(self._transport, _UNLIMITED_BYTES)
        self.resume_writing()

    def abort(self) -> None:
        """Close the connection at once and discard buffered output."""
        if self._transport is not None:
            self._transport.abort()

    def refuse(self, error: HttpError) -> None:
        """Send an error response and close."""
        request_id = new_request_id()
        self._server.record_refusal(error, request_id)
        path = self._reader.path_hint
        self.write(self._server.format_refusal(error, request_id, self.date_line, path))
        self._is_response_complete = True
        self._transition(ConnectionEvent.FAIL)
        self._close()

    # -- what the event loop calls --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Configure the socket; refuse the connection if there are too many."""
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        sock = transport.get_extra_info("socket")
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            with contextlib.suppress(OSError):  # the client has disconnected
                # asyncio and uvloop set this only for sockets with an explicit protocol, which socket.socket() does
                # not have. Without it, data after the head waits for the client's delayed ACK (measured: 40 ms).
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _limit_unsent(transport, NOTSENT_LOWAT_BYTES)
        if not self._server.add(self):
            self.refuse(TooManyConnectionsError())

    def data_received(self, data: bytes) -> None:
        """Parse received data."""
        if self._state is not _CLOSING:
            self._read(data)

    def eof_received(self) -> bool:
        """Treat a half-closed connection as a disconnect, as other servers do.

        ``connection_lost`` is not early enough: the loop calls it only after the client has read the buffered output.
        """
        if self._request is not None:
            self._request.disconnect()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Cancel the current request."""
        self._server.disconnect_watcher.unwatch(self._watched_descriptor)
        self._transport = None
        self._server.discard(self)
        if self._request is not None:
            self._request.disconnect()
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        """Pause the response: the client reads too slowly."""
        self.is_write_paused = not self._server.is_shutting_down
        if self._transport is not None:
            self._deadlines.block_write(self._loop.time(), unsent_bytes(self._transport))

    def resume_writing(self) -> None:
        """Resume the response: the client has read buffered output."""
        self.is_write_paused = False
        if self._deadlines.phase is Phase.WRITE_BLOCKED and self._state is not _CLOSING:
            self._deadlines.record_read(self._loop.time())
            if _PauseReason.BUDGET in self._pause_reasons:
                self._deadlines.queue_body(self._loop.time())
            elif self._reader.is_in_body:
                self._deadlines.begin_body(self._loop.time())
            elif self._request is None:
                # uvloop writes at the end of a loop iteration: the response was complete before writing was paused.
                self._deadlines.become_idle(self._loop.time())
                if self._reader.is_in_head:
                    self._deadlines.begin_head(self._loop.time())
            else:
                self._deadlines.begin_response()
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)

    # -- requests -------------------------------------------------------------------------------------------

    def _read(self, data: bytes | None) -> None:
        """Parse ``data`` and handle the events; None starts the next pipelined request."""
        reader = self._reader
        try:
            events = reader.next_request() if data is None else reader.receive(data)
        except HttpError as error:
            self._transition(ConnectionEvent.FAIL)
            if self._request is None:
                self.refuse(error)
            else:
                self._fail_body(error)
            return
        for event in events:
            if isinstance(event, NewRequest):
                self._start_request(event)
            elif event is End.OF_REQUEST:
                self._finish_request()
            elif isinstance(event, bytes):
                self._feed_body(event)
        if self._request is None:
            if reader.is_in_head:
                self._deadlines.begin_head(self._loop.time())
        elif self._body is not None or reader.pipelined_bytes:
            self._limit_reading()

    def _limit_reading(self) -> None:
        """Pause reading if too much pipelined data is buffered, or if other connections have to be read first."""
        reader = self._reader
        if reader.pipelined_bytes > MAX_PIPELINED_BYTES:
            self._pause_reading(_PauseReason.PIPELINE)
        elif reader.has_unparsed_chunks or self._bytes_this_turn > MAX_BODY_BYTES_PER_TURN:
            self._pause_reading(_PauseReason.TURN)
            self._server.schedule_read(self)

    def read_next_slice(self) -> None:
        """Parse the next slice of buffered data."""
        self._bytes_this_turn = 0
        if self._transport is None or self._state is _CLOSING:
            return
        if self._reader.has_unparsed_chunks:
            self._read(b"")
        if not self._reader.has_unparsed_chunks:
            self._resume_reading(_PauseReason.TURN)

    def _feed_body(self, part: bytes | memoryview) -> None:
        """Add a part to the body; discard it if the body is no longer needed."""
        body, now_s = self._body, self._loop.time()
        self._deadlines.receive_body(len(part), now_s)
        if body is None:
            return
        body.feed(part)
        if body.size_bytes <= UNCOUNTED_BYTES:
            return
        self._bytes_this_turn += len(part)
        if body.has_failed:
            self._release_body()
        elif not self._grow_body(body.size_bytes) and self._reader.is_in_body:
            self._deadlines.queue_body(now_s)
            self._pause_reading(_PauseReason.BUDGET)

    def _grow_body(self, size_bytes: int) -> bool:
        """Charge the size of the body to the budget, and return whether more of the body may be read."""
        self._is_body_counted = True
        return self._server.body_budget.grow(self, size_bytes)

    def _release_body(self) -> None:
        """Release the memory of the body in the budget."""
        if self._is_body_counted:
            self._is_body_counted = False
            self._server.body_budget.release(self)
            self._resume_reading(_PauseReason.BUDGET)
            self._server.admit_bodies()

    def _start_request(self, event: NewRequest) -> None:
        self._has_whole_body = event.body is not None
        if event.body is None:
            self._body = RequestBody(
                limit_bytes=self._server.max_body_bytes, length_bytes=event.content_length
            )
            self._deadlines.begin_body(self._loop.time())
        else:
            self._begin_response()
            if len(event.body) > UNCOUNTED_BYTES:
                self._grow_body(len(event.body))
                self._server.body_budget.finish(self)
        if self._task is None:
            self._task = self._server.start_task(self._serve())
        self._request = self._server.request_class(
            event.head,
            event.content_length,
            event.body or self._body or b"",
            self,
            task=self._task,
            request_id=event.request_id,
        )
        if not event.head.may_keep_alive:
            self._transition(ConnectionEvent.DISABLE_KEEP_ALIVE)
        self._is_response_complete = False
        self._wake()

    async def _serve(self) -> None:
        """Serve requests in order until the connection closes."""
        was_pipelined = False
        while True:
            request = self._request
            if request is None:
                if self._transport is None or self._state is _CLOSING:
                    return
                self._request_waiter = self._loop.create_future()
                await self._request_waiter
                was_pipelined = False
                continue
            if was_pipelined:
                await asyncio.sleep(0)  # lets other connections run first
            was_pipelined = True
            try:
                await self._server.handle(request, self)
            except BaseException:
                self._transition(ConnectionEvent.FAIL)  # this task serves no further request
                raise
            finally:
                self._request = self._body = None
                if self._is_body_counted:
                    self._release_body()
                self._after_response()

    def _wake(self) -> None:
        if self._request_waiter is not None and not self._request_waiter.done():
            self._request_waiter.set_result(None)

    def _finish_request(self) -> None:
        if self._body is not None:
            self._body.finish()
            if self._is_body_counted:
                self._server.body_budget.finish(self)
                self._server.admit_bodies()  # another body is the oldest now
        if self._request is not None:
            if self._deadlines.phase in {Phase.BODY, Phase.QUEUE}:
                self._begin_response()
        else:  # the rest of a discarded body
            self._start_next_request()

    def _fail_body(self, error: HttpError) -> None:
        """Fail the body with ``error``. A response that has begun continues; the connection closes after it."""
        self._transition(ConnectionEvent.FAIL)
        self._begin_response()
        if self._body is not None:
            self._body.fail(error)
        self._release_body()

    def _begin_response(self) -> None:
        """Wait for the response without a deadline, unless the client still has to read the previous response."""
        if self.is_write_paused and self._transport is not None:
            self._deadlines.block_write(self._loop.time(), unsent_bytes(self._transport))
        else:
            self._deadlines.begin_response()

    def _after_response(self) -> None:
        if self._transport is None:
            return
        if not self._is_response_complete or not self.can_keep_alive:
            self._close()
        elif not self._has_whole_body and self._reader.is_in_body:
            self._deadlines.begin_body(self._loop.time())
        else:
            self._start_next_request()

    def _start_next_request(self) -> None:
        self._deadlines.become_idle(self._loop.time())
        self._idle_order = next(_idle_counter)
        if self._reader.pipelined_bytes:
            self._read(None)
        else:
            self._reader.next_request()
        if (
            self._pause_reasons and _PauseReason.PIPELINE in self._pause_reasons
        ):  # testing for an empty set needs no hash
            if self._reader.pipelined_bytes <= MAX_PIPELINED_BYTES:
                self._resume_reading(_PauseReason.PIPELINE)
            else:
                self._pipeline_deadline_s = self._loop.time() + PIPELINE_WAIT_S

    def _pause_reading(self, reason: _PauseReason) -> None:
        if self._transport is None:
            return
        if not self._pause_reasons:
            self._transport.pause_reading()
        if reason is _PauseReason.PIPELINE and reason not in self._pause_reasons:
            self._pipeline_deadline_s = self._loop.time() + PIPELINE_WAIT_S
        self._pause_reasons.add(reason)
        if reason is not _PauseReason.TURN:  # too short a pause to miss a disconnect
            self._watched_descriptor = self._transport.get_extra_info("socket").fileno()
            self._server.disconnect_watcher.watch(self._watched_descriptor, self._on_disconnect)

    def _resume_reading(self, reason: _PauseReason) -> None:
        if reason not in self._pause_reasons:
            return
        self._pause_reasons.discard(reason)
        if reason is _PauseReason.PIPELINE:
            self._pipeline_deadline_s = NO_DEADLINE
        if not self._pause_reasons and self._transport is not None:
            self._server.disconnect_watcher.unwatch(self._watched_descriptor)
            self._transport.resume_reading()

    def _discard_pipelined(self) -> None:
        """Discard pipelined requests and close after the current response. Resume reading to detect a disconnect."""
        self._reader.discard_pipelined()
        self._transition(ConnectionEvent.FAIL)
        self._resume_reading(_PauseReason.PIPELINE)

    def _on_disconnect(self) -> None:
        """Handle a disconnect that was detected while reading was paused."""
        self.eof_received()
        if self._transport is not None:
            self._transport.close()

    # -- ends -----------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Close after buffered output is sent, with a lingering close if the client may still be sending."""
        transport = self._transport
        if transport is None or self._state is _CLOSING:
            return
        may_still_send = self._state is _ERROR or self._reader.is_in_body or self._reader.pipelined_bytes > 0
        self._transition(ConnectionEvent.CLOSE)
        self._wake()
        if (
            self._is_response_complete
            and may_still_send
            and not self._server.is_shutting_down
            and transport.can_write_eof()
        ):
            try:
                transport.write_eof()
            except OSError:  # reset by the client; asyncio has not noticed yet
                transport.abort()
                return
            for reason in list(self._pause_reasons):
                self._resume_reading(reason)
            self._deadlines.begin_lingering_close(self._loop.time(), transport.get_write_buffer_size())
        else:
            self._deadlines.block_write(self._loop.time(), unsent_bytes(transport))
            transport.close()

    def _transition(self, event: ConnectionEvent) -> None:
        """Change the state. Raises RuntimeError if the transition is illegal."""
        try:
            self._state = TRANSITIONS[self._state, event]
        except KeyError:
            raise RuntimeError(f"Illegal transition from {self._state} on {event}.") from None

    def _host(self, which: str) -> str | None:
        name = self._transport.get_extra_info(which) if self._transport is not None else None
        return name[0] if isinstance(name, tuple) else None


def _limit_unsent(transport: asyncio.Transport, limit_bytes: int) -> None:
    """Limit the unsent data that the kernel buffers, where supported (TCP on Linux and macOS)."""
    sock = transport.get_extra_info("socket")
    if sock.family in {socket.AF_INET, socket.AF_INET6} and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with contextlib.suppress(OSError):  # the client has disconnected
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limit_bytes)
