"""One connection of a client: bytes become requests, which are answered one after the other.

Theory of operation. ``RequestReader`` says what came. One task answers the requests in turn: it reads a body from
``RequestBody`` and writes through this object (``ResponseTransport``). While it works, what comes is more of the body,
the next request (which waits), or the end of the connection (which ends the work). Then the connection goes on with
what waits, rests, or ends: at once where the client has nothing left to say, else after it has had time to read the
answer, for a socket that is closed with unread input takes the answer down with it (RFC 9112 section 9.6).

``TRANSITIONS`` says what may still follow on the connection. ``Deadlines`` knows when a phase has lasted too long; the
listener looks at all connections from time to time.

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

WRITE_HIGH_BYTES = 32 * 1024
"""How much of an answer may wait in this process for a slow client."""
NOTSENT_BYTES = 32 * 1024
"""How much of it may wait in the kernel before it is on its way."""
_UNLIMITED = 2**31 - 1
MAX_PIPELINED_BYTES = 64 * 1024
"""How much a client may send in advance of the answer it waits for."""
PIPELINE_WAIT_S = 1.0
"""How long more than that may wait. Then it is dropped, and the connection ends with the answer (RFC 9112 section 9.3.2
has clients ask again): behind what is not read, the end of a client could not be seen."""
NEW_CONNECTION_GRACE_S = 1.0
"""A client that was accepted and has said nothing for so long may have to make room for others; before, its first words
may be on their way."""
MAX_DISCARDED_BODY_BYTES = 64 * 1024
"""How much of a body that nobody wants is read and dropped to keep the connection."""
MAX_BODY_BYTES_PER_TURN = 512 * 1024
"""How much of a body is read before other uploads have their turn: uvloop reads on, 8 MiB, while there is more."""


class _PauseReason(Enum):
    """Why nothing is read."""

    PIPELINE = "more has come of what follows the request than is kept"
    TURN = "others that have much to read have their turn"
    BUDGET = "all bodies together are as large as they may be"


class ConnectionState(Enum):
    """What may still follow on a connection. It goes one way only."""

    OPEN = "open"
    """Another request may follow."""
    MUST_CLOSE = "must close"
    """None follows: client or response said so."""
    ERROR = "error"
    """None follows, and what the client may still send is not read: closing must not take the response down with it."""
    CLOSING = "closing"
    """Nothing is read any more; what is written is still sent."""


class ConnectionEvent(Enum):
    """What decides what may follow on a connection."""

    DISABLE_KEEP_ALIVE = "keep-alive disabled"
    """Said by a request (or its version), or by a response."""
    FAIL = "error"
    """What came is malformed, too late or too much, or what serves the requests has failed."""
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
"""The state after each event. Only a second close is illegal."""

_idle_counter = itertools.count()
"""The loop's clock stands still while a turn of it lasts: it cannot tell who has been idle for longer."""


