"""Requests on one connection: the split into reads has no effect, and nothing is parsed past the current request."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gglib.http.chunked import MAX_CHUNKS_PER_CALL
from gglib.http.errors import (
    BodyTooLargeError,
    HeadTooLargeError,
    HttpError,
    MalformedMessageError,
    TargetTooLongError,
    UnsupportedVersionError,
)
from gglib.http.request_head import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    MAX_REQUEST_LINE_BYTES,
)
from gglib.http.request_reader import (
    End,
    Event,
    NewRequest,
    RequestReader,
)

MAX_BODY_BYTES = 1000
TARGET_AND_HOST = b"/p HTTP/1.1\r\nHost: a\r\n"


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the data split at these positions."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def is_complete(event: Event) -> bool:
    """Whether a request ends with this event: by itself, or because it arrived whole."""
    return event is End.OF_REQUEST or (isinstance(event, NewRequest) and event.body is not None)


def read(pieces: list[bytes]) -> tuple[list[object], RequestReader]:
    """Return every request as (method, length, body), the last one as far as received; responses are immediate."""
    reader = RequestReader(max_body_bytes=MAX_BODY_BYTES)
    events: list[Event] = []
    for piece in pieces:
        new = reader.receive(piece)
        while new:
            events += new
            new = reader.next_request() if is_complete(new[-1]) else []
    parsed: list[object] = []
    for event in events:
        if isinstance(event, NewRequest):
            parsed.append(
                [event.head.method, event.content_length, event.body or b"", event.body is not None]
            )
        else:
            last = parsed[-1]
            assert isinstance(last, list)
            if isinstance(event, bytes):
                assert event, "an empty part"
                last[2] += event
            else:
                last[3] = True
    return parsed, reader


def receive_all(reader: RequestReader, pieces: list[bytes]) -> None:
    """Receive the pieces one after another."""
    for piece in pieces:
        reader.receive(piece)


def with_length(method: bytes, body: bytes) -> tuple[bytes, object]:
    """Return a request whose body has a length, and its expected result."""
    return (
        b"%b %bContent-Length: %d\r\n\r\n%b" % (method, TARGET_AND_HOST, len(body), body),
        [method.decode(), len(body), body, True],
    )


def in_chunks(method: bytes, bodies: list[bytes]) -> tuple[bytes, object]:
    """Return a request with a chunked body, and its expected result."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in bodies)
    wire = b"%b %bTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (method, TARGET_AND_HOST, chunks)
    return wire, [method.decode(), None, b"".join(bodies), True]


def without_body(method: bytes, empty_lines: int) -> tuple[bytes, object]:
    """Return a request without a body, and its expected result."""
    return b"\r\n" * empty_lines + b"%b %b\r\n" % (method, TARGET_AND_HOST), [method.decode(), 0, b"", True]


METHODS = st.sampled_from([b"GET", b"POST"])
BODIES = st.one_of(
    st.binary(max_size=30), st.sampled_from([b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"0\r\n\r\n"])
)
REQUESTS = st.one_of(
    st.builds(with_length, METHODS, BODIES),
    st.builds(in_chunks, METHODS, st.lists(BODIES.filter(bool), max_size=3)),
    st.builds(without_body, METHODS, st.integers(0, 8)),
)
CUTS = st.lists(st.integers(0, 10**6), max_size=10)


@given(st.lists(REQUESTS, min_size=1, max_size=5), CUTS)
def test_any_split_of_any_requests_gives_the_same(
    requests: list[tuple[bytes, object]], cuts: list[int]
) -> None:
    """Consecutive requests are separated for any split, also byte by byte and all at once."""
    wire = b"".join(request for request, _ in requests)
    expected = [request for _, request in requests]
    for pieces in ([wire], pieces_of(wire, cuts), [bytes((byte,)) for byte in wire]):
        parsed, reader = read(pieces)
        assert parsed == expected
        assert not reader.is_in_head
        assert not reader.is_in_body


