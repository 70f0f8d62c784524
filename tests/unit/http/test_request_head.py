"""The request head: parsed unambiguously, or refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http import request_head as module
from gglib.http.errors import (
    ExpectationFailedError,
    HeadTooLargeError,
    HttpError,
    MalformedMessageError,
    TargetTooLongError,
    UnsupportedTransferCodingError,
    UnsupportedVersionError,
)
from gglib.http.headers import valid_request_id
from gglib.http.request_head import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    MAX_REQUEST_LINE_BYTES,
    MAX_TARGET_BYTES,
    HeadParser,
    RequestHead,
    check_partial_head,
    parse_field,
    parse_head,
)

HOST = b"Host: localhost"


def a_head(*lines: bytes, first: bytes = b"POST /v1/x HTTP/1.1") -> bytes:
    """Return a head with a valid host, without its final empty line."""
    return b"\r\n".join((first, HOST, *lines))


def test_parsed_head() -> None:
    """Method, path, query, version, headers in order with names in lower case, and the length of the body."""
    head = parse_head(
        a_head(b"X-A:\t one \t", b"x-a:", b"Content-Length: 007", first=b"PUT /%2f//a?b=?c HTTP/1.1")
    )
    assert (head.method, head.raw_path, head.query, head.minor_version) == ("PUT", "/%2f//a", b"b=?c", 1)
    assert head.headers == [
        (b"host", b"localhost"),
        (b"x-a", b"one"),
        (b"x-a", b""),
        (b"content-length", b"007"),
    ]
    assert head.fields == {b"host": b"localhost", b"x-a": b"", b"content-length": b"007"}
    assert (head.content_length, head.wants_continue, head.may_keep_alive) == (7, False, True)


@pytest.mark.parametrize(
    ("first", "lines", "path", "query"),
    [
        (b"GET http://localhost HTTP/1.1", (), "/", b""),
        (b"GET HTTP://LOCALHOST/a?b HTTP/1.1", (), "/a", b"b"),
        (b"GET http://localhost?b HTTP/1.1", (), "/", b"b"),
        (b"OPTIONS * HTTP/1.1", (), "*", b""),
        (b"GET /a:b@c HTTP/1.9", (), "/a:b@c", b""),
    ],
)
def test_forms_of_a_target(first: bytes, lines: tuple[bytes, ...], path: str, query: bytes) -> None:
    """An absolute target means the same as its path; a later minor version counts as 1.1."""
    head = parse_head(a_head(*lines, first=first))
    assert (head.raw_path, head.query, head.minor_version) == (path, query, 1)


@pytest.mark.parametrize(
    ("block", "error"),
    [
        (a_head(first=b""), MalformedMessageError),
        (a_head(first=b"GET / HTTP/2.0"), UnsupportedVersionError),
        (a_head(first=b"GET / HTTP/0.9"), UnsupportedVersionError),
        (a_head(first=b"GET / HTTP/1.10"), MalformedMessageError),
        (a_head(first=b"GET  / HTTP/1.1"), MalformedMessageError),
        (a_head(first=b"GET /a#b HTTP/1.1"), MalformedMessageError),
        (a_head(first=b"GET /\xc3\xa4 HTTP/1.1"), MalformedMessageError),
        (a_head(first=b"G(T / HTTP/1.1"), MalformedMessageError),
        (a_head(first=b"GET * HTTP/1.1"), MalformedMessageError),
        (a_head(first=b"CONNECT localhost:80 HTTP/1.1"), MalformedMessageError),
        (a_head(first=b"GET http://other/ HTTP/1.1"), MalformedMessageError),
        (a_head(first=b"GET https://localhost/ HTTP/1.1"), MalformedMessageError),
        (a_head(first=b"GET /%b HTTP/1.1" % (b"a" * MAX_TARGET_BYTES)), TargetTooLongError),
        (a_head(first=b"%b / HTTP/1.1" % (b"M" * MAX_REQUEST_LINE_BYTES)), TargetTooLongError),
        (a_head(first=b"\x16%b" % (b"M" * MAX_REQUEST_LINE_BYTES)), MalformedMessageError),
        (b"GET / HTTP/1.1", MalformedMessageError),
        (b"GET / HTTP/1.1\r\nHost:", MalformedMessageError),
        (a_head(HOST), MalformedMessageError),
        (a_head(b"Origin: http://a", b"origin: http://a"), MalformedMessageError),
        (a_head(b"no colon"), MalformedMessageError),
        (a_head(b"space : x"), MalformedMessageError),
        (a_head(b" folded"), MalformedMessageError),
        (a_head(b"x: a\nb"), MalformedMessageError),
        (a_head(b"x: a\rb"), MalformedMessageError),
        (a_head(b"x: a\0"), MalformedMessageError),
        (a_head(b"x: \x7f"), MalformedMessageError),
        (a_head(*[b"x: y"] * MAX_FIELDS), HeadTooLargeError),
        (a_head(b"x: %b" % (b"y" * MAX_LINE_BYTES)), HeadTooLargeError),
        (a_head(b"Content-Length: 1", b"Content-Length: 1"), MalformedMessageError),
        (a_head(b"Content-Length: 1, 1"), MalformedMessageError),
        (a_head(b"Content-Length: +1"), MalformedMessageError),
        (a_head(b"Content-Length:"), MalformedMessageError),
        (a_head(b"Content-Length: %b" % (b"0" * 19)), MalformedMessageError),
        (a_head(b"Content-Length: 1", b"Transfer-Encoding: chunked"), MalformedMessageError),
        (a_head(b"Transfer-Encoding: chunked", first=b"GET / HTTP/1.0"), MalformedMessageError),
        (a_head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), MalformedMessageError),
        (a_head(b"Transfer-Encoding: chunked, chunked"), MalformedMessageError),
        (a_head(b"Transfer-Encoding: chunked, gzip"), MalformedMessageError),
        (a_head(b"Transfer-Encoding: \x0b chunked"), MalformedMessageError),
        (a_head(b"Transfer-Encoding: \xa0chunked"), MalformedMessageError),
        (a_head(b"Transfer-Encoding:"), MalformedMessageError),
        (a_head(b"Transfer-Encoding: gzip , chunked"), UnsupportedTransferCodingError),
        (a_head(b"Transfer-Encoding: identity"), UnsupportedTransferCodingError),
        (a_head(b"Expect: 100-continue, x"), ExpectationFailedError),
        (a_head(b"Expect: 100-continue", b"Expect: 100-continue"), ExpectationFailedError),
    ],
)
def test_refused_heads(block: bytes, error: type[HttpError]) -> None:
    """An ambiguous or oversized head is refused with the error of its kind."""
    with pytest.raises(HttpError) as caught:
        parse_head(block)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "block",
    [
        a_head(first=b"GET /%b HTTP/1.1" % (b"a" * (MAX_TARGET_BYTES - 1))),
        a_head(*[b"x: y"] * (MAX_FIELDS - 1)),
        a_head(b"x: %b" % (b"y" * (MAX_LINE_BYTES - 3))),
        a_head(b"Content-Length: %b" % (b"0" * 18)),
    ],
)
def test_heads_at_their_limit_are_accepted(block: bytes) -> None:
    """At its limit, a head is accepted."""
    assert parse_head(block).raw_path.startswith("/")


@pytest.mark.parametrize(
    ("line", "first", "wants"),
    [
        (b"Expect: 100-Continue", b"POST / HTTP/1.1", True),
        (b"Expect: 100-continue", b"POST / HTTP/1.0", False),
        (b"Expect: x\r\nExpect: y", b"POST / HTTP/1.0", False),
        (b"x: y", b"POST / HTTP/1.1", False),
    ],
)
def test_expect_continue(line: bytes, first: bytes, *, wants: bool) -> None:
    """Only HTTP/1.1 has expectations; HTTP/1.0 ignores them, however many."""
    assert parse_head(a_head(line, first=first)).wants_continue is wants


@pytest.mark.parametrize(
    ("line", "first", "may"),
    [
        (b"x: y", b"GET / HTTP/1.1", True),
        (b"x: y", b"GET / HTTP/1.0", False),
        (b"Connection: Keep-Alive", b"GET / HTTP/1.0", True),
        (b"Connection: x, CLOSE", b"GET / HTTP/1.1", False),
        (b"Connection: keep-alive\r\nConnection: close", b"GET / HTTP/1.0", False),
        (b"Connection: x", b"GET / HTTP/1.1", True),
    ],
)
def test_keep_alive(line: bytes, first: bytes, *, may: bool) -> None:
    """HTTP/1.1 keeps alive by default, HTTP/1.0 only with ``keep-alive``."""
    assert parse_head(a_head(line, first=first)).may_keep_alive is may


def test_transfer_coding_is_case_insensitive() -> None:
    """``Chunked`` is ``chunked``; its length is not known."""
    assert parse_head(a_head(b"Transfer-Encoding:  CHUNKED ")).content_length is None


def test_head_repr_shows_no_secret() -> None:
    """The repr of a head contains neither a key nor a query."""
    shown = repr(
        parse_head(a_head(b"Authorization: Bearer top-secret", first=b"GET /a?token=hidden HTTP/1.1"))
    )
    assert "/a" in shown
    assert "top-secret" not in shown
    assert "hidden" not in shown


def test_secrets_and_long_lines_are_not_cached() -> None:
    """The cache of header lines, which all connections share, holds no credentials, and nothing large."""
    secrets = (
        b"Authorization: Bearer s3cret",
        b"X-Api-Key: s3cret",
        b"Cookie: s3cret",
        b"Proxy-Authorization: s3cret",
    )
    parse_head(a_head(b"x-seen: once", b"x-long: %b" % (b"y" * 300), *secrets))
    known = module._field_cache
    assert b"x-seen: once" in known
    assert not [line for line in known if b"s3cret" in line or line.startswith(b"x-long")]


def test_cache_of_lines_is_bounded() -> None:
    """New lines do not grow the cache without bound."""
    for number in range(module._MAX_CACHED_LINES + 10):
        parse_head(a_head(b"x-n: %d" % number))
    assert 0 < len(module._field_cache) <= module._MAX_CACHED_LINES


@pytest.mark.parametrize(
    ("beginning", "error"),
    [
        (b"\x16\x03\x01", MalformedMessageError),
        (b" GET / HTTP/1.1\r\n", MalformedMessageError),
        (b"\rX", MalformedMessageError),
        (b"GET / HTTP/1.1\n", MalformedMessageError),
        (b"GET / HTTP/1.1\r\nHost: a\n", MalformedMessageError),
        (b"M" * (MAX_REQUEST_LINE_BYTES + 1), TargetTooLongError),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * MAX_HEAD_BYTES, HeadTooLargeError),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\nbody\n", HeadTooLargeError),
    ],
)
def test_invalid_prefixes_are_refused_early(beginning: bytes, error: type[HttpError]) -> None:
    """Input that cannot become a valid head is refused before its end."""
    with pytest.raises(HttpError) as caught:
        check_partial_head(beginning)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "beginning",
    [
        b"G",
        b"GET / HTTP/1.1\r",
        b"M" * MAX_REQUEST_LINE_BYTES + b"\r",
        (b"GET / HTTP/1.1\r\nx: " + b"y" * MAX_HEAD_BYTES)[:MAX_HEAD_BYTES] + b"\r\n\r",
    ],
)
def test_valid_prefixes_may_continue(beginning: bytes) -> None:
    """The bytes that end a line or a head do not count against its limit."""
    check_partial_head(beginning)


def test_only_new_bytes_are_scanned() -> None:
    """A new line feed is found, also when its carriage return was received earlier."""
    check_partial_head(b"GET / HTTP/1.1\r\n", checked_bytes=15)
    with pytest.raises(MalformedMessageError):
        check_partial_head(b"GET / HTTP/1.1\n", checked_bytes=14)


def test_parsed_field() -> None:
    """A name in lower case and a value without surrounding whitespace; bytes beyond ASCII are kept."""
    assert parse_field(b"X-Y:\t a b\t ") == (b"x-y", b"a b")
    assert parse_field(b"x:\xff") == (b"x", b"\xff")


# -- the memory of one connection -------------------------------------------------------------------------------


VARYING = (b"content-length", b"x-request-id")


def outcome(block: bytes, memory: HeadParser | None = None) -> object:
    """Return the result of parsing the head, or the error's class: the length as a number, and the valid request id."""
    try:
        if memory is None:
            head = parse_head(block)
            length, request_id = head.content_length, valid_request_id(head.fields)
        else:
            head, length, request_id = memory.parse(block)
    except HttpError as error:
        return type(error)
    return [
        *(
            head.method,
            head.raw_path,
            head.query,
            head.minor_version,
            head.wants_continue,
            head.may_keep_alive,
        ),
        [(name, value) for name, value in head.headers if name not in VARYING],
        [name for name, _ in head.headers],
        length,
        request_id,
    ]


