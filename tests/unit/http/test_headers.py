"""Which headers are forwarded, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.headers import (
    filter_request_headers,
    filter_response_headers,
    is_encoded,
    is_event_stream,
    is_json_within_limit,
    preferred_wait_s,
    valid_request_id,
)

SECRETS_AND_HOPS = [
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"authorization",
    b"x-api-key",
    b"cookie",
    b"host",
    b"content-length",
    b"expect",
    b"prefer",
    b"origin",
    b"x-request-id",
]
NAMES = st.sampled_from([*SECRETS_AND_HOPS, b"content-type", b"x-a", b"x-b"])


@pytest.mark.parametrize("name", SECRETS_AND_HOPS)
def test_headers_that_the_engine_never_gets(name: bytes) -> None:
    """Secrets, hop-by-hop headers and those that the proxy sets itself do not reach the engine."""
    assert filter_request_headers([(name, b"x"), (b"accept", b"*/*")]) == [(b"accept", b"*/*")]


def test_headers_named_by_connection_are_dropped() -> None:
    """A header that any Connection header names is dropped, in any spelling."""
    sent = [
        (b"connection", b"close, X-One"),
        (b"x-one", b"1"),
        (b"connection", b" x-TWO "),
        (b"x-two", b"2"),
        (b"x-three", b"3"),
    ]
    assert filter_request_headers(sent) == [(b"x-three", b"3")]
    assert filter_response_headers(sent) == [(b"x-three", b"3")]


@given(st.lists(st.tuples(NAMES, st.binary())))
def test_filtering_adds_nothing_and_keeps_the_order(sent: list[tuple[bytes, bytes]]) -> None:
    """The forwarded headers are a subsequence of the received ones, and filtering again changes nothing."""
    passed = filter_request_headers(sent)
    rest = iter(sent)
    assert all(header in rest for header in passed)
    assert not {name for name, _ in passed} & set(SECRETS_AND_HOPS)
    assert filter_request_headers(passed) == passed


def test_other_engine_headers_reach_the_client() -> None:
    """Names are in lower case, duplicates of repeatable headers stay, one content type and one length remain."""
    sent = [
        (b"Server", b"llama.cpp"),
        (b"Date", b"now"),
        (b"Access-Control-Allow-Origin", b"*"),
        (b"X-Request-Id", b"theirs"),
        (b"Content-Type", b"application/json"),
        (b"content-type", b"text/plain"),
        (b"Content-Length", b"2"),
        (b"Content-Length", b"2"),
        (b"Cache-Control", b"private"),
        (b"Vary", b"a"),
        (b"Vary", b"b"),
    ]
    assert filter_response_headers(sent) == [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"cache-control", b"private"),
        (b"vary", b"a"),
        (b"vary", b"b"),
    ]


def test_stream_gets_streaming_headers() -> None:
    """An event stream has no length, and each of its headers once."""
    sent = [
        (b"Content-Type", b"text/event-stream"),
        (b"Content-Length", b"5"),
        (b"Cache-Control", b"private"),
        (b"X-Accel-Buffering", b"yes"),
        (b"X-Kept", b"1"),
    ]
    assert filter_response_headers(sent) == [
        (b"content-type", b"text/event-stream"),
        (b"x-kept", b"1"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
    ]


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"text/event-stream", True),
        (b"Text/Event-Stream ; charset=utf-8", True),
        (b"text/event-streams", False),
        (b"application/json", False),
        (b"", False),
    ],
)
def test_event_stream_is_recognized_by_its_type(content_type: bytes, expected: bool) -> None:  # noqa: FBT001
    """Only the media type counts, in any case and with any parameters."""
    assert is_event_stream([(b"content-type", content_type)]) is expected
    assert not is_event_stream([])


@pytest.mark.parametrize(
    ("content_type", "length", "expected"),
    [
        (b"application/json", None, True),
        (b"Application/JSON; charset=utf-8", 0, True),
        (b"application/json", 10, True),
        (b"application/json", 11, False),
        (b"text/event-stream", None, False),
        (b"application/jsonl", 10, False),
    ],
)
def test_json_up_to_a_limit(content_type: bytes, length: int | None, expected: bool) -> None:  # noqa: FBT001
    """A body as long as the limit is included, and so is a body of unknown length."""
    assert is_json_within_limit([(b"content-type", content_type)], length, 10) is expected
    assert not is_json_within_limit([], length, 10)


@pytest.mark.parametrize(
    ("content_encoding", "expected"),
    [
        (b"identity", False),
        (b" Identity\t,identity", False),
        (b"gzip", True),
        (b"identity, gzip", True),
        (b"identity,", True),
        (b"", True),
    ],
)
def test_an_encoding_other_than_identity(content_encoding: bytes, expected: bool) -> None:  # noqa: FBT001
    """A single coding is enough, and so is an empty member, which no client should send."""
    assert is_encoded(content_encoding) is expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"abc", "abc"),
        (b"!~" * 64, "!~" * 64),
        (b"x" * 129, None),
        (b"", None),
        (b"a b", None),
        (b"a\tb", None),
        (b"caf\xc3\xa9", None),
        (b"a\n", None),
        (b".", None),
        (b"..", None),
        (b"...", "..."),
        (b"../x", "../x"),
    ],
)
def test_request_id_must_be_visible_ascii(sent: bytes, expected: str | None) -> None:
    """An id is accepted when it is 1 to 128 visible ASCII characters that can be a segment of a URL's path."""
    assert valid_request_id({b"x-request-id": sent}) == expected
    assert valid_request_id({}) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"wait=0"], 0),
        ([b"wait=10"], 10),
        ([b"respond-async, wait=10"], 10),
        ([b"wait=10, respond-async"], 10),
        ([b"respond-async", b"Wait = 7"], 7),
        ([b'wait="12"; x=1'], 12),
        ([b"wait=1, wait=2"], 1),
        ([b"wait=-1, wait=2"], 2),
        ([b"wait=1.5"], None),
        ([b"wait=ten"], None),
        ([b"wait"], None),
        ([b"await=3"], None),
        ([b"x=1; wait=3"], None),
        ([b"wait=" + b"9" * 40], None),
        ([b""], None),
        ([], None),
    ],
)
def test_preferred_wait(values: list[bytes], expected: int | None) -> None:
    """The first valid wait counts, in one header or several; an invalid one is ignored."""
    assert preferred_wait_s([(b"prefer", value) for value in values]) == expected


@given(st.lists(st.binary()))
def test_any_preference_is_parsed_or_ignored(values: list[bytes]) -> None:
    """Any value gives a wait in seconds or none."""
    wait_s = preferred_wait_s([(b"prefer", value) for value in values])
    assert wait_s is None or wait_s >= 0
