"""Which responses of a node concern the node."""

import pytest

from gglib.core.errors import NodeLostError, RequestWithdrawnError
from gglib.http.response_reader import ResponseHead, parse_response_head
from gglib.proxy.cluster.node_errors import check_node_head, is_shutdown
from gglib.proxy.errors import EngineError


def head(status: int, code: bytes | None = None) -> ResponseHead:
    """Return a response head, with the code of an error."""
    line = b"" if code is None else b"\r\nx-gglib-error: " + code
    return parse_response_head(b"HTTP/1.1 %d X%b" % (status, line))[0]


@pytest.mark.parametrize(
    ("status", "code", "problem"),
    [
        (302, None, "redirects to another address"),
        (401, None, "does not accept gglib's key"),
        (401, b"unauthorized", "does not accept gglib's key"),
        (403, b"forbidden", "does not let gglib send requests"),
        (403, b"host_not_allowed", "does not let gglib send requests"),
        (403, b"origin_not_allowed", "does not let gglib send requests"),
        (503, b"shutting_down", "is shutting down"),
    ],
)
def test_a_node_that_does_not_serve_this_gglib_is_lost(status: int, code: bytes | None, problem: str) -> None:
    """Whatever the dialect of the error's body."""
    with pytest.raises(NodeLostError, match=f"^Node 'box' {problem}"):
        check_node_head(head(status, code), "box")


def test_a_request_that_was_given_back_is_withdrawn() -> None:
    """The node is well."""
    with pytest.raises(RequestWithdrawnError):
        check_node_head(head(503, b"withdrawn"), "box")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, None),
        (400, b"bad_request"),
        (403, None),
        (404, b"model_not_found"),
        (503, b"queue_full"),
        (503, None),
    ],
)
def test_other_responses_concern_the_request(status: int, code: bytes | None) -> None:
    """A server of a backend may answer with any status."""
    check_node_head(head(status, code), "box")


@pytest.mark.parametrize(
    ("code", "expected"), [("shutting_down", True), ("server_error", False), (None, False)]
)
def test_the_error_of_a_stream_may_be_that_of_a_shutdown(code: str | None, *, expected: bool) -> None:
    """It arrives as an event."""
    error = EngineError("broke", status=500, type_="server_error", shown_code=code)
    assert is_shutdown(error) is expected
