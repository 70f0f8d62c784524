"""Which responses of a node concern the node, and not the request: another node gets the request then. Pure."""

from gglib.core.errors import NodeLostError, RequestWithdrawnError, ShuttingDownError
from gglib.http.headers import first_value
from gglib.http.response_reader import ResponseHead
from gglib.proxy.cluster.hops import ERROR_HEADER
from gglib.proxy.errors import (
    EngineError,
    ForbiddenError,
    HostNotAllowedError,
    OriginNotAllowedError,
)

_REDIRECTS, _ERRORS, _UNAUTHORIZED = 300, 400, 401
SHUTTING_DOWN = "is shutting down"
_REFUSALS = {error.code for error in (ForbiddenError, HostNotAllowedError, OriginNotAllowedError)}
"""What the client may do is decided by the front, so these are about the front itself."""


def check_node_head(head: ResponseHead, node: str) -> None:
    """Raise ``NodeLostError`` if the node redirects, refuses the front or shuts down.

    Raises ``RequestWithdrawnError`` if it gives the request back. The code of its error is in a header, the same in all
    dialects; another server behind the node may answer with the same statuses, without that header.
    """
    status = head.status
    if status < _REDIRECTS:
        return
    if status < _ERRORS:
        raise NodeLostError(node, f"redirects to another address (status {status})")
    if status == _UNAUTHORIZED:
        raise NodeLostError(node, "does not accept gglib's key (status 401)")
    code = (first_value(head.headers, ERROR_HEADER) or b"").decode("ascii", "replace")
    if code == RequestWithdrawnError.code:
        raise RequestWithdrawnError
    if code == ShuttingDownError.code:
        raise NodeLostError(node, SHUTTING_DOWN)
    if code in _REFUSALS:
        raise NodeLostError(node, f"does not let gglib send requests (status {status})")


def is_shutdown(error: EngineError) -> bool:
    """Whether the error in a node's stream says that the node shuts down."""
    return error.shown_code == ShuttingDownError.code
