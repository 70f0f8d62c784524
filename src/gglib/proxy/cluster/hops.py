"""The headers between gglibs: a forwarded request is marked, and a response names the node. Pure."""

import math
from functools import lru_cache

from gglib.core.priority import Priority
from gglib.http.headers import Headers
from gglib.proxy.access.priority import PRIORITY_HEADER

HOP_HEADER = b"x-gglib-hop"
"""On a request that a gglib forwards to a node. The node serves it itself: it does not forward it again."""
NODE_HEADER = b"x-gglib-node"
"""On a response: the node that computed it."""


def is_forwarded(headers: Headers) -> bool:
    """Whether another gglib has forwarded the request."""
    return any(name == HOP_HEADER for name, _ in headers)


def hop_lines(wait_s: float, priority: Priority) -> bytes:
    """Return the header lines of a request for a node, beside those of the client.

    ``wait_s`` is how long the request may still wait for its model, in seconds.
    """
    return _hop_lines(max(0, math.ceil(wait_s)), priority)


@lru_cache(maxsize=256)
def _hop_lines(wait_s: int, priority: Priority) -> bytes:
    return b"%b: 1\r\nprefer: wait=%d\r\n%b: %b\r\n" % (
        HOP_HEADER,
        wait_s,
        PRIORITY_HEADER,
        priority.name.lower().encode(),
    )


@lru_cache(maxsize=256)
def node_line(node: str) -> bytes:
    """Return the response header that names a node."""
    return b"%b: %b\r\n" % (NODE_HEADER, node.encode("ascii", "replace"))
