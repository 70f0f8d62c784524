"""Which requests carry the token: decided for each request, redirects and links included."""

import gzip
import math
import tracemalloc
import zlib
from collections.abc import Iterator

import httpx2
import pytest

from gglib.hf.api_errors import HubRequest
from gglib.hf.session import CallFailedError, _prepare, _read

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
def test_token_is_sent_only_to_the_origin_of_the_endpoint(url: str, *, is_shown: bool) -> None:
    """The token stays in requests to the endpoint's scheme, host and port; it is removed from all others."""
    request = httpx2.Request(
        "GET", url, headers={"Authorization": "Bearer hf_secret", "User-Agent": "library"}
    )
    _prepare(request, HubRequest(endpoint=HUB))
    assert ("authorization" in request.headers) is is_shown
    assert request.headers["user-agent"] == "gglib"
    assert request.headers["accept-encoding"] == "gzip"


def test_every_request_has_a_timeout() -> None:
    """Each request has timeouts, including requests that the library sends without."""
    request = httpx2.Request("GET", HUB, extensions={"timeout": {"read": None}})
    _prepare(request, HubRequest(endpoint=HUB))
    assert None not in request.extensions["timeout"].values()


def response_of(body: bytes, encoding: str | None, piece_bytes: int = 1 << 16) -> httpx2.Response:
    """Return a response whose body arrives in pieces."""

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), piece_bytes):
            yield body[start : start + piece_bytes]

    headers = {} if encoding is None else {"Content-Encoding": encoding}
    return httpx2.Response(200, headers=headers, content=pieces())


def test_compressed_response_is_decoded() -> None:
    """The body is decoded as the library does it, from pieces of any size."""
    text = bytes(range(256)) * 40
    assert _read(response_of(text, None), math.inf, HubRequest(endpoint=HUB)) == text
    assert _read(response_of(text, "identity"), math.inf, HubRequest(endpoint=HUB)) == text
    packed = gzip.compress(text)
    for piece_bytes in (1, 7, 1 << 16):
        assert _read(response_of(packed, "GZip", piece_bytes), math.inf, HubRequest(endpoint=HUB)) == text


def test_decompression_is_bounded() -> None:
    """A body that expands a thousandfold is limited while it is decoded, not afterwards."""
    bomb = gzip.compress(bytes(1 << 28), 9)
    tracemalloc.start()
    try:
        with pytest.raises(CallFailedError, match="too large"):
            _read(response_of(bomb, "gzip", len(bomb)), math.inf, HubRequest(endpoint=HUB))
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"x", "br"), (zlib.compress(b"x"), "deflate"), (b"no gzip", "gzip"), (b"x", "gzip, gzip")],
)
def test_other_encoding_is_refused(body: bytes, encoding: str) -> None:
    """Another encoding than gzip, the only one requested, is an error."""
    with pytest.raises(CallFailedError, match="cannot be read"):
        _read(response_of(body, encoding), math.inf, HubRequest(endpoint=HUB))
