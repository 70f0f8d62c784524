"""Sequences of requests: pipelines, Expect, Upgrade, HTTP/1.0 (RFC 9112, section 9; RFC 9110, section 10)."""

from dataclasses import replace

from .cases import (
    BODY,
    CHUNKED,
    CHUNKED_BODY,
    HOST,
    PATH,
    STREAM_BODY,
    After,
    Case,
    answered_locally,
    head,
    length_of,
    post,
    post_raw,
    refused,
    served,
    unfinished,
)

_OTHER = BODY.replace(b"hi", b"ho")
_HEALTH = head(b"GET", b"/health", HOST)
_OK, _REFUSED = frozenset((200,)), frozenset((400,))


def _pipeline(
    name: str,
    raw: bytes,
    answers: tuple[frozenset[int], ...],
    *upstream: bytes,
    after: After = After.OPEN,
    methods: tuple[bytes, ...] = (),
) -> Case:
    return Case(name=name, writes=(raw,), answers=answers, upstream=upstream, after=after, methods=methods)


PIPELINES = (
    served("pipeline: two", post() + post(body=_OTHER), BODY, _OTHER),
    served("pipeline: by length, then in chunks", post() + post_raw(CHUNKED, data=CHUNKED_BODY), BODY, BODY),
    served("pipeline: in chunks, then by length", post_raw(CHUNKED, data=CHUNKED_BODY) + post(), BODY, BODY),
    served("pipeline: a stream, then an answer", post(body=STREAM_BODY) + post(), STREAM_BODY, BODY),
    served("pipeline: eight", post() * 8, *(BODY for _ in range(8))),
    served("pipeline: empty lines between two", post() + b"\r\n\r\n" + post(body=_OTHER), BODY, _OTHER),
    served(
        "pipeline: cut inside the second",
        (post() + post(body=_OTHER)[:30], post(body=_OTHER)[30:]),
        BODY,
        _OTHER,
    ),
    _pipeline("pipeline: health, then a post", _HEALTH + post(), (_OK, _OK), BODY),
    _pipeline(
        "pipeline: HEAD, then a post",
        head(b"HEAD", b"/v1/models", HOST) + post(),
        (_OK, _OK),
        BODY,
        methods=(b"HEAD", b"POST"),
    ),
    _pipeline(
        "pipeline: nothing there, then a post",
        head(b"GET", b"/nowhere", HOST) + post(),
        (frozenset((404,)), _OK),
        BODY,
    ),
    _pipeline("pipeline: no JSON, then a post", post(body=b"{") + post(), (_REFUSED, _OK), BODY),
    _pipeline(
        "pipeline: a post, then garbage",
        post() + b"garbage\r\n\r\n",
        (_OK, _REFUSED),
        BODY,
        after=After.CLOSED,
    ),
    _pipeline(
        "pipeline: health, then garbage", _HEALTH + b"\x00\r\n\r\n", (_OK, _REFUSED), after=After.CLOSED
    ),
    _pipeline(
        "pipeline: a post, then a bad chunk",
        post() + post_raw(CHUNKED, data=b"zz\r\n"),
        (_OK, _REFUSED),
        BODY,
        after=After.CLOSED,
    ),
    _pipeline(
        "pipeline: a post, then two lengths",
        post() + post_raw(b"Content-Length: 1", b"Content-Length: 2"),
        (_OK, _REFUSED),
        BODY,
        after=After.CLOSED,
    ),
    _pipeline(
        "pipeline: a stream, then garbage",
        post(body=STREAM_BODY) + b"garbage\r\n\r\n",
        (_OK, _REFUSED),
        STREAM_BODY,
        after=After.CLOSED,
    ),
    _pipeline(
        "pipeline: a body longer than told is the next request",
        post_raw(b"Content-Length: %d" % len(BODY), data=BODY + b"x\r\n\r\n"),
        (_OK, _REFUSED),
        BODY,
        after=After.CLOSED,
    ),
    _pipeline(
        "pipeline: nothing after Connection: close",
        post(b"Connection: close") + post(),
        (_OK,),
        BODY,
        after=After.CLOSED,
    ),
    _pipeline(
        "pipeline: close among other options",
        post(b"Connection: x, Close ,y"),
        (_OK,),
        BODY,
        after=After.CLOSED,
    ),
    _pipeline(
        "pipeline: close in a second line",
        post(b"Connection: x", b"Connection: close"),
        (_OK,),
        BODY,
        after=After.CLOSED,
    ),
    served("pipeline: an option that only looks like close", post(b"Connection: closed")),
    unfinished("end: in the request line", b"POST /v1/chat/comp"),
    unfinished("end: in a header line", post()[:50]),
    unfinished("end: before the empty line", head(b"POST", PATH, HOST)[:-2]),
    unfinished("end: before the body", head(b"POST", PATH, HOST, length_of(b"x" * 65536))),
)


_LONGER = BODY.replace(b"hi", b"h" * 100)


def _again(*lines: bytes, length: bytes = length_of(BODY), data: bytes = BODY) -> bytes:
    """Return a POST and a second one with the same head, except for the length or additional lines."""
    return post() + head(b"POST", PATH, HOST, length, *lines) + data


def _refused_again(name: str, raw: bytes, status: int = 400) -> Case:
    return _pipeline(name, raw, (_OK, frozenset((status,))), BODY, after=After.CLOSED)


