"""Who is shown the token: decided for each single request, whatever led to it."""

import gzip
import math
import tracemalloc
import zlib
from collections.abc import Iterator

import httpx2
import pytest

from gglib.hf.api_errors import Asked
from gglib.hf.session import FailedError, _prepare, _read

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
    assert request.headers["accept-encoding"] == "gzip"


def test_no_request_waits_for_ever() -> None:
    """Each request has its deadlines, also one that the library sent without."""
    request = httpx2.Request("GET", HUB, extensions={"timeout": {"read": None}})
    _prepare(request, Asked(endpoint=HUB))
    assert None not in request.extensions["timeout"].values()


def answer_of(body: bytes, encoding: str | None, piece_bytes: int = 1 << 16) -> httpx2.Response:
    """Return an answer whose body comes in pieces."""

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), piece_bytes):
            yield body[start : start + piece_bytes]

    headers = {} if encoding is None else {"Content-Encoding": encoding}
    return httpx2.Response(200, headers=headers, content=pieces())


def test_a_packed_answer_is_unpacked() -> None:
    """As the library would have it, in pieces of any size."""
    text = bytes(range(256)) * 40
    assert _read(answer_of(text, None), math.inf, Asked(endpoint=HUB)) == text
    assert _read(answer_of(text, "identity"), math.inf, Asked(endpoint=HUB)) == text
    packed = gzip.compress(text)
    for piece_bytes in (1, 7, 1 << 16):
        assert _read(answer_of(packed, "GZip", piece_bytes), math.inf, Asked(endpoint=HUB)) == text


def test_an_answer_that_unpacks_without_end_is_not_unpacked() -> None:
    """A thousandfold: it is bounded before it is in memory, not after."""
    bomb = gzip.compress(bytes(1 << 28), 9)
    tracemalloc.start()
    try:
        with pytest.raises(FailedError, match="without end"):
            _read(answer_of(bomb, "gzip", len(bomb)), math.inf, Asked(endpoint=HUB))
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"x", "br"), (zlib.compress(b"x"), "deflate"), (b"no gzip", "gzip"), (b"x", "gzip, gzip")],
)
def test_an_answer_in_another_packing_is_refused(body: bytes, encoding: str) -> None:
    """Only gzip was asked for."""
    with pytest.raises(FailedError, match="cannot be read"):
        _read(answer_of(body, encoding), math.inf, Asked(endpoint=HUB))