@given(st.lists(REQUESTS, min_size=1, max_size=3), st.integers(0, 10**6))
def test_truncated_request_is_not_complete(requests: list[tuple[bytes, object]], cut: int) -> None:
    """Data cut off at any position completes only the requests that were whole."""
    wire = b"".join(request for request, _ in requests)
    part = wire[: cut % len(wire)]
    parsed, _ = read([part])
    whole, end = 0, 0
    for request, _ in requests:
        end += len(request)
        whole += end <= len(part)
    assert sum(isinstance(request, list) and request[3] for request in parsed) == whole


GOOD = b"GET " + TARGET_AND_HOST
CHUNKED = b"POST " + TARGET_AND_HOST + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = [
    (b"\x16\x03\x01\x02", MalformedMessageError),
    (b"\n" + GOOD + b"\r\n", MalformedMessageError),
    (b"\r\r\n" + GOOD + b"\r\n", MalformedMessageError),
    (b"\r\n" * 9 + GOOD + b"\r\n", MalformedMessageError),
    (b"GET / HTTP/1.1\nHost: a\n\n", MalformedMessageError),
    (b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", MalformedMessageError),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", UnsupportedVersionError),
    (b"GET / HTTP/1.1\r\n\r\n", MalformedMessageError),
    (GOOD + b" folded\r\n\r\n", MalformedMessageError),
    (GOOD + b"a\rb: c\r\n\r\n", MalformedMessageError),
    (GOOD + b"x: y\r\n" * MAX_FIELDS + b"\r\n", HeadTooLargeError),
    (GOOD + b"x: " + b"y" * MAX_LINE_BYTES + b"\r\n\r\n", HeadTooLargeError),
    (GOOD + b"x: %b\r\n" % (b"y" * 16_000) * 3 + b"\r\nbody\n", HeadTooLargeError),
    (b"M" * (MAX_REQUEST_LINE_BYTES - 12) + b" / HTTP/1.1\r\nHost: a\r\n\r\nmore", None),
    (b"M" * (MAX_REQUEST_LINE_BYTES - 10) + b" / HTTP/1.1\r\nHost: a\r\n\r\n", TargetTooLongError),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", TargetTooLongError),
    (CHUNKED + b"x\r\n", MalformedMessageError),
    (CHUNKED + b"1\r\nab\r\n", MalformedMessageError),
    (CHUNKED + b"1\r\na\r\n3e8\r\n", BodyTooLargeError),
    (CHUNKED + b"0\r\nno field\r\n\r\n", MalformedMessageError),
]


