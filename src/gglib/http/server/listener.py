"""The edge on a socket: accepts connections, looks after them, and ends them all in bounded time."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from operator import itemgetter
from typing import Any

from gglib.http.errors import HttpError, TooManyConnectionsError
from gglib.http.server.acceptor import Acceptor
from gglib.http.server.budget import BodyBudget
from gglib.http.server.connection import ClientConnection
from gglib.http.server.deadlines import DeadlineLimits
from gglib.http.server.departures import Departures
from gglib.http.server.refusal import plain_refusal
from gglib.http.server.request import Request, new_request_id

BACKLOG = 2_048
_LOOK_EVERY_S = 1.0
"""How often all connections are looked at, at least; less where a limit is shorter."""
_LOOK_AGAIN_S = 0.05
"""How often at most, and so how late a deadline may be noticed."""
_SPARE_CONNECTIONS = 64
"""How many of those that are too many are told so; the others are cut."""
_LAST_GRACE_S = 0.1
"""For what is left after connections were cut, and once more after tasks were cancelled."""


class Listener:
    """Serves one bound socket. ``on_stop`` is to end what is being answered."""

    def __init__(  # noqa: PLR0913 - the composition of the edge
        self,
        handle: Callable[[Any, ClientConnection], Coroutine[Any, Any, None]],
        *,
        limits: DeadlineLimits,
        max_connections: int,
        max_body_bytes: int,
        max_bodies_bytes: int,
        on_stop: Callable[[], None],
        on_refusal: Callable[[HttpError, str], None],
        is_wanted: Callable[[Any], bool] = lambda _: False,
        new_request: type[Request] = Request,
        refusal: Callable[[HttpError, str, bytes, str], bytes] = plain_refusal,
    ) -> None:
        self.handle = handle
        self.new_request = new_request
        self.refusal = refusal
        self.is_wanted = is_wanted
        self.limits = limits
        self.is_ending = False
        self.date_line = b""
        self.max_body_bytes = max_body_bytes
        self.bodies = BodyBudget[ClientConnection](max_bodies_bytes, body_bytes=max_body_bytes)
        self.departures = Departures()
        self._max_connections = max_connections
        self._on_stop = on_stop
        self._on_refusal = on_refusal
        self._connections: set[ClientConnection] = set()
        self._behind: deque[ClientConnection] = deque()
        self._is_catching_up = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_empty = asyncio.Event()

    @property
    def connection_count(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    async def serve(self, listener: socket.socket, cancel: asyncio.Event, *, grace_s: float) -> None:
        """Accept until ``cancel`` is set or this task is cancelled; then end everything in ``grace_s`` and some."""
        self._tick()
        acceptor = Acceptor(
            listener, on_accept=self._take, make_room=self._drop_an_idle_one, refusal=self._refusal
        )
        try:
            acceptor.start(BACKLOG)
            while not cancel.is_set():
                await _first_of(cancel, self._look())
        finally:
            acceptor.stop()
            await self._end(grace_s)
            self.departures.close()

    # -- what connections call ------------------------------------------------------------------------------

    def add(self, connection: ClientConnection) -> bool:
        """Count a connection; where there are too many, the one that has been idle the longest makes room."""
        is_room = len(self._connections) < self._max_connections or self._drop_an_idle_one()
        self._connections.add(connection)
        self._is_empty.clear()
        if len(self._connections) > self._max_connections + _SPARE_CONNECTIONS:
            connection.abort()
        return is_room

    def discard(self, connection: ClientConnection) -> None:
        """Forget a connection that is gone."""
        self._connections.discard(connection)
        self._note_if_empty()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task that is known until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self._is_empty.clear()
        task.add_done_callback(self._task_done)
        return task

    def note_refusal(self, error: HttpError, request_id: str) -> None:
        """Take note of what was refused before it was a request."""
        self._on_refusal(error, request_id)

    def catch_up_later(self, connection: ClientConnection) -> None:
        """Let a connection read its next slice when it is its turn: one in each turn of the loop, however many wait."""
        self._behind.append(connection)
        if not self._is_catching_up:
            self._is_catching_up = True
            asyncio.get_running_loop().call_soon(self._catch_up)

    def admit_bodies(self) -> None:
        """Let those bodies come that wait for room, as far as there is some."""
        for connection in self.bodies.admit():
            connection.read_body_on()

    # -- the rest -------------------------------------------------------------------------------------------

    def _take(self, sock: socket.socket) -> None:
        """Serve a connection that was accepted."""
        self.start(self._open(sock))

    async def _open(self, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: ClientConnection(self), sock)
        except OSError:  # the client is gone already
            sock.close()

    def _refusal(self) -> bytes:
        error, request_id = TooManyConnectionsError(), new_request_id()
        self.note_refusal(error, request_id)
        return self.refusal(error, request_id, self.date_line, "")

    def _look(self) -> float:
        """Look at all connections, and return in how many seconds to look again: when the next deadline is due."""
        self._tick()
        now_s = asyncio.get_running_loop().time()
        next_s = now_s + self._look_every_s()
        for connection in list(self._connections):
            next_s = min(next_s, connection.look(now_s))
        return max(next_s - now_s, _LOOK_AGAIN_S)

    def _catch_up(self) -> None:
        self._is_catching_up = False
        connection = self._behind.popleft()
        if self._behind:
            self._is_catching_up = True
            asyncio.get_running_loop().call_soon(self._catch_up)
        connection.catch_up()

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error  # a fault of ours: the loop's exception handler tells it
        self._note_if_empty()

    def _drop_an_idle_one(self) -> bool:
        idle = [(number, c) for c in self._connections if (number := c.idle_number) is not None]
        if not idle:
            return False
        _, dropped = min(idle, key=itemgetter(0))
        dropped.abort()
        # The loop tells it in its next turn: too late for others that come in this one.
        self._connections.discard(dropped)
        return True

    def _look_every_s(self) -> float:
        limits = self.limits
        shortest = min(
            (
                s
                for s in (limits.head_s, limits.body_s, limits.write_s, limits.idle_s, limits.wanted_s)
                if s > 0
            ),
            default=4,
        )
        return min(_LOOK_EVERY_S, shortest / 4)

    def _tick(self) -> None:
        self.date_line = f"date: {formatdate(usegmt=True)}\r\n".encode()

    def _note_if_empty(self) -> None:
        if not self._connections and not self._tasks:
            self._is_empty.set()

    async def _end(self, grace_s: float) -> None:
        """Tell, then cut, then cancel: each step is for what the one before did not end."""
        self.is_ending = True
        self._note_if_empty()
        for connection in list(self._connections):
            connection.shut_down()
        self._on_stop()
        await _first_of(self._is_empty, grace_s)
        for connection in list(self._connections):
            connection.abort()
        await _first_of(self._is_empty, _LAST_GRACE_S)
        for task in list(self._tasks):
            task.cancel()
        await _first_of(self._is_empty, _LAST_GRACE_S)


async def _first_of(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
