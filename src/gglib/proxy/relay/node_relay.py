"""Relays the response of a node, which is a gglib: its errors have the form of this one's already."""

import json

from gglib.core.errors import NodeLostError, ShuttingDownError
from gglib.http.client.connection import UpstreamConnection
from gglib.proxy.dialects.engine_errors import SIZE_LIMIT_BYTES
from gglib.proxy.response import Response

FIRST_ERROR_STATUS = 400
_UNAVAILABLE = 503


async def relay_node_error(upstream: UpstreamConnection, response: Response, node: str) -> None:
    """Relay an error response of a node unchanged. Raises ``NodeLostError`` if the node is shutting down."""
    head, body = upstream.head, b""
    async for part in upstream:
        body += part
        if len(body) > SIZE_LIMIT_BYTES:
            break
    if head.status == _UNAVAILABLE and _code(body) == ShuttingDownError.code:
        raise NodeLostError(node, "is shutting down")
    is_whole = upstream.is_fully_read
    await response.start_with(
        head.status,
        head.relayed_header_lines,
        length=len(body) if is_whole else upstream.content_length,
        is_stream=False,
        part=body,
        is_last=is_whole,
    )
    if not is_whole:
        await upstream.relay_to(response)


def _code(body: bytes) -> object:
    """Return the code of an error in OpenAI's form; None without one."""
    try:
        return json.loads(body)["error"]["code"]
    except (ValueError, LookupError, TypeError):
        return None
