"""Requests to one node. Whatever the other side sends, a response is bounded in size, and most in time."""

import asyncio
import contextlib
import ipaddress
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from gglib.core.version import __version__
from gglib.http.client.connect import ServerAddress
from gglib.http.client.connection import UpstreamConnection
from gglib.http.client.pool import UpstreamPool, UpstreamRequest
from gglib.http.client.tls import CaFileError, context_for
from gglib.http.errors import ConnectError, TlsError, TooManyConnectionsError, TransportError
from gglib.nodes.peers.failures import (
    PeerFailedError,
    no_certificates,
    too_large,
    too_slow,
    unreachable,
    untrusted,
)
from gglib.nodes.peers.peer import Peer

CONNECT_TIMEOUT_S = 5.0
"""For requests that have no shorter limit."""
HEAD_TIMEOUT_S = 5.0
"""For the head of a response whose body has no limit."""
_HEADER_LINES = (
    f"user-agent: gglib/{__version__}\r\ncontent-type: application/json\r\nx-gglib-hop: 1\r\n".encode()
)
"""``x-gglib-hop``: of a node that has nodes itself, only its own models count."""


@dataclass(frozen=True, slots=True)
class PeerResponse:
    """A whole response."""

    status: int
    body: bytes = field(repr=False)


class PeerClient:
    """Sends requests to one node, over connections that are kept between probes. Use it in one event loop."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._origin = ServerAddress(peer.url, bearer_key=peer.key)
        self._pool = UpstreamPool(
            connect_timeout_s=CONNECT_TIMEOUT_S, tls_context=partial(_tls_context, peer)
        )
        self._lookup = _NameLookup(peer.url)
        self._is_connected = False

    async def request(
        self, method: bytes, path: str, body: bytes = b"", *, limit_bytes: int, timeout_s: float | None
    ) -> PeerResponse:
        """Send a request and read the whole response, of at most ``limit_bytes``, in ``timeout_s`` (None: for ever).

        Raises ``PeerFailedError``.
        """
        try:
            async with asyncio.timeout(timeout_s), self._exchange(method, path, body) as connection:
                return PeerResponse(connection.head.status, await self._read(connection, limit_bytes))
        except TimeoutError:
            raise PeerFailedError(too_slow(self.peer, timeout_s or 0)) from None

    @asynccontextmanager
    async def open_stream(self, path: str) -> AsyncIterator[UpstreamConnection]:
        """GET ``path`` and yield the connection after the response head; the end of the block closes it.

        Raises ``PeerFailedError``, also in the block.
        """
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(HEAD_TIMEOUT_S):
                    connection = await stack.enter_async_context(self._exchange(b"GET", path, b""))
            except TimeoutError:
                raise PeerFailedError(too_slow(self.peer, HEAD_TIMEOUT_S)) from None
            yield connection

    async def close(self) -> None:
        """Close all connections."""
        self._lookup.cancel()
        await self._pool.close()

    @asynccontextmanager
    async def _exchange(self, method: bytes, path: str, body: bytes) -> AsyncIterator[UpstreamConnection]:
        request = UpstreamRequest(
            path=path.encode(), header_lines=_HEADER_LINES, request_id=secrets.token_hex(8), body=body
        )
        try:
            if not self._is_connected:
                await self._lookup.wait()
            self._is_connected = False
            async with self._pool.send(self._origin, method, request) as connection:
                self._is_connected = True
                yield connection
        except TlsError as error:
            raise PeerFailedError(untrusted(self.peer, error.reason, error.fault)) from error
        except TransportError as error:
            raise PeerFailedError(unreachable(self.peer, error.reason)) from error
        except TooManyConnectionsError as error:
            raise PeerFailedError(str(error)) from error

    async def _read(self, connection: UpstreamConnection, limit_bytes: int) -> bytes:
        if (connection.content_length or 0) > limit_bytes:
            raise PeerFailedError(too_large(self.peer, limit_bytes))
        body = bytearray()
        async for part in connection:
            body += part
            if len(body) > limit_bytes:
                raise PeerFailedError(too_large(self.peer, limit_bytes))
        return bytes(body)


class _NameLookup:
    """Resolves the name of a host before a connection to it.

    A lookup runs in a thread and cannot be cancelled, so at most one per node is in progress: otherwise the probes
    of a node whose name servers do not answer would occupy all threads.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._pending: asyncio.Task[object] | None = None

    async def wait(self) -> None:
        """Return when the name is resolved; at once for an address. Raises ``ConnectError``."""
        if _is_address(self._host):
            return
        if self._pending is None or self._pending.done():
            self._pending = asyncio.create_task(self._resolve())
        if not await asyncio.shield(self._pending):
            raise ConnectError(f"cannot be reached, because the name '{self._host}' cannot be resolved")

    def cancel(self) -> None:
        """Wait no longer for a lookup in progress."""
        if self._pending is not None:
            self._pending.cancel()

    async def _resolve(self) -> bool:
        try:
            await asyncio.get_running_loop().getaddrinfo(self._host, self._port)
        except (OSError, UnicodeError):
            return False
        return True


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _tls_context(peer: Peer) -> ssl.SSLContext:
    """Return the context that verifies a node. Blocks. Raises ``PeerFailedError`` for a file without certificates."""
    try:
        return context_for(None if peer.ca_file is None else str(peer.ca_file))
    except CaFileError as error:
        raise PeerFailedError(no_certificates(str(error))) from error
