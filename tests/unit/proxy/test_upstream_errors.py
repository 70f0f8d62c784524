"""Transport errors of the HTTP client become errors of the domain."""

from dataclasses import replace

import pytest

from gglib.core.errors import (
    BackendUnreachableError,
    EngineUnreachableError,
    NodeLostError,
    UpstreamError,
    UpstreamStalledError,
)
from gglib.core.models import RunningTarget
from gglib.http.errors import ConnectError, StallError, StallPhase, TlsError, TransportError
from gglib.http.response_reader import ResponseHead, parse_response_head
from gglib.proxy.upstream_errors import check_backend_head, upstream_error


def head(status: int, *lines: bytes) -> ResponseHead:
    """Return a response head."""
    return parse_response_head(b"\r\n".join((b"HTTP/1.1 %d X" % status, *lines)))[0]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ConnectError(), EngineUnreachableError, "The engine of model 'tiny' cannot be reached."),
        (
            StallError(StallPhase.CONNECT, 1.5),
            UpstreamStalledError,
            "The engine of model 'tiny' accepted no connection for 1.5 s.",
        ),
        (
            StallError(StallPhase.BODY, 30),
            UpstreamStalledError,
            "The engine of model 'tiny' stopped in the middle of its response: sent nothing for 30 s.",
        ),
        (TransportError("closed the connection"), UpstreamError, "The engine closed the connection."),
    ],
)
def test_each_failure_keeps_its_reason(
    error: TransportError, kind: type[UpstreamError], message: str
) -> None:
    """Unreachable and stalled engines have errors of their own, which name the model."""
    found = upstream_error(error, RunningTarget.local(1, 1, "tiny", 4096))
    assert type(found) is kind
    assert str(found) == message


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (ConnectError(), BackendUnreachableError, "cannot be reached"),
        (TlsError("has a certificate that is not trusted (x)"), BackendUnreachableError, None),
        (StallError(StallPhase.FIRST_BYTE, 2), UpstreamStalledError, None),
        (TransportError("closed the connection"), UpstreamError, None),
    ],
)
def test_a_server_elsewhere_is_named(
    error: TransportError, kind: type[UpstreamError], reason: str | None
) -> None:
    """With its address. A request to one that cannot be reached is not sent again: nothing replaces the server."""
    target = RunningTarget(
        base_url="http://box:8000", model_id=1, model_name="tiny", effective_ctx=1, is_remote=True
    )
    found = upstream_error(error, target)
    assert type(found) is kind
    assert str(found) == f"The server of model 'tiny', http://box:8000, {reason or error.reason}."


REMOTE = RunningTarget(
    base_url="http://box:8000",
    model_id=1,
    model_name="tiny",
    effective_ctx=1,
    bearer_key="SECRET",
    served_name="there",
    is_remote=True,
)
COMMAND = replace(RunningTarget.local(1, 1, "tiny", 4096), served_name="tiny")


SERVER = "The server of model 'tiny', http://box:8000,"
NAME_KEY = "name the variable that has its key with 'gglib set tiny --key-env NAME'."


@pytest.mark.parametrize(
    ("status", "target", "message"),
    [
        (401, REMOTE, f"{SERVER} does not accept gglib's key (status 401): {NAME_KEY}"),
        (401, replace(REMOTE, bearer_key=None), f"{SERVER} requires a key (status 401): {NAME_KEY}"),
        (
            308,
            REMOTE,
            f"{SERVER} redirects to another address (status 308): set that one with 'gglib set tiny --url URL'.",
        ),
        (
            401,
            COMMAND,
            "The command of model 'tiny' requires a key (status 401): add {key} or {key_file} to it.",
        ),
        (
            301,
            COMMAND,
            "The command of model 'tiny' redirects to another address (status 301), and gglib does not follow.",
        ),
    ],
)
def test_a_refused_key_and_a_redirect_are_errors_of_gglib(
    status: int, target: RunningTarget, message: str
) -> None:
    """A client would look for the fault in its own key, or send its next request elsewhere."""
    with pytest.raises(UpstreamError) as caught:
        check_backend_head(head(status), target)
    assert str(caught.value) == message


@pytest.mark.parametrize("status", [200, 299, 400, 403, 404, 429, 503])
def test_other_statuses_concern_the_client(status: int) -> None:
    """They are relayed, as are all of llama.cpp's own server."""
    check_backend_head(head(status), REMOTE)
    check_backend_head(head(401), RunningTarget.local(1, 1, "tiny", 4096))


NODE = replace(RunningTarget.local(1, 1, "tiny", 4096), node="gpu-1", served_name="tiny", is_remote=True)


def test_a_node_that_breaks_off_is_lost() -> None:
    """The request can go to another node; one that stalls keeps it."""
    lost = upstream_error(TransportError("closed the connection"), NODE)
    assert isinstance(lost, NodeLostError)
    assert (lost.node, str(lost)) == ("gpu-1", "Node 'gpu-1' closed the connection.")
    assert isinstance(upstream_error(ConnectError(), NODE), NodeLostError)
    stalled = upstream_error(StallError(StallPhase.FIRST_BYTE, 5), NODE)
    assert type(stalled) is UpstreamStalledError
    assert "Node 'gpu-1' accepted the request" in str(stalled)


@pytest.mark.parametrize(("status", "problem"), [(401, "does not accept gglib's key"), (302, "redirects")])
def test_a_node_that_does_not_serve_this_gglib_is_lost(status: int, problem: str) -> None:
    """Other statuses are the client's."""
    with pytest.raises(NodeLostError, match=problem):
        check_backend_head(head(status), NODE)
    for other in (200, 400, 403, 404, 429, 500, 503):
        check_backend_head(head(other), NODE)
