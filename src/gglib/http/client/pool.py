"""Requests to servers over connections that are pooled per origin. It has no knowledge of clients.

llama-server closes a connection after 5 s idle, after 100 requests, or after a chunked response. The pool does not
reuse a connection that is about to be closed, because the request could race with the close.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from gglib.http.client.connect import Origin, ServerBusyError, connect, connect_error, origin_header_lines
from gglib.http.client.connection import SMALL_BODY_BYTES, UpstreamConnection
from gglib.http.client.stall import StallTimer
from gglib.http.errors import StallError, StallPhase

IDLE_LIMIT_S = 4.0
_CLOSE_LIMIT_S = 0.2
_MIN_RETRY_DELAY_S = 0.005
_MAX_RETRY_DELAY_S = 0.1
"""Delays between attempts to connect to a server whose backlog is full; no event reports free room. One waiting
request per server retries, the others wait for the lock."""


@dataclass(slots=True)
class UpstreamRequest:
    """A request to send. Immutable by convention; a frozen dataclass is slower to create."""

    path: bytes
    """Including the query."""
    header_lines: bytes
    """Forwarded headers as whole lines; the connection's own are added."""
    request_id: str
    body: bytes = field(repr=False)
    first_byte_s: float = 0
    """Timeout for the start of the response, and for connecting while the server's backlog is full. 0 is no limit."""
    chunk_gap_s: float = 0
    """Timeout between two parts of the response. 0 is no limit."""


class UpstreamExchange:
    """One request and its response, as a context manager that yields the connection after the response head."""

    __slots__ = ("_connection", "_pool", "_request", "_target")

    def __init__(self, pool: "UpstreamPool", target: Origin, request: UpstreamRequest) -> None:
        self._pool = pool
        self._target = target
        self._request = request

    async def __aenter__(self) -> UpstreamConnection:
        pool, target, request = self._pool, self._target, self._request
        connection = pool.take_idle(target) or await pool.connect(target, limit_s=request.first_byte_s)
        self._connection = connection
        stall_timer = StallTimer(request.first_byte_s, request.chunk_gap_s)
        body = request.body
        try:
            head = b"POST %b HTTP/1.1\r\n%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (
                request.path,
                connection.origin_header_lines,
                request.header_lines,
                request.request_id.encode(),
                len(body),
            )
            if len(body) <= SMALL_BODY_BYTES:
                connection.send_small(head + body, stall_timer)
            else:
                await connection.send(head, body, stall_timer)
            await connection.read_head()
        except BaseException:
            pool.release(target, connection)
            raise
        return connection

    async def __aexit__(self, *_: object) -> None:
        self._pool.release(self._target, self._connection)


