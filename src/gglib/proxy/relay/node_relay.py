"""Relays the response of a node, which is a gglib: its errors have the form of this one's already."""

from gglib.http.client.connection import UpstreamConnection
from gglib.proxy.cluster.hops import without_error_line
from gglib.proxy.dialects.engine_errors import SIZE_LIMIT_BYTES
from gglib.proxy.response import Response

FIRST_ERROR_STATUS = 400
_COMMENT = b":"
_EMPTY_LINES = b"\r\n"
MAX_COMMENT_BYTES = 64 * 1024
"""A longer comment counts as content: it is kept in memory until its end is there."""


async def relay_node_error(upstream: UpstreamConnection, response: Response) -> None:
    """Relay an error response of a node unchanged, except for the header that is for the front."""
    head, body = upstream.head, b""
    async for part in upstream:
        body += part
        if len(body) > SIZE_LIMIT_BYTES:
            break
    is_whole = upstream.is_fully_read
    await response.start_with(
        head.status,
        without_error_line(head.relayed_header_lines),
        length=len(body) if is_whole else upstream.content_length,
        is_stream=False,
        part=body,
        is_last=is_whole,
    )
    if not is_whole:
        await upstream.relay_to(response)


async def skip_comments(upstream: UpstreamConnection) -> None:
    """Read the comments at the beginning of an event stream; the first content stays to be read.

    An engine sends comments while it reads a long prompt, and its node may still be lost then: nothing of the response
    has begun. The front sends heartbeats of its own meanwhile. Raises ``TransportError``.
    """
    left = b""
    async for part in upstream:
        left = without_comments(left + part)
        if left and (not left.startswith(_COMMENT) or len(left) > MAX_COMMENT_BYTES):
            upstream.put_back(left)
            return


def without_comments(events: bytes) -> bytes:
    """Return events without the comments and the empty lines before the first of them.

    A comment whose end is not there yet stays.
    """
    while events:
        events = events.lstrip(_EMPTY_LINES)
        if not events.startswith(_COMMENT):
            break
        end = events.find(b"\n")
        if end < 0:
            break
        events = events[end + 1 :]
    return events