REMEMBERED = (
    served(
        "the same head again: other lengths",
        post() + post(body=_LONGER) + post(body=b" " + BODY) + post(),
        BODY,
        _LONGER,
        b" " + BODY,
        BODY,
    ),
    served(
        "the same head again: leading zeros", _again(length=b"Content-Length: 00%d" % len(BODY)), BODY, BODY
    ),
    served("the same head again: now in chunks", _again(length=CHUNKED, data=CHUNKED_BODY), BODY, BODY),
    _refused_again("the same head again: no digits", _again(length=b"Content-Length: ")),
    _refused_again("the same head again: a sign", _again(length=b"Content-Length: +%d" % len(BODY))),
    _refused_again("the same head again: a list", _again(length=b"Content-Length: %d, 5" % len(BODY))),
    _refused_again("the same head again: 19 digits", _again(length=b"Content-Length: %019d" % len(BODY))),
    _refused_again("the same head again: a superscript", _again(length=b"Content-Length: \xb2")),
    _refused_again("the same head again: too large", _again(length=b"Content-Length: 99999999"), 413),
    _refused_again("the same head again: a second length", _again(length_of(BODY))),
    _refused_again("the same head again: a coding besides", _again(CHUNKED)),
    _refused_again("the same head again: a second host", _again(HOST)),
    _refused_again("the same head again: a line that folds", _again(b" folded")),
    _refused_again("the same head again: LF in the length", _again(length=b"Content-Length: 5\n0")),
)


def _expect(value: bytes) -> tuple[bytes, bytes]:
    return head(b"POST", PATH, HOST, b"Expect: " + value, length_of(BODY)), BODY


EXPECT = (
    served("expect: the body waits for the interim answer", _expect(b"100-continue"), interim=1),
    served("expect: in capitals", _expect(b"100-Continue"), interim=1),
    served(
        "expect: a chunked body waits for the interim answer",
        (post_raw(b"Expect: 100-continue", CHUNKED, data=b""), CHUNKED_BODY),
        interim=1,
    ),
    served("expect: the body has come already", b"".join(_expect(b"100-continue"))),
    served(
        "expect: of HTTP/1.0, ignored", post(b"Expect: 100-continue", version=b"HTTP/1.0"), after=After.CLOSED
    ),
    refused("expect: another one", post(b"Expect: 200-ok"), 417),
    refused("expect: beside another one", post(b"Expect: 100-continue, x"), 417),
    refused("expect: twice in a list", post(b"Expect: 100-continue, 100-continue"), 417),
    refused("expect: twice", post(b"Expect: 100-continue", b"Expect: 100-continue"), 417),
    refused("expect: another one first", post(b"Expect: x", b"Expect: 100-continue"), 417),
    refused("expect: empty", post(b"Expect:"), 400, 417),
    refused(
        "expect: of a body that is too large",
        post_raw(b"Expect: 100-continue", b"Content-Length: 99999999", data=b""),
        413,
    ),
    refused(
        "expect: with a wrong host",
        head(b"POST", PATH, b"Host: evil.example", b"Expect: 100-continue", length_of(BODY)),
        403,
    ),
    replace(
        answered_locally(
            "expect: where nothing is",
            head(b"POST", b"/nowhere", HOST, b"Expect: 100-continue", b"Content-Length: 99999"),
            404,
        ),
        after=After.CLOSED,
    ),
    answered_locally("expect: without a body", head(b"GET", b"/health", HOST, b"Expect: 100-continue"), 200),
)

UPGRADE = (
    served(
        "upgrade: to WebSocket, ignored",
        post(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    ),
    served(
        "upgrade: to h2c, ignored",
        post(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
    ),
    served("upgrade: to TLS, ignored", post(b"Connection: Upgrade", b"Upgrade: TLS/1.0")),
    answered_locally(
        "upgrade: of a GET, ignored",
        head(b"GET", b"/health", HOST, b"Connection: upgrade", b"Upgrade: h2c"),
        200,
    ),
)

_OLD = b"HTTP/1.0"
_KEEP = b"Connection: keep-alive"

OLD = (
    served("HTTP/1.0", post(version=_OLD), after=After.CLOSED),
    served("HTTP/1.0: a stream", post(version=_OLD, body=STREAM_BODY), STREAM_BODY, after=After.CLOSED),
    served("HTTP/1.0: kept alive", post(_KEEP, version=_OLD), after=After.AS_SAID),
    served(
        "HTTP/1.0: a stream, kept alive",
        post(_KEEP, version=_OLD, body=STREAM_BODY),
        STREAM_BODY,
        after=After.CLOSED,
    ),
    served(
        "HTTP/1.0: close and keep-alive",
        post(b"Connection: keep-alive, close", version=_OLD),
        after=After.CLOSED,
    ),
    answered_locally("HTTP/1.0: GET", head(b"GET", b"/health", HOST, version=_OLD), 200, after=After.CLOSED),
    answered_locally(
        "HTTP/1.0: an unknown path, kept alive",
        head(b"GET", b"/x", HOST, _KEEP, version=_OLD),
        404,
        after=After.AS_SAID,
    ),
    answered_locally(
        "HTTP/1.0: HEAD",
        head(b"HEAD", b"/v1/models", HOST, version=_OLD),
        200,
        method=b"HEAD",
        after=After.CLOSED,
    ),
)

FLOW: tuple[Case, ...] = PIPELINES + REMEMBERED + EXPECT + UPGRADE + OLD
