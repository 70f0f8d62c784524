"""Sends requests over connections that are pooled per server and key. This module has no knowledge of clients.

llama-server closes a connection after 5 s idle, after 100 requests, or after a chunked response. The pool does not
reuse a connection that is about to be closed, because the request could race with the close.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from gglib.http.client.connect import Origin, ServerBusyError, connect, connect_error, origin_header_lines
from gglib.http.client.connection import SMALL_BODY_BYTES, UpstreamConnection
from gglib.http.client.stall import StallTimer
from gglib.http.client.tls import ca_context, tls_context
from gglib.http.errors import StallError, StallPhase

IDLE_TIMEOUT_S = 4.0
_CLOSE_TIMEOUT_S = 0.2
_MIN_RETRY_DELAY_S = 0.005
_MAX_RETRY_DELAY_S = 0.1
"""Delays between attempts to connect to a server whose backlog is full: no event signals that it has room. One waiting
request per server retries, the others wait for the lock."""

_HEAD_FORMAT = b"%b HTTP/1.1\r\n%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n"
"""The head of a request after its method: path, header lines of the origin and of the request, id, length."""


@dataclass(slots=True)
class UpstreamRequest:
    """A request to send. Immutable by convention; a frozen dataclass is slower to create."""

    path: bytes
    """Including the query."""
    header_lines: bytes
    """Forwarded headers as whole lines. ``Host``, authorization, request id and length are added."""
    request_id: str
    body: bytes = field(repr=False)
    first_byte_s: float = 0
    """Timeout for the start of the response, and for connecting while the server's backlog is full. 0 is no limit."""
    chunk_gap_s: float = 0
    """Timeout between two parts of the response. 0 is no limit."""
    reuses_after_chunks: bool = False
    """Whether the connection stays open after a chunked response, as HTTP/1.1 has it: see ``may_be_reused``."""


