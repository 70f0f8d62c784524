"""Valid requests, one of each kind, for the tests that split and mutate requests."""

from dataclasses import dataclass

from .cases import BODY, CHUNKED, HOST, LAST_CHUNK, PATH, STREAM_BODY, chunk, head, length_of, post, post_raw

_ID = b"X-Request-Id: a-given-one"
_TRAILERS = b"0;last\r\nX-Checksum: 1\r\nHost: evil.example\r\n\r\n"
_OTHER = BODY.replace(b"hi", "hé".encode())


@dataclass(frozen=True, slots=True)
class Representative:
    """The requests of one connection; it stays open afterwards."""

    name: str
    raw: bytes
    methods: tuple[bytes, ...] = (b"POST",)


REPRESENTATIVES = (
    Representative("by length", post(_ID, b"Content-Type: application/json", b"X-A:\tb ")),
    Representative(
        "in chunks, with trailers",
        post_raw(_ID, CHUNKED, data=chunk(BODY[:9], b";a=b") + chunk(BODY[9:]) + _TRAILERS),
    ),
    Representative("expecting 100 (Continue)", post(_ID, b"Expect: 100-continue")),
    Representative(
        "pipelined",
        b"\r\n"
        + post(_ID)
        + post_raw(_ID, CHUNKED, data=chunk(_OTHER) + LAST_CHUNK)
        + post(_ID, body=STREAM_BODY),
        (b"POST",) * 3,
    ),
    Representative(
        "without bodies",
        head(b"GET", b"/health", HOST)
        + head(b"HEAD", b"/v1/models", HOST)
        + head(b"GET", b"/v1/models?a=b", HOST),
        (b"GET", b"HEAD", b"GET"),
    ),
    Representative(
        "absolute, between two others",
        head(b"GET", b"/nowhere", HOST, length_of(b"12345"))
        + b"12345"
        + post(_ID, target=b"http://localhost:1" + PATH, host=b"Host: localhost:1")
        + head(b"GET", b"/health", HOST),
        (b"GET", b"POST", b"GET"),
    ),
    Representative(
        "HTTP/1.0 kept alive, told to close by the last one",
        post(_ID, b"Connection: keep-alive", version=b"HTTP/1.0"),
    ),
)