class UpstreamPool:
    """Opens, reuses and closes connections to targets."""

    def __init__(self, *, connect_timeout_s: float, idle_limit_s: float = IDLE_LIMIT_S) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._idle_limit_s = idle_limit_s
        self._connections: set[UpstreamConnection] = set()
        self._idle: dict[str, list[tuple[UpstreamConnection, float]]] = {}
        """By target: reusable connections and when they expire, in the loop's time; the latest used last."""
        self._connect_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By target: held by the request that retries a busy server. Exists while requests wait."""
        self._expiry_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def open_count(self) -> int:
        """Number of connections, idle or in use."""
        return len(self._connections)

    def post(self, target: Origin, request: UpstreamRequest) -> UpstreamExchange:
        """Send ``request`` and hold the response for a block; if the block ends early, the connection is closed.

        Entering raises ``ConnectError`` if nothing listens at the target, ``TransportError`` if it closes before the
        response head, and ``StallError`` on a stall. Reading parts of the response raises the last two as well.
        """
        return UpstreamExchange(self, target, request)

    async def close(self) -> None:
        """Close all connections, and wait until their sockets are closed."""
        if self._expiry_timer is not None:
            self._expiry_timer.cancel()
        self._idle.clear()
        for connection in list(self._connections):
            connection.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                while self._connections:  # noqa: ASYNC110 - takes one or two loop iterations
                    await asyncio.sleep(0)

    def take_idle(self, target: Origin) -> UpstreamConnection | None:
        """Return an idle connection, or None."""
        idle = self._idle.get(target.unix_socket or target.base_url)
        while idle:
            # The server is least likely to close the connection that was used last.
            connection, expires_at_s = idle.pop()
            if connection.is_alive and self._loop.time() < expires_at_s:
                return connection
            connection.abort()
        return None

    def release(self, target: Origin, connection: UpstreamConnection) -> None:
        """Return a connection to the pool, or close it if it is not reusable."""
        if not connection.is_reusable:
            connection.abort()
            return
        expires_at_s = self._loop.time() + self._idle_limit_s
        self._idle.setdefault(target.unix_socket or target.base_url, []).append((connection, expires_at_s))
        if self._expiry_timer is None:
            self._expiry_timer = self._loop.call_later(self._idle_limit_s, self._close_expired)

    def _close_expired(self) -> None:
        """Close expired connections, and schedule the next run."""
        now_s = self._loop.time()
        for key, idle in list(self._idle.items()):
            kept = [(connection, expires_at_s) for connection, expires_at_s in idle if now_s < expires_at_s]
            for connection, expires_at_s in idle:
                if now_s >= expires_at_s:
                    connection.abort()
            if kept:
                self._idle[key] = kept
            else:
                del self._idle[key]
        next_s = min((expires_at_s for idle in self._idle.values() for _, expires_at_s in idle), default=None)
        self._expiry_timer = None if next_s is None else self._loop.call_at(next_s, self._close_expired)

    async def connect(self, target: Origin, *, limit_s: float = 0) -> UpstreamConnection:
        """Open a connection, or return one that became idle meanwhile.

        If the server's backlog is full, retries for ``limit_s``; 0 is no limit. Raises ``ConnectError`` if nothing
        listens, ``StallError`` if the server stays busy, and ``TooManyConnectionsError`` if this process is out of
        descriptors.
        """
        connection = UpstreamConnection(self._connections, origin_header_lines=origin_header_lines(target))
        try:
            try:
                await self._connect_once(target, connection)
            except ServerBusyError:
                idle = await self._connect_when_ready(target, connection, limit_s)
                if idle is not None:
                    return idle
        except (OSError, ValueError) as error:  # TimeoutError is an OSError; ValueError: invalid address
            raise connect_error(error) from error
        if not connection.is_at_eof:
            # Only now: when connecting is cancelled, the loop closes the socket without connection_lost.
            self._connections.add(connection)
        return connection

    async def _connect_once(self, target: Origin, connection: UpstreamConnection) -> None:
        await connect(target, lambda: connection, connect_timeout_s=self._connect_timeout_s)

    async def _connect_when_ready(
        self, target: Origin, connection: UpstreamConnection, limit_s: float
    ) -> UpstreamConnection | None:
        """Retry until the server accepts, one request at a time; or return an idle connection."""
        key = target.unix_socket or target.base_url
        lock = self._connect_locks.setdefault(key, asyncio.Lock())
        delay_s = _MIN_RETRY_DELAY_S
        try:
            async with asyncio.timeout(limit_s if limit_s > 0 else None), lock:
                while True:
                    idle = self.take_idle(target)
                    if idle is not None:
                        return idle
                    with contextlib.suppress(ServerBusyError):
                        # A TimeoutError from here is that of the timeout above; connect() handles its own.
                        await self._connect_once(target, connection)
                        return None
                    await asyncio.sleep(delay_s)
                    delay_s = min(delay_s * 2, _MAX_RETRY_DELAY_S)
        except TimeoutError as error:
            raise StallError(StallPhase.CONNECT, limit_s) from error
