"""One connection of a client: bytes become requests, which are answered one after the other.

Theory of operation. ``RequestReader`` says what came. One task answers the requests in turn: it reads a body from
``IncomingBody`` and writes through this object (``ResponseTransport``). While it works, what comes is more of the body,
the next request (which waits), or the end of the connection (which ends the work). Then the connection goes on with
what waits, rests, or ends: at once where the client has nothing left to say, else after it has had time to read the
answer, for a socket that is closed with unread input takes the answer down with it (RFC 9112 section 9.6).

``MOVES`` says what may still follow on the connection. ``Deadlines`` knows when a phase has lasted too long; the
listener looks at all connections from time to time.

Reading pauses for three reasons (``_Pause``), and goes on when none of them holds. No connection takes more than a
slice of a turn of the loop: of all that have many small chunks to read one reads some hundred in each turn, and a
request that was sent ahead waits for the next turn.
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
from gglib.http.server.body import IncomingBody
from gglib.http.server.budget import FREE_BYTES, BodyBudget
from gglib.http.server.deadlines import (
    FOR_EVER,
    DeadlineLimits,
    Deadlines,
    Phase,
)
from gglib.http.server.departures import Departures
from gglib.http.server.request import ClientStalledError, Request, new_request_id
from gglib.http.server.send_queue import unsent_bytes

WRITE_HIGH_BYTES = 32 * 1024
"""How much of an answer may wait in this process for a slow client."""
NOTSENT_BYTES = 32 * 1024
"""How much of it may wait in the kernel before it is on its way."""
_UNLIMITED = 2**31 - 1
AHEAD_LIMIT_BYTES = 64 * 1024
"""How much a client may send in advance of the answer it waits for."""
AHEAD_FOR_S = 1.0
"""How long more than that may wait. Then it is dropped, and the connection ends with the answer (RFC 9112 section 9.3.2
has clients ask again): behind what is not read, the end of a client could not be seen."""
SILENT_AFTER_S = 1.0
"""A client that was accepted and has said nothing for so long may have to make room for others; before, its first words
may be on their way."""
DROPPED_BODY_BYTES = 64 * 1024
"""How much of a body that nobody wants is read and dropped to keep the connection."""
TURN_BYTES = 512 * 1024
"""How much of a body is read before other uploads have their turn: uvloop reads on, 8 MiB, while there is more."""


class _Pause(Enum):
    """Why nothing is read."""

    AHEAD = "more has come of what follows the request than is kept"
    BEHIND = "others that have much to read have their turn"
    BUDGET = "all bodies together are as large as they may be"


class ConnectionState(Enum):
    """What may still follow on a connection. It goes one way only."""

    OPEN = "open"
    """Another request may follow."""
    LAST = "last"
    """None follows: client or response said so."""
    BROKEN = "broken"
    """None follows, and what the client may still send is not read: closing must not take the response down with it."""
    CLOSING = "closing"
    """Nothing is read any more; what is written is still sent."""


class ConnectionEvent(Enum):
    """What decides what may follow on a connection."""

    LAST = "connection close"
    """Said by a request (or its version), or by a response."""
    BREAK = "fault"
    """What came is malformed, too late or too much, or what serves the requests has failed."""
    CLOSE = "close"


_OPEN, _LAST = ConnectionState.OPEN, ConnectionState.LAST
_BROKEN, _CLOSING = ConnectionState.BROKEN, ConnectionState.CLOSING

MOVES: Mapping[tuple[ConnectionState, ConnectionEvent], ConnectionState] = MappingProxyType(
    {
        (_OPEN, ConnectionEvent.LAST): _LAST,
        (_LAST, ConnectionEvent.LAST): _LAST,
        (_BROKEN, ConnectionEvent.LAST): _BROKEN,
        (_CLOSING, ConnectionEvent.LAST): _CLOSING,
        (_OPEN, ConnectionEvent.BREAK): _BROKEN,
        (_LAST, ConnectionEvent.BREAK): _BROKEN,
        (_BROKEN, ConnectionEvent.BREAK): _BROKEN,
        (_CLOSING, ConnectionEvent.BREAK): _CLOSING,
        (_OPEN, ConnectionEvent.CLOSE): _CLOSING,
        (_LAST, ConnectionEvent.CLOSE): _CLOSING,
        (_BROKEN, ConnectionEvent.CLOSE): _CLOSING,
    }
)
"""The state after each event. Only a second close is illegal."""

_idle_numbers = itertools.count()
"""The loop's clock stands still while a turn of it lasts: it cannot tell who has been idle for longer."""