LENGTHS = st.one_of(
    st.integers(0, 10**19).map(lambda n: b"%d" % n),
    st.sampled_from(
        [
            b"",
            b"0",
            b"00",
            b"5 ",
            b"+5",
            b"5,5",
            b"5\r\nX: y",
            b"5\r\ncontent-length: 6",
            b"\xb2",
            b"5\n6",
            b"1" * 19,
        ]
    ),
)
LINES = st.sampled_from(
    [
        b"Accept: */*",
        b"Accept: *",
        b"X-Length: 5",
        b"Authorization: Bearer one",
        b"Authorization: Bearer two",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Connection: close",
        b"Content-Length: 5",
        b"x-content-length: 5",
        b"x-request-id: a",
        b"X-Request-Id: b",
        b"x-request-id:",
    ]
)
IDS = st.sampled_from(
    [
        b"",
        b"x-request-id: a",
        b"x-request-id: req_2",
        b"x-request-id: .",
        b"x-request-id: a b",
        b"x-request-id: a,b",
        b"x-request-id: a\r\nx-request-id: b",
        b"x-request-id: " + b"a" * 128,
        b"x-request-id: " + b"a" * 129,
        b"x-request-id: a\r\ncontent-length: 6",
        b"x-request-id: \xff",
    ]
)
FIRSTS = st.sampled_from([b"POST /a HTTP/1.1", b"POST /a HTTP/1.0", b"POST /b HTTP/1.1", b"PUT /a HTTP/1.1"])