class ServerContext(Protocol):
    """What a connection needs of the listener that accepted it."""

    limits: DeadlineLimits
    date_line: bytes
    is_shutting_down: bool
    max_body_bytes: int
    bodies: "BodyBudget[ClientConnection]"
    disconnects: DisconnectWatcher
    handle: Callable[[Any, "ClientConnection"], Coroutine[Any, Any, None]]
    """Serves a request, which is what ``request_class`` has made."""
    request_class: type[Request]
    format_refusal: Callable[[HttpError, str, bytes, str], bytes]
    """Writes the whole response to what is refused: the error, its request id, the ``Date`` line, and the path."""
    is_blocking_others: Callable[[Any], bool]
    """Whether others wait for the end of a request."""

    def add(self, connection: "ClientConnection") -> bool:
        """Count a connection; False when there are too many."""
        ...

    def discard(self, connection: "ClientConnection") -> None:
        """Forget a connection that is gone."""
        ...

    def start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task that is known until it is done."""
        ...

    def record_refusal(self, error: HttpError, request_id: str) -> None:
        """Take note of what was refused before it was a request."""
        ...

    def schedule_read(self, connection: "ClientConnection") -> None:
        """Let a connection read its next slice when it is its turn."""
        ...

    def admit_bodies(self) -> None:
        """Let those bodies come that wait for room."""
        ...


class ClientConnection(asyncio.Protocol):
    """A connection, and the transport of the response that goes over it now."""

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
        """Whether the body came with its head: then the reader is in none, and is not asked for each answer."""
        self._state = _OPEN
        self._is_response_complete = False
        """Whether the request that came last has its whole response."""
        self._pauses: set[_PauseReason] = set()
        self._descriptor = -1
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
        """The ``Date`` header of now, as a line."""
        return self._server.date_line

    @property
    def can_keep_alive(self) -> bool:
        """Whether, as things stand, another request may follow: so the rest of this one must be worth reading."""
        if self._state is not _OPEN or self._server.is_shutting_down:
            return False
        if self._has_whole_body or not self._reader.is_in_body:
            return True
        missing = self._reader.remaining_body_bytes
        return missing is not None and missing <= MAX_DISCARDED_BODY_BYTES

    @property
    def peer_host(self) -> str | None:
        """The address that the connection comes from; None when it is no network address."""
        return self._host("peername")

    @property
    def server_host(self) -> str | None:
        """The address that the connection came to; None when it is no network address."""
        return self._host("sockname")

    async def drain(self) -> None:
        """Return when the client has read, or is gone."""
        while self.is_write_paused:
            self._drain_waiter = self._loop.create_future()
            try:
                await self._drain_waiter
            finally:
                self._drain_waiter = None

    def write(self, data: bytes) -> None:
        """Send; what a client that is gone is sent is lost."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(data)

    def end(self, *, may_keep_alive: bool) -> None:
        """Note that the answer is whole, and whether the connection may go on."""
        self._is_response_complete = True
        if not may_keep_alive:
            self._transition(ConnectionEvent.DISABLE_KEEP_ALIVE)

    # -- what the listener calls ----------------------------------------------------------------------------

    @property
    def idle_order(self) -> int | None:
        """Its place among those on which nobody waits, the longest idle first; None while somebody does."""
        phase = self._deadlines.phase
        is_silent = phase is Phase.NEW and self._loop.time() >= self._accepted_s + NEW_CONNECTION_GRACE_S
        is_idle = (phase is Phase.IDLE or is_silent) and self._state is not _CLOSING
        return self._idle_order if is_idle else None

    def check(self, now_s: float) -> float:
        """End what has lasted too long, and return when to look again at the latest; both in the loop's time."""
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
                self._refuse(RequestTimeoutError("The request's head did not come in time."))
            case Phase.BODY if self._request is not None:
                self._fail_body(RequestTimeoutError("The request's body did not come in time."))
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
        """Go on with a body that waited for room."""
        if self._deadlines.phase is Phase.QUEUE:
            self._deadlines.begin_body(self._loop.time())
        self._resume_reading(_PauseReason.BUDGET)

    def shut_down(self) -> None:
        """Close it unless an answer is on its way, which is the last one then. The edge is ending already.

        Nothing waits for a slow client any more: the kernel may take what there is, and delivers it when we are gone.
        """
        if self._transport is None:
            return
        if self._request is None:
            self._transport.close()
            return
        _limit_unsent(self._transport, _UNLIMITED)
        self.resume_writing()

    def abort(self) -> None:
        """Cut it."""
        if self._transport is not None:
            self._transport.abort()

    # -- what the event loop calls --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport; refuse where there are too many."""
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        sock = transport.get_extra_info("socket")
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            with contextlib.suppress(OSError):  # the client is gone already
                # The loops do this only for sockets that name their protocol, and socket.socket() does not: without
                # it, what follows an answer's head waits for the client's delayed acknowledgement (measured: 40 ms).
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _limit_unsent(transport, NOTSENT_BYTES)
        if not self._server.add(self):
            self._refuse(TooManyConnectionsError())

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if self._state is not _CLOSING:
            self._read(data)

    def eof_received(self) -> bool:
        """Take the end of the client's side for its leaving, as other servers do.

        At once: the loop tells that the connection is lost only when the client has taken what waits for it.
        """
        if self._request is not None:
            self._request.disconnect()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End what is being answered."""
        self._server.disconnects.unwatch(self._descriptor)
        self._transport = None
        self._server.discard(self)
        if self._request is not None:
            self._request.disconnect()
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        """Note that the client is slow to read."""
        self.is_write_paused = not self._server.is_shutting_down
        if self._transport is not None:
            self._deadlines.block_write(self._loop.time(), unsent_bytes(self._transport))

    def resume_writing(self) -> None:
        """Note that the client has read."""
        self.is_write_paused = False
        if self._deadlines.phase is Phase.WRITE_BLOCKED and self._state is not _CLOSING:
            self._deadlines.record_read(self._loop.time())
            if _PauseReason.BUDGET in self._pauses:
                self._deadlines.queue_body(self._loop.time())
            elif self._reader.is_in_body:
                self._deadlines.begin_body(self._loop.time())
            elif self._request is None:
                # uvloop writes at the end of a turn: the response was over before the client was seen to be slow.
                self._deadlines.become_idle(self._loop.time())
                if self._reader.is_in_head:
                    self._deadlines.begin_head(self._loop.time())
            else:
                self._deadlines.begin_response()
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)

    # -- requests -------------------------------------------------------------------------------------------

    def _read(self, data: bytes | None) -> None:
        """Take in what came; None goes on with what has come already."""
        reader = self._reader
        try:
            events = reader.next_request() if data is None else reader.receive(data)
        except HttpError as error:
            self._transition(ConnectionEvent.FAIL)
            if self._request is None:
                self._refuse(error)
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
        """Pause reading where more has come than may wait, or than is read in one turn."""
        reader = self._reader
        if reader.pipelined_bytes > MAX_PIPELINED_BYTES:
            self._pause_reading(_PauseReason.PIPELINE)
        elif reader.has_unread_chunks or self._bytes_this_turn > MAX_BODY_BYTES_PER_TURN:
            self._pause_reading(_PauseReason.TURN)
            self._server.schedule_read(self)

    def read_next_slice(self) -> None:
        """Read the next slice of what has come already."""
        self._bytes_this_turn = 0
        if self._transport is None or self._state is _CLOSING:
            return
        if self._reader.has_unread_chunks:
            self._read(b"")
        if not self._reader.has_unread_chunks:
            self._resume_reading(_PauseReason.TURN)

    def _feed_body(self, part: bytes | memoryview) -> None:
        """Take in a part of a body; what is not wanted any more is dropped."""
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
        elif not self._count_body(body.size_bytes) and self._reader.is_in_body:
            self._deadlines.queue_body(now_s)
            self._pause_reading(_PauseReason.BUDGET)

    def _count_body(self, size_bytes: int) -> bool:
        """Count a body among all, and return whether more of it may come."""
        self._is_body_counted = True
        return self._server.bodies.grow(self, size_bytes)

    def _release_body(self) -> None:
        """Note that a body is held no more."""
        if self._is_body_counted:
            self._is_body_counted = False
            self._server.bodies.release(self)
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
                self._count_body(len(event.body))
                self._server.bodies.finish(self)
        if self._task is None:
            self._task = self._server.start_task(self._serve())
        self._request = self._server.request_class(
            event.head, event.content_length, event.body or self._body or b"", self, task=self._task
        )
        if not event.head.may_keep_alive:
            self._transition(ConnectionEvent.DISABLE_KEEP_ALIVE)
        self._is_response_complete = False
        self._wake()

    async def _serve(self) -> None:
        """Answer one request after the other until the connection ends."""
        was_sent_ahead = False
        while True:
            request = self._request
            if request is None:
                if self._transport is None or self._state is _CLOSING:
                    return
                self._request_waiter = self._loop.create_future()
                await self._request_waiter
                was_sent_ahead = False
                continue
            if was_sent_ahead:
                await asyncio.sleep(0)  # others have the loop first
            was_sent_ahead = True
            try:
                await self._server.handle(request, self)
            except BaseException:
                self._transition(ConnectionEvent.FAIL)  # no task would answer what follows
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
                self._server.bodies.finish(self)
                self._server.admit_bodies()  # another one is the oldest now
        if self._request is not None:
            if self._deadlines.phase in {Phase.BODY, Phase.QUEUE}:
                self._begin_response()
        else:  # the rest of a body that nobody wanted
            self._start_next_request()

    def _fail_body(self, error: HttpError) -> None:
        """Tell whoever reads the body. An answer that has begun without it goes on, and is the last one."""
        self._transition(ConnectionEvent.FAIL)
        self._begin_response()
        if self._body is not None:
            self._body.fail(error)
        self._release_body()

    def _begin_response(self) -> None:
        """Let the answer take its time, unless what was answered before is still to be read: that is the client's."""
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
        if self._pauses and _PauseReason.PIPELINE in self._pauses:  # an empty set says so without a hash
            if self._reader.pipelined_bytes <= MAX_PIPELINED_BYTES:
                self._resume_reading(_PauseReason.PIPELINE)
            else:
                self._pipeline_deadline_s = self._loop.time() + PIPELINE_WAIT_S

    def _pause_reading(self, why: _PauseReason) -> None:
        if self._transport is None:
            return
        if not self._pauses:
            self._transport.pause_reading()
        if why is _PauseReason.PIPELINE and why not in self._pauses:
            self._pipeline_deadline_s = self._loop.time() + PIPELINE_WAIT_S
        self._pauses.add(why)
        if why is not _PauseReason.TURN:  # that one is over in a moment
            self._descriptor = self._transport.get_extra_info("socket").fileno()
            self._server.disconnects.watch(self._descriptor, self._on_disconnect)

    def _resume_reading(self, why: _PauseReason) -> None:
        if why not in self._pauses:
            return
        self._pauses.discard(why)
        if why is _PauseReason.PIPELINE:
            self._pipeline_deadline_s = NO_DEADLINE
        if not self._pauses and self._transport is not None:
            self._server.disconnects.unwatch(self._descriptor)
            self._transport.resume_reading()

    def _discard_pipelined(self) -> None:
        """Answer this request and no other, and read on, to see whether the client is still there."""
        self._reader.discard_pipelined()
        self._transition(ConnectionEvent.FAIL)
        self._resume_reading(_PauseReason.PIPELINE)

    def _on_disconnect(self) -> None:
        """Take note of what reading would have shown, had it not been paused."""
        self.eof_received()
        if self._transport is not None:
            self._transport.close()

    # -- ends -----------------------------------------------------------------------------------------------

    def _refuse(self, error: HttpError) -> None:
        """Answer what is no request, and close."""
        request_id = new_request_id()
        self._server.record_refusal(error, request_id)
        path = self._reader.path_hint
        self.write(self._server.format_refusal(error, request_id, self.date_line, path))
        self._is_response_complete = True
        self._transition(ConnectionEvent.FAIL)
        self._close()

    def _close(self) -> None:
        """Close after what is written is sent; where the client may still be sending, let it read the answer first."""
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
            except OSError:  # the client has reset the connection, which asyncio has not noticed yet
                transport.abort()
                return
            for why in list(self._pauses):
                self._resume_reading(why)
            self._deadlines.begin_lingering_close(self._loop.time(), transport.get_write_buffer_size())
        else:
            self._deadlines.block_write(self._loop.time(), unsent_bytes(transport))
            transport.close()

    def _transition(self, event: ConnectionEvent) -> None:
        """Change the state. Raises RuntimeError where that is no legal move."""
        try:
            self._state = TRANSITIONS[self._state, event]
        except KeyError:
            raise RuntimeError(f"No move from {self._state} on {event}.") from None

    def _host(self, which: str) -> str | None:
        name = self._transport.get_extra_info(which) if self._transport is not None else None
        return name[0] if isinstance(name, tuple) else None


def _limit_unsent(transport: asyncio.Transport, limit_bytes: int) -> None:
    """Bound what the kernel takes without having sent it, where it can (TCP on Linux and macOS)."""
    sock = transport.get_extra_info("socket")
    if sock.family in {socket.AF_INET, socket.AF_INET6} and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with contextlib.suppress(OSError):  # the client is gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limit_bytes)
