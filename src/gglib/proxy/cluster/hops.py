"""The headers between gglibs: a forwarded request is marked, and a response names the node. Pure."""

import math
import re
from functools import lru_cache

from gglib.core.priority import Priority
from gglib.http.headers import Headers
from gglib.proxy.access.priority import PRIORITY_HEADER

HOP_HEADER = b"x-gglib-hop"
"""On a request that a gglib forwards to a node. The node serves it itself: it does not forward it again.

The value is the id of that gglib's run, so that it can withdraw its own requests, and only these.
"""
_UNKNOWN_FRONT = "1"
NODE_HEADER = b"x-gglib-node"
"""On a response: the node that computed it."""
ERROR_HEADER = b"x-gglib-error"
"""On an error response to a forwarded request: the code of the error, for which some dialects have no place."""
_ERROR_LINE = re.compile(rb"^%b:.*\r\n" % ERROR_HEADER, re.MULTILINE)


def is_forwarded(headers: Headers) -> bool:
    """Whether another gglib has forwarded the request."""
    return any(name == HOP_HEADER for name, _ in headers)


def is_forwarded_by(headers: Headers, front: str) -> bool:
    """Whether the gglib with this id has forwarded the request."""
    return any(name == HOP_HEADER and value == front.encode() for name, value in headers)


def hop_lines(front: str, wait_s: float, priority: Priority) -> bytes:
    """Return the header lines of a request for a node, beside those of the client.

    ``front`` is the id of this gglib's run. ``wait_s`` is how long the request may still wait for its model, in
    seconds.
    """
    return _hop_lines(front or _UNKNOWN_FRONT, max(0, math.ceil(wait_s)), priority)


@lru_cache(maxsize=256)
def _hop_lines(front: str, wait_s: int, priority: Priority) -> bytes:
    return b"%b: %b\r\nprefer: wait=%d\r\n%b: %b\r\n" % (
        HOP_HEADER,
        front.encode(),
        wait_s,
        PRIORITY_HEADER,
        priority.name.lower().encode(),
    )


def error_line(code: str | None) -> bytes:
    """Return the response header with the code of an error of this gglib; b"" for an error without one."""
    return b"" if code is None else b"%b: %b\r\n" % (ERROR_HEADER, code.encode("ascii", "replace"))


def without_error_line(lines: bytes) -> bytes:
    """Return header lines without the code of an error, which is for the front."""
    return _ERROR_LINE.sub(b"", lines)


@lru_cache(maxsize=256)
def node_line(node: str) -> bytes:
    """Return the response header that names a node."""
    return b"%b: %b\r\n" % (NODE_HEADER, node.encode("ascii", "replace"))
