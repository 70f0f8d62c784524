"""Who is shown the token: decided for each single request, whatever led to it."""

import httpx2
import pytest

from gglib.hf.refusals import Asked
from gglib.hf.session import _prepare

HUB = "https://hub.example"


@pytest.mark.parametrize(
    ("url", "is_shown"),
    [
        ("https://hub.example/api/models", True),
        ("https://HUB.example:443/api/models", True),
        ("https://hub.example:8443/api/models", False),
        ("http://hub.example/api/models", False),
        ("https://hub.example.evil/api/models", False),
        ("https://evil/hub.example", False),
        ("https://hub.example@evil/", False),
        ("https://sub.hub.example/", False),
    ],
)
def test_the_token_is_for_the_endpoints_own_origin(url: str, *, is_shown: bool) -> None:
    """Scheme, host and port must be the endpoint's; then the token stays in the request, else it is taken out."""
    request = httpx2.Request(
        "GET", url, headers={"Authorization": "Bearer hf_secret", "User-Agent": "library"}
    )
    _prepare(request, Asked(endpoint=HUB))
    assert ("authorization" in request.headers) is is_shown
    assert request.headers["user-agent"] == "gglib"


def test_no_request_waits_for_ever() -> None:
    """Each request has its deadlines, also one that the library sent without."""
    request = httpx2.Request("GET", HUB, extensions={"timeout": {"read": None}})
    _prepare(request, Asked(endpoint=HUB))
    assert None not in request.extensions["timeout"].values()
