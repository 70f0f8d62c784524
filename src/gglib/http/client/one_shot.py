"""One request with any method, on a connection of its own: for probes and commands, which send few.

The proxy's requests to engines are POSTs over pooled connections: ``UpstreamPool.post``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gglib.http.client.connect import Origin, ServerBusyError, connect, connect_error, origin_header_lines
from gglib.http.client.connection import UpstreamConnection
from gglib.http.client.stall import StallTimer


@dataclass(frozen=True, slots=True)
class Request:
    """What to send."""

    method: bytes
    path: bytes
    """With its query."""
    header_lines: bytes = b""
    """Whole lines; those of the origin and of the framing are added."""
    body: bytes | None = field(default=None, repr=False)
    """None sends no content, not even a length."""


@asynccontextmanager
async def request_once(
    origin: Origin, request: Request, *, connect_timeout_s: float
) -> AsyncIterator[UpstreamConnection]:
    """Send ``request`` and yield the connection once the response's head has come; the block's end closes it.

    The response has no time limit: bound the block, or each part of the body.

    Raises ``ConnectError`` where the server takes no connection, ``TooManyConnectionsError`` where this process may
    open no more descriptors, and ``TransportError`` when the response breaks off, in the block as well.
    """
    connection = UpstreamConnection(set(), origin_header_lines=origin_header_lines(origin))
    try:
        await connect(origin, lambda: connection, connect_timeout_s=connect_timeout_s)
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


def _head(request: Request, origin_header_lines: bytes) -> bytes:
    length_line = b"" if request.body is None else b"content-length: %d\r\n" % len(request.body)
    lines = origin_header_lines + request.header_lines + length_line
    return b"%b %b HTTP/1.1\r\n%bconnection: close\r\n\r\n" % (request.method, request.path, lines)