class UpstreamExchange:
    """One request and its response: a context manager that yields the connection after the response head."""

    __slots__ = ("_connection", "_origin", "_pool", "_request")

    head_format: bytes = b"POST " + _HEAD_FORMAT

    def __init__(self, pool: "UpstreamPool", origin: Origin, request: UpstreamRequest) -> None:
        self._pool = pool
        self._origin = origin
        self._request = request

    async def __aenter__(self) -> UpstreamConnection:
        pool, origin, request = self._pool, self._origin, self._request
        connection = pool.take_idle(origin) or await pool.connect(origin, timeout_s=request.first_byte_s)
        self._connection = connection
        stall_timer = StallTimer(request.first_byte_s, request.chunk_gap_s)
        body = request.body
        try:
            head = self.head_format % (
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
            pool.release(origin, connection)
            raise
        return connection

    async def __aexit__(self, *_: object) -> None:
        reuses = self._request.reuses_after_chunks
        self._pool.release(self._origin, self._connection, reuses_after_chunks=reuses)


class _MethodExchange(UpstreamExchange):
    """An exchange with another method than POST, which nearly all have: theirs costs them nothing."""

    __slots__ = ("head_format",)

    def __init__(self, pool: "UpstreamPool", origin: Origin, request: UpstreamRequest, method: bytes) -> None:
        super().__init__(pool, origin, request)
        self.head_format = method + b" " + _HEAD_FORMAT


class UpstreamPool:
    """Opens, reuses and closes connections to servers.

    ``tls_context`` makes the context that verifies servers; it is called for the first ``https`` address, because
    reading the system's certificates takes 10 to 50 ms.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        tls_context: Callable[[], ssl.SSLContext] = tls_context,
    ) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._make_tls_context = tls_context
        self._tls: ssl.SSLContext | None = None
        self._connections: set[UpstreamConnection] = set()
        self._idle: dict[str, list[tuple[UpstreamConnection, float]]] = {}
        """By ``_pool_key``: idle connections and the time at which they expire; the most recently used one is last."""
        self._connect_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By origin: held by the request that retries connecting. A lock exists while requests wait."""
        self._attempts: dict[asyncio.Timeout, tuple[bytes, float]] = {}
        """Attempts to connect by TCP, with the header lines of their server, and when they began."""
        self._expiry_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def open_count(self) -> int:
        """Number of connections, idle or in use."""
        return len(self._connections)

    def post(self, origin: Origin, request: UpstreamRequest) -> UpstreamExchange:
        """Send ``request`` and keep the response open in a block. If the block ends early, the connection is closed.

        Entering raises ``ConnectError`` if no server listens, ``TransportError`` if the server closes before the
        response head, and ``StallError`` on a stall. Reading the response raises ``TransportError`` and ``StallError``.
        """
        return UpstreamExchange(self, origin, request)

    def send(self, origin: Origin, method: bytes, request: UpstreamRequest) -> UpstreamExchange:
        """Send ``request`` with any method but HEAD, whose response has no body; otherwise like ``post``."""
        return _MethodExchange(self, origin, request, method)

    def break_off_silent(self, origin: Origin, reason: str, silent_s: float) -> None:
        """End the exchanges with a server that is gone, except those in which it has sent content lately.

        ``silent_s`` seconds without content, while a task waited for it, count. ``reason`` as for ``TransportError``.
        Attempts to connect that have lasted as long end as if nothing listened.
        """
        lines, now_s = origin_header_lines(origin), self._loop.time()
        for attempt, (server_lines, since_s) in list(self._attempts.items()):
            if server_lines == lines and now_s - since_s >= silent_s and not attempt.expired():
                attempt.reschedule(now_s)
        for connection in [c for c in self._connections if c.origin_header_lines == lines]:
            connection.break_off(reason, silent_s)

    async def close(self) -> None:
        """Close all connections, and wait until their sockets are closed."""
        if self._expiry_timer is not None:
            self._expiry_timer.cancel()
        self._idle.clear()
        for connection in list(self._connections):
            connection.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                while self._connections:  # noqa: ASYNC110 - takes one or two loop iterations
                    await asyncio.sleep(0)

    def take_idle(self, origin: Origin) -> UpstreamConnection | None:
        """Return an idle connection, or None."""
        idle = self._idle.get(origin.unix_socket or _pool_key(origin))
        while idle:
            # The server is least likely to close the connection that was used last.
            connection, expires_at_s = idle.pop()
            if connection.is_alive and self._loop.time() < expires_at_s:
                return connection
            connection.abort()
        return None

    def release(
        self, origin: Origin, connection: UpstreamConnection, *, reuses_after_chunks: bool = False
    ) -> None:
        """Return a connection to the pool, or close it if it is not reusable."""
        if not connection.may_be_reused(after_chunks=reuses_after_chunks):
            connection.abort()
            return
        expires_at_s = self._loop.time() + self._idle_timeout_s
        self._idle.setdefault(origin.unix_socket or _pool_key(origin), []).append((connection, expires_at_s))
        if self._expiry_timer is None:
            self._expiry_timer = self._loop.call_later(self._idle_timeout_s, self._close_expired)

    def _close_expired(self) -> None:
        """Close expired connections, and schedule the next check."""
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

    async def connect(self, origin: Origin, *, timeout_s: float = 0) -> UpstreamConnection:
        """Open a connection, or return one that became idle meanwhile.

        If the server's backlog is full, retries for ``timeout_s``; 0 is no limit. Raises ``ConnectError`` if nothing
        listens, ``StallError`` if the server stays busy, and ``TooManyConnectionsError`` if this process is out of
        descriptors.
        """
        connection = UpstreamConnection(self._connections, origin_header_lines=origin_header_lines(origin))
        try:
            try:
                await self._connect_once(origin, connection)
            except ServerBusyError:
                idle = await self._connect_with_retries(origin, connection, timeout_s)
                if idle is not None:
                    return idle
        except (OSError, ValueError) as error:  # TimeoutError is an OSError; ValueError: invalid address
            raise connect_error(error) from error
        if not connection.is_at_eof:
            # Only now: when connecting is cancelled, the loop closes the socket without connection_lost.
            self._connections.add(connection)
        return connection

    async def _connect_once(self, origin: Origin, connection: UpstreamConnection) -> None:
        limit_s = self._connect_timeout_s
        if origin.unix_socket is not None:
            await connect(origin, lambda: connection, connect_timeout_s=limit_s)
            return
        is_tls = origin.base_url.startswith("https:")
        try:
            async with asyncio.timeout(None) as attempt:
                self._attempts[attempt] = (connection.origin_header_lines, self._loop.time())
                try:
                    tls = await self._tls_for(origin.ca_file) if is_tls else None
                    await connect(origin, lambda: connection, connect_timeout_s=limit_s, tls=tls)
                finally:
                    del self._attempts[attempt]
        except TimeoutError as error:
            if attempt.expired():  # by ``break_off_silent``
                raise connect_error(error) from error
            raise

    async def _tls_for(self, ca_file: str | None) -> ssl.SSLContext:
        """Return the context that verifies a server."""
        if ca_file is not None:
            return await asyncio.to_thread(ca_context, ca_file)
        if self._tls is None:
            self._tls = await asyncio.to_thread(self._make_tls_context)
        return self._tls

    async def _connect_with_retries(
        self, origin: Origin, connection: UpstreamConnection, timeout_s: float
    ) -> UpstreamConnection | None:
        """Retry until the server accepts, one request at a time, or return a connection that became idle."""
        key = origin.unix_socket or _pool_key(origin)
        lock = self._connect_locks.setdefault(key, asyncio.Lock())
        delay_s = _MIN_RETRY_DELAY_S
        try:
            async with asyncio.timeout(timeout_s if timeout_s > 0 else None), lock:
                while True:
                    idle = self.take_idle(origin)
                    if idle is not None:
                        return idle
                    with contextlib.suppress(ServerBusyError):
                        # connect() handles its own timeout, so a TimeoutError from here is that of the timeout above.
                        await self._connect_once(origin, connection)
                        return None
                    await asyncio.sleep(delay_s)
                    delay_s = min(delay_s * 2, _MAX_RETRY_DELAY_S)
        except TimeoutError as error:
            raise StallError(StallPhase.CONNECT, timeout_s) from error


def _pool_key(origin: Origin) -> str:
    """Return the key of connections to a TCP address: each connection sends the bearer key that it was opened with."""
    return origin.base_url if origin.bearer_key is None else f"{origin.base_url} {origin.bearer_key}"