@st.composite
def heads_alike(draw: st.DrawFn) -> bytes:
    """Return heads that differ in the length and the request id alone, almost so, or in one line."""
    name = draw(
        st.sampled_from([b"Content-Length: ", b"content-length: ", b"Content-Length:", b"Content-Length:  "])
    )
    before, after = draw(st.lists(LINES, max_size=1)), draw(st.lists(LINES, max_size=1))
    request_id = draw(IDS)
    varying = [line for line in (request_id, name + draw(LENGTHS)) if line]
    return a_head(*before, *varying, *after, first=draw(FIRSTS))


@given(st.lists(heads_alike(), min_size=1, max_size=12))
def test_cached_result_equals_a_fresh_parse(blocks: list[bytes]) -> None:
    """Whatever a connection has sent before, its next head is parsed as if it were the first."""
    memory = HeadParser()
    for block in blocks:
        assert outcome(block, memory) == outcome(block)


@given(heads_alike(), st.data())
def test_cache_detects_each_changed_byte(block: bytes, data: st.DataObject) -> None:
    """A head with one byte changed, removed or added is parsed anew."""
    memory = HeadParser()
    outcome(block, memory)
    at = data.draw(st.integers(0, len(block) - 1))
    byte = bytes((data.draw(st.integers(0, 255)),))
    for changed in (
        block[:at] + byte + block[at + 1 :],
        block[:at] + block[at + 1 :],
        block[:at] + byte + block[at:],
    ):
        assert outcome(changed, memory) == outcome(changed)