@pytest.mark.parametrize(("wire", "error"), [case for case in BROKEN if case[1]])
def test_malformed_request_has_the_same_error_at_any_split(wire: bytes, error: type[HttpError]) -> None:
    """The error depends on the data, not on its split, and is final."""
    splits = [[wire], [bytes((byte,)) for byte in wire]]
    splits += [[wire[:at], wire[at:]] for at in range(1, len(wire), max(1, len(wire) // 100))]
    for pieces in splits:
        reader = RequestReader(max_body_bytes=MAX_BODY_BYTES)
        with pytest.raises(HttpError) as caught:
            receive_all(reader, pieces)
        assert type(caught.value) is error
        assert reader.receive(GOOD + b"\r\n") == []
        with pytest.raises(RuntimeError):
            reader.next_request()


@settings(deadline=None)
@given(st.sampled_from([wire for wire, error in BROKEN if error]), CUTS)
def test_malformed_request_after_good_ones_has_the_same_error(wire: bytes, cuts: list[int]) -> None:
    """A good request before it does not change the error of a malformed one."""
    errors = set()
    for pieces in ([wire], pieces_of(GOOD + b"\r\n" + wire, cuts)):
        with pytest.raises(HttpError) as caught:
            read(pieces)
        errors.add(type(caught.value))
    assert len(errors) == 1


@pytest.mark.parametrize("over", [0, 1])
def test_head_limit_is_the_same_at_any_split(over: int) -> None:
    """A head of exactly the limit is accepted even byte by byte; one byte more is not."""
    lines = b"x: %b\r\n" % (b"y" * 10_000) * 2
    start = GOOD + lines + b"z: "
    wire = start + b"y" * (MAX_HEAD_BYTES - len(start) + over) + b"\r\n\r\n"
    for pieces in ([wire], [bytes((byte,)) for byte in wire], [wire[:-1], wire[-1:]]):
        if over:
            with pytest.raises(HeadTooLargeError):
                read(pieces)
        else:
            assert read(pieces)[0] == [["GET", 0, b"", True]]


def test_nothing_is_parsed_past_the_current_request() -> None:
    """Pipelined data is not parsed until the response before it is complete."""
    reader = RequestReader(max_body_bytes=MAX_BODY_BYTES)
    (event,) = reader.receive(GOOD + b"\r\n" + b"\0\n garbage")
    assert is_complete(event)
    assert reader.pipelined_bytes == len(b"\0\n garbage")
    assert reader.receive(b"!") == []
    assert reader.pipelined_bytes == len(b"\0\n garbage!")
    with pytest.raises(MalformedMessageError):
        reader.next_request()
    assert reader.pipelined_bytes == 0


@pytest.mark.parametrize(
    "body", [b"Content-Length: 9\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"]
)
def test_the_rest_of_a_body_is_never_a_head(body: bytes) -> None:
    """``next_request`` in the middle of a body raises, and changes nothing."""
    reader = RequestReader(max_body_bytes=MAX_BODY_BYTES)
    reader.receive(b"POST " + TARGET_AND_HOST + body)
    with pytest.raises(RuntimeError, match="body"):
        reader.next_request()
    assert reader.is_in_body
    assert reader.receive(b" done")[0] == b" done"


def test_remaining_length_of_an_incomplete_body() -> None:
    """The rest of a body with a length is known; that of a chunked body is not."""
    reader = RequestReader(max_body_bytes=MAX_BODY_BYTES)
    states = [reader.is_in_head]
    reader.receive(b"P")
    states.append(reader.is_in_head)
    assert states == [False, True]
    reader.receive(b"OST " + TARGET_AND_HOST + b"Content-Length: 10\r\n\r\nfour")
    assert (reader.is_in_head, reader.is_in_body, reader.remaining_body_bytes) == (False, True, 6)
    assert reader.receive(b"") == []
    assert reader.receive(b"sixsix") == [b"sixsix", End.OF_REQUEST]
    assert (reader.is_in_body, reader.remaining_body_bytes) == (False, 0)
    reader.next_request()
    reader.receive(CHUNKED)
    assert (reader.is_in_body, reader.remaining_body_bytes) == (True, None)


def test_head_received_byte_by_byte_is_scanned_once() -> None:
    """The scanned position is remembered, and reset after the head."""
    reader = RequestReader(max_body_bytes=MAX_BODY_BYTES)
    for _ in range(3):
        for byte in GOOD:
            assert reader.receive(bytes((byte,))) == []
        assert reader._checked_bytes == len(GOOD)
        assert len(reader.receive(b"\r\n")) == 2
        assert reader._checked_bytes == 0
        assert reader.next_request() == []


def test_chunked_body_is_parsed_a_slice_at_a_time() -> None:
    """The rest of a call is parsed by calls without new data, and only then the request ends."""
    reader, chunks = RequestReader(max_body_bytes=10**6), 2 * MAX_CHUNKS_PER_CALL + 1
    head = b"POST " + TARGET_AND_HOST + b"transfer-encoding: chunked\r\n\r\n"
    batches = [reader.receive(head + b"1\r\nx\r\n" * chunks + b"0\r\n\r\nGET ")]
    while reader.has_unparsed_chunks:
        batches.append(reader.receive(b""))
    sizes = [sum(len(event) for event in events if isinstance(event, bytes)) for events in batches]
    assert sizes == [MAX_CHUNKS_PER_CALL, MAX_CHUNKS_PER_CALL, 1]
    assert [End.OF_REQUEST in events for events in batches] == [False, False, True]
    assert reader.pipelined_bytes == 4


def test_refused_chunked_body_has_no_pending_data() -> None:
    """Nothing is left to parse on a connection that cannot continue."""
    reader = RequestReader(max_body_bytes=10)
    head = b"POST " + TARGET_AND_HOST + b"transfer-encoding: chunked\r\n\r\n"
    with pytest.raises(BodyTooLargeError):
        reader.receive(head + b"1\r\nx\r\n" * 20)
    assert not reader.has_unparsed_chunks
    assert reader.receive(b"1\r\n") == []
