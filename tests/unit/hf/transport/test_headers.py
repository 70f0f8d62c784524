"""Which header is sent to which host."""

import pytest

from gglib.hf.transport.headers import Request, request_headers
from gglib.hf.transport.urls import parse_address

HUB = "https://hub.example"
TOKEN = "hf_secret"


@pytest.mark.parametrize(
    ("address", "way", "has_token"),
    [
        ("https://hub.example/a", (), True),
        ("https://HUB.example:443/a", (), True),
        ("https://hub.example/b", ("https://hub.example/a",), True),
        ("http://hub.example/a", (), False),
        ("https://hub.example:8443/a", (), False),
        ("https://cdn.hub.example/a", (), False),
        ("https://hub.example.evil/a", (), False),
        ("https://cdn/a", ("https://hub.example/a",), False),
        ("https://hub.example/a", ("https://evil/a",), False),
        ("https://hub.example/a", ("https://hub.example/a", "https://evil/a"), False),
    ],
)
def test_the_token_goes_to_the_hub_alone_and_never_back_to_it(
    *, address: str, way: tuple[str, ...], has_token: bool
) -> None:
    """The token is bound to scheme, host and port, and is not sent after a redirect through another origin."""
    origins = tuple(parse_address(each).origin for each in way)
    at = parse_address(address)
    headers = request_headers(
        Request(address=at), at, redirected_from=origins, hub=parse_address(HUB).origin, token=TOKEN
    )
    assert headers.get("Authorization") == (f"Bearer {TOKEN}" if has_token else None)
    assert (TOKEN in str(headers)) == has_token


@pytest.mark.parametrize(
    ("first", "end", "validator", "expected"),
    [
        (0, None, '"v"', (None, None)),
        (5, None, '"v"', ("bytes=5-", '"v"')),
        (5, 9, '"v"', ("bytes=5-8", '"v"')),
        (0, 9, None, ("bytes=0-8", None)),
    ],
)
def test_a_part_is_asked_for_of_one_version(
    first: int, end: int | None, validator: str | None, expected: tuple[str | None, str | None]
) -> None:
    """Range includes its last byte; If-Range is sent only with Range."""
    address = parse_address(HUB)
    request = Request(address=address, first_byte=first, end_byte=end, validator=validator)
    headers = request_headers(request, address, redirected_from=(), hub=address.origin, token=None)
    assert (headers.get("Range"), headers.get("If-Range")) == expected
    assert headers["Accept-Encoding"] == "identity"


def test_a_redirected_request_names_the_host_that_it_is_sent_to() -> None:
    """The file comes from another host than the one that was asked first; a port is named unless it is the default."""
    hub = parse_address(f"{HUB}/a")
    for url, host in (
        ("https://cdn.example:8443/x", "cdn.example:8443"),
        ("https://cdn.example:443/x", "cdn.example"),
    ):
        headers = request_headers(
            Request(address=hub),
            parse_address(url),
            redirected_from=(hub.origin,),
            hub=hub.origin,
            token=None,
        )
        assert headers["Host"] == host


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_the_hub_gets_no_authorization(token: str | None) -> None:
    """An empty token would be an invalid header."""
    hub = parse_address(HUB)
    headers = request_headers(Request(address=hub), hub, redirected_from=(), hub=hub.origin, token=token)
    assert "Authorization" not in headers
