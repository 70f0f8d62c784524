"""Transport errors of the HTTP client become errors of the domain."""

import pytest

from gglib.core.errors import EngineUnreachableError, UpstreamError, UpstreamStalledError
from gglib.http.errors import ConnectError, StallError, StallPhase, TransportError
from gglib.proxy.upstream_errors import upstream_error


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
    found = upstream_error(error, "tiny")
    assert type(found) is kind
    assert str(found) == message
