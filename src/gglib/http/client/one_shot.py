"""Sends one request with any method over a connection of its own, for health probes and commands.

For POSTs over pooled connections see ``UpstreamPool.post``.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gglib.http.client.connect import Origin, ServerBusyError, connect, connect_error, origin_header_lines
from gglib.http.client.connection import UpstreamConnection
from gglib.http.client.stall import StallTimer


@dataclass(frozen=True, slots=True)
class OneShotRequest:
    """A request to send."""

    method: bytes
    path: bytes
    """Including the query."""
    header_lines: bytes = b""
    """Whole lines. The headers of the origin and of the framing are added."""
    body: bytes | None = field(default=None, repr=False)
    """None sends no body and no ``Content-Length``."""


@asynccontextmanager
async def request_once(
    origin: Origin,
    request: OneShotRequest,
    *,
    connect_timeout_s: float,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[UpstreamConnection]:
    """Send ``request`` and yield the connection after the response head; the end of the block closes it.

    The response has no timeout: use one around the block, or for each part of the body. An ``https`` origin needs a
    ``tls`` context.

    Raises ``ConnectError`` if the server accepts no connection (its cause is an ``ssl.SSLError`` if TLS failed),
    ``TooManyConnectionsError`` if this process is out of
    descriptors, and ``TransportError`` if the response breaks off, also within the block.
    """
    connection = UpstreamConnection(set(), origin_header_lines=origin_header_lines(origin))
    try:
        await connect(origin, lambda: connection, connect_timeout_s=connect_timeout_s, tls=tls)
    except (OSError, ValueError, ServerBusyError) as error:
        raise connect_error(error) from error
    try:
        await connection.send(
            _head(request, connection.origin_header_lines), request.body or b"", StallTimer(0, 0)
        )
        await connection.read_head()
        yield connection
    finally:
        connection.abort()


def _head(request: OneShotRequest, origin_header_lines: bytes) -> bytes:
    length_line = b"" if request.body is None else b"content-length: %d\r\n" % len(request.body)
    lines = origin_header_lines + request.header_lines + length_line
    return b"%b %b HTTP/1.1\r\n%bconnection: close\r\n\r\n" % (request.method, request.path, lines)
