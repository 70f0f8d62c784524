"""The HTTP server: accepts connections, enforces their deadlines, and shuts down in bounded time."""

import asyncio
import socket
import ssl
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
from gglib.http.server.disconnects import DisconnectWatcher
from gglib.http.server.refusal import plain_refusal
from gglib.http.server.request import Request, new_request_id
from gglib.http.server.tls_transport import HandshakeQueue, TlsTransport

BACKLOG = 2_048
_CHECK_INTERVAL_S = 1.0
"""Longest interval between two checks of all connections. Timeouts under 4 s shorten it."""
_MIN_CHECK_INTERVAL_S = 0.05
"""Shortest interval, and so the greatest delay in enforcing a deadline."""
_MAX_REFUSED_CONNECTIONS = 64
"""How many connections beyond the limit get a 503 at the same time. Further connections are aborted."""
_ABORT_GRACE_S = 0.1
"""How long to wait after aborting connections, and again after cancelling tasks."""


class HttpServer:
    """Serves HTTP/1.1 on one bound socket. At shutdown it calls ``on_stop``, which must cancel the open requests.

    With ``tls``, the context of a server with a certificate, it serves HTTPS.
    """

    def __init__(  # noqa: PLR0913 - the composition of the server
        self,
        handle: Callable[[Any, ClientConnection], Coroutine[Any, Any, None]],
        *,
        limits: DeadlineLimits,
        max_connections: int,
        max_body_bytes: int,
        max_bodies_bytes: int,
        on_stop: Callable[[], None],
        on_refusal: Callable[[HttpError, str], None],
        is_blocking_others: Callable[[Any], bool] = lambda _: False,
        request_class: type[Request] = Request,
        format_refusal: Callable[[HttpError, str, bytes, str], bytes] = plain_refusal,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.handle = handle
        self.request_class = request_class
        self.format_refusal = format_refusal
        self.is_blocking_others = is_blocking_others
        self.limits = limits
        self.is_shutting_down = False
        self.is_draining = False
        self.date_line = b""
        self.max_body_bytes = max_body_bytes
        self.body_budget = BodyBudget[ClientConnection](max_bodies_bytes, max_body_bytes=max_body_bytes)
        self.disconnect_watcher = DisconnectWatcher()
        self._max_connections = max_connections
        self._tls = tls
        self._handshakes = HandshakeQueue()
        self._on_stop = on_stop
        self._on_refusal = on_refusal
        self._connections: set[ClientConnection] = set()
        self._read_queue: deque[ClientConnection] = deque()
        self._is_read_scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._all_closed = asyncio.Event()
        self._acceptor: Acceptor | None = None

    @property
    def connection_count(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    @property
    def expected_requests(self) -> int:
        """Number of connections whose next request has not arrived completely; idle ones expect none."""
        return sum(connection.expects_request for connection in self._connections)

    def stop_accepting(self) -> None:
        """Accept no more connections, and close each after its current request."""
        self.is_draining = True
        if self._acceptor is not None:
            self._acceptor.pause()

    def close_idle(self) -> None:
        """Close the connections that are between two requests."""
        for connection in list(self._connections):
            connection.close_if_idle()

    def reconfigure(
        self,
        *,
        limits: DeadlineLimits,
        max_connections: int,
        max_body_bytes: int,
        max_bodies_bytes: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Replace the limits while serving. Open connections stay open, even those beyond ``max_connections``.

        ``tls`` is for new connections; None: the context stays.
        """
        self.limits = limits
        self._tls = self._tls and (tls or self._tls)
        self.max_body_bytes = max_body_bytes
        self._max_connections = max_connections
        self.body_budget.set_limit(max_bodies_bytes, max_body_bytes=max_body_bytes)
        for connection in self._connections:
            connection.apply_limits()
        self.admit_bodies()

    async def serve(self, listener: socket.socket, cancel: asyncio.Event, *, grace_s: float) -> None:
        """Serve until ``cancel`` is set or this task is cancelled; then shut down within ``grace_s`` plus 0.2 s."""
        self._update_date()
        acceptor = Acceptor(
            listener,
            on_accept=self._on_accept,
            close_idle=self._close_longest_idle,
            build_refusal=self._build_refusal,
        )
        try:
            acceptor.start(BACKLOG)
            self._acceptor = acceptor
            if self.is_draining:
                acceptor.pause()
            while not cancel.is_set():
                await _wait_at_most(cancel, self._check_connections())
        finally:
            self._acceptor = None
            acceptor.stop()
            await self._shut_down(grace_s)
            self.disconnect_watcher.close()

    # -- what connections call ------------------------------------------------------------------------------

    def add(self, connection: ClientConnection) -> bool:
        """Register a connection. If there are too many, close the longest idle connection; False if none is idle."""
        has_room = len(self._connections) < self._max_connections or self._close_longest_idle()
        self._connections.add(connection)
        self._all_closed.clear()
        if len(self._connections) > self._max_connections + _MAX_REFUSED_CONNECTIONS:
            connection.abort()
        return has_room

    def discard(self, connection: ClientConnection) -> None:
        """Unregister a lost connection."""
        self._connections.discard(connection)
        self._set_if_all_closed()

    def start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task and track it until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self._all_closed.clear()
        task.add_done_callback(self._task_done)
        return task

    def record_refusal(self, error: HttpError, request_id: str) -> None:
        """Record an error response that was sent before there was a request."""
        self._on_refusal(error, request_id)

    def schedule_read(self, connection: ClientConnection) -> None:
        """Queue a connection for ``read_next_slice``, which runs for one connection per iteration of the loop."""
        self._read_queue.append(connection)
        if not self._is_read_scheduled:
            self._is_read_scheduled = True
            asyncio.get_running_loop().call_soon(self._run_scheduled_read)

    def admit_bodies(self) -> None:
        """Resume reading of bodies that wait for memory, as far as the budget allows."""
        for connection in self.body_budget.admit():
            connection.resume_body()

    # -- private -------------------------------------------------------------------------------------------

    def _on_accept(self, sock: socket.socket) -> None:
        """Serve an accepted connection."""
        self.start_task(self._attach(sock))

    async def _attach(self, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._new_protocol, sock)
        except OSError:  # the client has disconnected
            sock.close()

    def _new_protocol(self) -> asyncio.Protocol:
        connection = ClientConnection(self)
        return connection if self._tls is None else TlsTransport(connection, self._tls, self._handshakes)

    def _build_refusal(self) -> bytes:
        """Record the refusal of a connection, and return the response; none with TLS, which needs a handshake."""
        error, request_id = TooManyConnectionsError(), new_request_id()
        self.record_refusal(error, request_id)
        if self._tls is not None:
            return b""
        return self.format_refusal(error, request_id, self.date_line, "")

    def _check_connections(self) -> float:
        """Enforce the deadlines of all connections, and return the seconds until the next check."""
        self._update_date()
        now_s = asyncio.get_running_loop().time()
        next_s = now_s + self._check_interval_s()
        for connection in list(self._connections):
            next_s = min(next_s, connection.check(now_s))
        return max(next_s - now_s, _MIN_CHECK_INTERVAL_S)

    def _run_scheduled_read(self) -> None:
        self._is_read_scheduled = False
        connection = self._read_queue.popleft()
        if self._read_queue:
            self._is_read_scheduled = True
            asyncio.get_running_loop().call_soon(self._run_scheduled_read)
        connection.read_next_slice()

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error  # a bug: the loop's exception handler logs it
        self._set_if_all_closed()

    def _close_longest_idle(self) -> bool:
        idle = [(order, c) for c in self._connections if (order := c.idle_order) is not None]
        if not idle:
            return False
        _, dropped = min(idle, key=itemgetter(0))
        dropped.abort()
        # connection_lost is called in the next iteration, too late for connections accepted in the current iteration.
        self._connections.discard(dropped)
        return True

    def _check_interval_s(self) -> float:
        limits = self.limits
        shortest = min(
            (
                s
                for s in (
                    limits.head_s,
                    limits.body_s,
                    limits.write_s,
                    limits.idle_s,
                    limits.blocking_write_s,
                )
                if s > 0
            ),
            default=4,
        )
        return min(_CHECK_INTERVAL_S, shortest / 4)

    def _update_date(self) -> None:
        self.date_line = f"date: {formatdate(usegmt=True)}\r\n".encode()

    def _set_if_all_closed(self) -> None:
        if not self._connections and not self._tasks:
            self._all_closed.set()

    async def _shut_down(self, grace_s: float) -> None:
        """Close connections gracefully, abort those that remain, then cancel the remaining tasks."""
        self.is_shutting_down = True
        self._set_if_all_closed()
        for connection in list(self._connections):
            connection.shut_down()
        self._on_stop()
        await _wait_at_most(self._all_closed, grace_s)
        for connection in list(self._connections):
            connection.abort()
        await _wait_at_most(self._all_closed, _ABORT_GRACE_S)
        for task in list(self._tasks):
            task.cancel()
        await _wait_at_most(self._all_closed, _ABORT_GRACE_S)


async def _wait_at_most(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