def test_cache_matches_heads_that_differ_in_the_length_alone() -> None:
    """A cached result is reused for the next head that differs in the length alone, and for no other."""
    memory = HeadParser()

    def read(length: bytes, *lines: bytes) -> RequestHead:
        return memory.parse(a_head(b"Content-Length: %b" % length, *lines))[0]

    first = read(b"5", b"x: y")
    first.derived = "plan"
    assert read(b"123", b"x: y") is first
    assert read(b"5", b"x: z").derived is None
    assert memory.parse(a_head())[0].derived is None
    assert memory.parse(a_head())[0] is not memory.parse(a_head())[0]


def test_cache_matches_heads_that_differ_in_the_request_id_before_the_length() -> None:
    """A gglib that forwards requests sends each with an id of its own: it is returned with the cached head."""
    memory = HeadParser()

    def read(*lines: bytes) -> tuple[RequestHead, int | None, str | None]:
        return memory.parse(a_head(*lines))

    first, *_ = read(b"x-request-id: one", b"content-length: 5")
    assert read(b"x-request-id: two", b"content-length: 67") == (first, 67, "two")
    assert read(b"x-request-id: two", b"content-length: 67")[0] is first
    assert read(b"content-length: 5", b"x-request-id: one")[0] is not first
    assert read(b"content-length: 5", b"x-request-id: two")[2] == "two"


def test_an_invalid_request_id_is_none() -> None:
    """One that the server does not use is none, after a valid one too."""
    memory = HeadParser()
    for value, expected in ((b"one", "one"), (b"..", None), (b"two", "two"), (b"a b", None)):
        assert memory.parse(a_head(b"x-request-id: " + value, b"content-length: 5"))[2] == expected


@pytest.mark.parametrize("length", [b"", b"+7", b"7 ", b"7\r\nX: y", b"\xb2", b"0" * 19])
def test_cache_accepts_only_digits_as_a_length(length: bytes) -> None:
    """A head with the same beginning and end and other bytes between them is parsed anew."""
    memory = HeadParser()
    outcome(a_head(b"Content-Length: 5"), memory)
    changed = a_head(b"Content-Length: " + length)
    assert outcome(changed, memory) == outcome(changed)


def test_expression_accepts_the_tokens_of_the_rfc() -> None:
    """The first byte of a request is one that a method may have."""
    tokens = {byte for byte in range(256) if re.fullmatch(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]", bytes((byte,)))}
    assert tokens == module._TOKEN_BYTES