class Edge(Protocol):
    """What a connection needs of the listener that accepted it."""

    limits: DeadlineLimits
    date_line: bytes
    is_ending: bool
    max_body_bytes: int
    bodies: "BodyBudget[ClientConnection]"
    departures: Departures
    handle: Callable[[Any, "ClientConnection"], Coroutine[Any, Any, None]]
    """Serves a request, which is what ``new_request`` has made."""
    new_request: type[Request]
    refusal: Callable[[HttpError, str, bytes, str], bytes]
    """Writes the whole response to what is refused: the error, its request id, the ``Date`` line, and the path."""
    is_wanted: Callable[[Any], bool]
    """Whether others wait for the end of a request."""

    def add(self, connection: "ClientConnection") -> bool:
        """Count a connection; False when there are too many."""
        ...

    def discard(self, connection: "ClientConnection") -> None:
        """Forget a connection that is gone."""
        ...

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task that is known until it is done."""
        ...

    def note_refusal(self, error: HttpError, request_id: str) -> None:
        """Take note of what was refused before it was a request."""
        ...

    def catch_up_later(self, connection: "ClientConnection") -> None:
        """Let a connection read its next slice when it is its turn."""
        ...

    def admit_bodies(self) -> None:
        """Let those bodies come that wait for room."""
        ...


class ClientConnection(asyncio.Protocol):
    """A connection, and the transport of the response that goes over it now."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(max_body_bytes=edge.max_body_bytes)
        self._accepted_s = self._loop.time()
        self._deadlines = Deadlines(edge.limits, self._accepted_s)
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None
        self._body: IncomingBody | None = None
        self._came_whole = False
        """Whether the body came with its head: then the reader is in none, and is not asked for each answer."""
        self._state = _OPEN
        self._is_answered = False
        """Whether the request that came last has its whole response."""
        self._pauses: set[_Pause] = set()
        self._descriptor = -1
        self._is_counted = False
        self._turn_bytes = 0
        self._gives_up_at_s = FOR_EVER
        self._drained: asyncio.Future[None] | None = None
        self._idle_number = next(_idle_numbers)
        self._task: asyncio.Task[None] | None = None
        self._next: asyncio.Future[None] | None = None
        self.is_write_paused = False

    # -- the transport --------------------------------------------------------------------------------------

    @property
    def date_line(self) -> bytes:
        """The ``Date`` header of now, as a line."""
        return self._edge.date_line

    @property
    def can_keep_alive(self) -> bool:
        """Whether, as things stand, another request may follow: so the rest of this one must be worth reading."""
        if self._state is not _OPEN or self._edge.is_ending:
            return False
        if self._came_whole or not self._reader.is_in_body:
            return True
        missing = self._reader.missing_bytes
        return missing is not None and missing <= DROPPED_BODY_BYTES

    @property
    def peer_host(self) -> str | None:
        """The address that the connection comes from; None when it is no network address."""
        return self._host("peername")

    @property
    def own_host(self) -> str | None:
        """The address that the connection came to; None when it is no network address."""
        return self._host("sockname")

    async def drain(self) -> None:
        """Return when the client has read, or is gone."""
        while self.is_write_paused:
            self._drained = self._loop.create_future()
            try:
                await self._drained
            finally:
                self._drained = None

    def write(self, data: bytes) -> None:
        """Send; what a client that is gone is sent is lost."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(data)

    def end(self, *, may_keep_alive: bool) -> None:
        """Note that the answer is whole, and whether the connection may go on."""
        self._is_answered = True
        if not may_keep_alive:
            self._move(ConnectionEvent.LAST)

    # -- what the listener calls ----------------------------------------------------------------------------

    @property
    def idle_number(self) -> int | None:
        """Its place among those on which nobody waits, the longest idle first; None while somebody does."""
        phase = self._deadlines.phase
        is_silent = phase is Phase.NEW and self._loop.time() >= self._accepted_s + SILENT_AFTER_S
        is_idle = (phase is Phase.IDLE or is_silent) and self._state is not _CLOSING
        return self._idle_number if is_idle else None

    def look(self, now_s: float) -> float:
        """End what has lasted too long, and return when to look again at the latest; both in the loop's time."""
        transport = self._transport
        if transport is None:
            return FOR_EVER
        if now_s >= self._gives_up_at_s:
            self._give_up_what_is_ahead()
        unsent, is_wanted = transport.get_write_buffer_size(), False
        if self._deadlines.phase is Phase.WRITE_BLOCKED:
            unsent = unsent_bytes(transport)
            is_wanted = self._request is not None and self._edge.is_wanted(self._request)
        match self._deadlines.look(now_s, unsent, is_wanted=is_wanted):
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
                    self._request.leave(ClientStalledError())
                transport.abort()
        return min(self._deadlines.deadline_s, self._gives_up_at_s)

    def read_body_on(self) -> None:
        """Go on with a body that waited for room."""
        if self._deadlines.phase is Phase.QUEUE:
            self._deadlines.begin_body(self._loop.time())
        self._resume_reading(_Pause.BUDGET)

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
        if not self._edge.add(self):
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
            self._request.leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End what is being answered."""
        self._edge.departures.forget(self._descriptor)
        self._transport = None
        self._edge.discard(self)
        if self._request is not None:
            self._request.leave()
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        """Note that the client is slow to read."""
        self.is_write_paused = not self._edge.is_ending
        if self._transport is not None:
            self._deadlines.block_write(self._loop.time(), unsent_bytes(self._transport))

    def resume_writing(self) -> None:
        """Note that the client has read."""
        self.is_write_paused = False
        if self._deadlines.phase is Phase.WRITE_BLOCKED and self._state is not _CLOSING:
            self._deadlines.note_read(self._loop.time())
            if _Pause.BUDGET in self._pauses:
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
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # -- requests -------------------------------------------------------------------------------------------

    def _read(self, data: bytes | None) -> None:
        """Take in what came; None goes on with what has come already."""
        reader = self._reader
        try:
            events = reader.next_request() if data is None else reader.receive(data)
        except HttpError as error:
            self._move(ConnectionEvent.BREAK)
            if self._request is None:
                self._refuse(error)
            else:
                self._fail_body(error)
            return
        for event in events:
            if isinstance(event, NewRequest):
                self._begin(event)
            elif event is End.OF_REQUEST:
                self._end_of_request()
            elif isinstance(event, bytes):
                self._feed(event)
        if self._request is None:
            if reader.is_in_head:
                self._deadlines.begin_head(self._loop.time())
        elif self._body is not None or reader.ahead_bytes:
            self._see_how_much_waits()

    def _see_how_much_waits(self) -> None:
        """Pause reading where more has come than may wait, or than is read in one turn."""
        reader = self._reader
        if reader.ahead_bytes > AHEAD_LIMIT_BYTES:
            self._pause_reading(_Pause.AHEAD)
        elif reader.is_behind or self._turn_bytes > TURN_BYTES:
            self._pause_reading(_Pause.BEHIND)
            self._edge.catch_up_later(self)

    def catch_up(self) -> None:
        """Read the next slice of what has come already."""
        self._turn_bytes = 0
        if self._transport is None or self._state is _CLOSING:
            return
        if self._reader.is_behind:
            self._read(b"")
        if not self._reader.is_behind:
            self._resume_reading(_Pause.BEHIND)

    def _feed(self, part: bytes | memoryview) -> None:
        """Take in a part of a body; what is not wanted any more is dropped."""
        body, now_s = self._body, self._loop.time()
        self._deadlines.receive_body(len(part), now_s)
        if body is None:
            return
        body.feed(part)
        if body.size_bytes <= FREE_BYTES:
            return
        self._turn_bytes += len(part)
        if body.has_failed:
            self._release_body()
        elif not self._count_body(body.size_bytes) and self._reader.is_in_body:
            self._deadlines.queue_body(now_s)
            self._pause_reading(_Pause.BUDGET)

    def _count_body(self, size_bytes: int) -> bool:
        """Count a body among all, and return whether more of it may come."""
        self._is_counted = True
        return self._edge.bodies.grow(self, size_bytes)

    def _release_body(self) -> None:
        """Note that a body is held no more."""
        if self._is_counted:
            self._is_counted = False
            self._edge.bodies.release(self)
            self._resume_reading(_Pause.BUDGET)
            self._edge.admit_bodies()

    def _begin(self, event: NewRequest) -> None:
        self._came_whole = event.body is not None
        if event.body is None:
            self._body = IncomingBody(
                limit_bytes=self._edge.max_body_bytes, length_bytes=event.content_length
            )
            self._deadlines.begin_body(self._loop.time())
        else:
            self._await_nothing()
            if len(event.body) > FREE_BYTES:
                self._count_body(len(event.body))
                self._edge.bodies.finish(self)
        if self._task is None:
            self._task = self._edge.start(self._serve())
        self._request = self._edge.new_request(
            event.head, event.content_length, event.body or self._body or b"", self, task=self._task
        )
        if not event.head.may_keep_alive:
            self._move(ConnectionEvent.LAST)
        self._is_answered = False
        self._wake()

    async def _serve(self) -> None:
        """Answer one request after the other until the connection ends."""
        was_sent_ahead = False
        while True:
            request = self._request
            if request is None:
                if self._transport is None or self._state is _CLOSING:
                    return
                self._next = self._loop.create_future()
                await self._next
                was_sent_ahead = False
                continue
            if was_sent_ahead:
                await asyncio.sleep(0)  # others have the loop first
            was_sent_ahead = True
            try:
                await self._edge.handle(request, self)
            except BaseException:
                self._move(ConnectionEvent.BREAK)  # no task would answer what follows
                raise
            finally:
                self._request = self._body = None
                if self._is_counted:
                    self._release_body()
                self._after_answer()

    def _wake(self) -> None:
        if self._next is not None and not self._next.done():
            self._next.set_result(None)

    def _end_of_request(self) -> None:
        if self._body is not None:
            self._body.finish()
            if self._is_counted:
                self._edge.bodies.finish(self)
                self._edge.admit_bodies()  # another one is the oldest now
        if self._request is not None:
            if self._deadlines.phase in {Phase.BODY, Phase.QUEUE}:
                self._await_nothing()
        else:  # the rest of a body that nobody wanted
            self._go_on()

    def _fail_body(self, error: HttpError) -> None:
        """Tell whoever reads the body. An answer that has begun without it goes on, and is the last one."""
        self._move(ConnectionEvent.BREAK)
        self._await_nothing()
        if self._body is not None:
            self._body.fail(error)
        self._release_body()

    def _await_nothing(self) -> None:
        """Let the answer take its time, unless what was answered before is still to be read: that is the client's."""
        if self.is_write_paused and self._transport is not None:
            self._deadlines.block_write(self._loop.time(), unsent_bytes(self._transport))
        else:
            self._deadlines.begin_response()

    def _after_answer(self) -> None:
        if self._transport is None:
            return
        if not self._is_answered or not self.can_keep_alive:
            self._close()
        elif not self._came_whole and self._reader.is_in_body:
            self._deadlines.begin_body(self._loop.time())
        else:
            self._go_on()

    def _go_on(self) -> None:
        self._deadlines.become_idle(self._loop.time())
        self._idle_number = next(_idle_numbers)
        if self._reader.ahead_bytes:
            self._read(None)
        else:
            self._reader.next_request()
        if self._pauses and _Pause.AHEAD in self._pauses:  # an empty set says so without a hash
            if self._reader.ahead_bytes <= AHEAD_LIMIT_BYTES:
                self._resume_reading(_Pause.AHEAD)
            else:
                self._gives_up_at_s = self._loop.time() + AHEAD_FOR_S

    def _pause_reading(self, why: _Pause) -> None:
        if self._transport is None:
            return
        if not self._pauses:
            self._transport.pause_reading()
        if why is _Pause.AHEAD and why not in self._pauses:
            self._gives_up_at_s = self._loop.time() + AHEAD_FOR_S
        self._pauses.add(why)
        if why is not _Pause.BEHIND:  # that one is over in a moment
            self._descriptor = self._transport.get_extra_info("socket").fileno()
            self._edge.departures.watch(self._descriptor, self._note_departure)

    def _resume_reading(self, why: _Pause) -> None:
        if why not in self._pauses:
            return
        self._pauses.discard(why)
        if why is _Pause.AHEAD:
            self._gives_up_at_s = FOR_EVER
        if not self._pauses and self._transport is not None:
            self._edge.departures.forget(self._descriptor)
            self._transport.resume_reading()

    def _give_up_what_is_ahead(self) -> None:
        """Answer this request and no other, and read on, to see whether the client is still there."""
        self._reader.give_up()
        self._move(ConnectionEvent.BREAK)
        self._resume_reading(_Pause.AHEAD)

    def _note_departure(self) -> None:
        """Take note of what reading would have shown, had it not been paused."""
        self.eof_received()
        if self._transport is not None:
            self._transport.close()

    # -- ends -----------------------------------------------------------------------------------------------

    def _refuse(self, error: HttpError) -> None:
        """Answer what is no request, and close."""
        request_id = new_request_id()
        self._edge.note_refusal(error, request_id)
        path = self._reader.path_hint
        self.write(self._edge.refusal(error, request_id, self.date_line, path))
        self._is_answered = True
        self._move(ConnectionEvent.BREAK)
        self._close()

    def _close(self) -> None:
        """Close after what is written is sent; where the client may still be sending, let it read the answer first."""
        transport = self._transport
        if transport is None or self._state is _CLOSING:
            return
        may_still_send = self._state is _BROKEN or self._reader.is_in_body or self._reader.ahead_bytes > 0
        self._move(ConnectionEvent.CLOSE)
        self._wake()
        if self._is_answered and may_still_send and not self._edge.is_ending and transport.can_write_eof():
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

    def _move(self, event: ConnectionEvent) -> None:
        """Change the state. Raises RuntimeError where that is no legal move."""
        try:
            self._state = MOVES[self._state, event]
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
