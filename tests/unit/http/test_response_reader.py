"""A server's response: parsed the same for any split, and never taken as complete if it is not."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http import response_reader as module
from gglib.http.errors import MalformedMessageError
from gglib.http.response_reader import MAX_HEAD_BYTES, ResponseReader, parse_response_head

OK = b"HTTP/1.1 200 OK\r\n"
CUTS = st.lists(st.integers(0, 10**6), max_size=8)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the data split at these positions."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def read(pieces: list[bytes], *, is_ended: bool = False) -> tuple[bytes, ResponseReader]:
    """Return the body and its reader."""
    reader = ResponseReader()
    body = b"".join([reader.receive(piece) for piece in pieces])
    if is_ended:
        reader.receive_eof()
    return body, reader


def reference(wire: bytes) -> tuple[int, bytes]:
    """Return status and body of a complete valid response, by a minimal parser."""
    head, _, rest = wire.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if status < 200:
        return reference(rest)
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if status in {204, 304}:
        return status, b""
    if b"transfer-encoding" not in fields:
        return status, rest[: int(fields.get(b"content-length", len(rest)))]
    body = b""
    while (size := int(rest.partition(b"\r\n")[0].partition(b";")[0], 16)) > 0:
        rest = rest.partition(b"\r\n")[2]
        body, rest = body + rest[:size], rest[size + 2 :]
    return status, body


@st.composite
def valid_responses(draw: st.DrawFn) -> bytes:
    """Return a valid response."""
    interim = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 \r\nLink: a\r\n\r\n"])
    )
    status = draw(
        st.sampled_from([b"200 OK", b"200", b"404 Not Found", b"204 No Content", b"304 ", b"599 x"])
    )
    head = b"HTTP/1.%b %b\r\nServer: x\r\n" % (draw(st.sampled_from([b"0", b"1"])), status)
    chunks = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4))
    whole = b"".join(chunks)
    if status[:3] in {b"204", b"304"}:
        return interim + head + b"\r\n"
    match draw(st.sampled_from(["length", "chunks", "end"])):
        case "length":
            return interim + head + b"Content-Length: %d\r\n\r\n" % len(whole) + whole
        case "chunks":
            extension = draw(st.sampled_from([b"", b";a"]))
            framed = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
            trailer = draw(st.sampled_from([b"", b"X: y\r\n"]))
            return (
                interim + head + b"Transfer-Encoding: Chunked\r\n\r\n" + framed + b"0\r\n" + trailer + b"\r\n"
            )
        case _:
            return interim + head + b"\r\n" + whole


@given(valid_responses(), CUTS)
def test_any_split_gives_the_result_of_the_reference_parser(wire: bytes, cuts: list[int]) -> None:
    """Status, body and completeness are the same at once, split anywhere, and byte by byte."""
    for pieces in ([wire], pieces_of(wire, cuts), [bytes((byte,)) for byte in wire]):
        body, reader = read(pieces, is_ended=True)
        assert reader.head is not None
        assert (reader.head.status, body) == reference(wire)
        assert (reader.is_complete, reader.fault, reader.has_trailing_data) == (True, None, False)


@given(valid_responses(), st.integers(0, 10**6))
def test_truncated_response_is_never_complete(wire: bytes, cut: int) -> None:
    """Unless the connection's end delimits it, a part is not taken for the whole."""
    part = wire[: cut % len(wire)]
    body, reader = read([part], is_ended=True)
    has_head = reader.head is not None
    framed = (
        has_head and reader.head is not None and (reader.head.is_chunked or reader.content_length is not None)
    )
    if not has_head:
        assert not reader.is_complete
        assert reader.fault == "closed the connection before its response was complete"
    elif framed and reader.is_complete:
        assert body == reference(wire)[1]
    elif framed:
        assert reader.fault is not None


@given(valid_responses(), st.binary(min_size=1, max_size=5))
def test_data_after_a_response_is_surplus(wire: bytes, surplus: bytes) -> None:
    """Data beyond the response makes the connection unusable, whether received with it or after it."""
    _, reader = read([wire])
    if reader.is_complete:
        assert reader.receive(surplus) == b""
        body, at_once = read([wire + surplus])
        assert (reader.has_trailing_data, at_once.has_trailing_data, body) == (True, True, reference(wire)[1])


BROKEN = [
    b"SSH-2.0-x\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 600 x\r\n\r\n",
    b"HTTP/1.1 20 x\r\n\r\n",
    b"HTTP/1.1  200 x\r\n\r\n",
    OK + b"no field\r\n\r\n",
    OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    OK + b"Content-Length: x\r\n\r\n",
    OK + b"Content-Length: x\r\nContent-Length: 5\r\n\r\n",
    OK + b"Content-Length: -1\r\n\r\n",
    OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    OK + b"x: %b\r\n\r\n" % (b"y" * MAX_HEAD_BYTES),
]


@pytest.mark.parametrize("wire", BROKEN)
def test_malformed_response_is_a_fault_at_any_split(wire: bytes) -> None:
    """A fault is final, and the data before it is kept."""
    step = max(1, len(wire) // 60)
    for pieces in (
        [wire],
        [bytes((byte,)) for byte in wire],
        *([wire[:at], wire[at:]] for at in range(1, len(wire), step)),
    ):
        body, reader = read(pieces, is_ended=True)
        assert reader.fault == "sent a response that is not HTTP"
        assert not reader.is_complete
        assert body in {b"", b"a"}
        assert reader.receive(b"more") == b""


def test_chunks_before_a_fault_are_returned() -> None:
    """Data before a fault is returned."""
    body, reader = read([OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\nx\r\n"])
    assert (body, reader.fault) == (b"abcd", "sent a response that is not HTTP")


def test_single_chunks_are_returned_one_by_one() -> None:
    """Each read gives the content of its chunk, the first of its size as well as those that follow."""
    reader = ResponseReader()
    assert reader.receive(OK + b"Transfer-Encoding: chunked\r\n\r\n") == b""
    parts = [b"one", b"two", b"three", b"six"]
    assert [reader.receive(b"%x\r\n%b\r\n" % (len(part), part)) for part in parts] == parts
    assert not reader.is_complete
    assert reader.receive(b"0\r\n\r\n") == b""
    assert reader.is_complete


def test_head_at_its_limit_is_parsed_at_any_split() -> None:
    """The bytes that end a head do not count against its limit."""
    start = OK + b"x: "
    wire = start + b"y" * (MAX_HEAD_BYTES - len(start)) + b"\r\n\r\n"
    for pieces in ([wire], [wire[:-1], wire[-1:]]):
        assert read(pieces)[1].head is not None


def test_heads_that_differ_in_the_length_alone_share_a_cache_entry() -> None:
    """What follows from a head is computed once; the length belongs to each response and is no header of the entry."""
    first, length = parse_response_head(OK + b"Content-Length: 5\r\nX: y".rstrip())
    again, other = parse_response_head(OK + b"content-length:\t17 \r\nX: y")
    assert (again is first, length, other) == (True, 5, 17)
    assert first.headers == [(b"x", b"y")]
    assert parse_response_head(OK + b"X: y") == (first, None)


def test_heads_that_differ_in_the_request_id_share_a_cache_entry() -> None:
    """A gglib that responds to a gglib sends each response with its own id: it is not part of the cached head."""
    first, _ = parse_response_head(OK + b"x-request-id: one\r\nX: y\r\nContent-Length: 5")
    assert parse_response_head(OK + b"x-request-id:\ttwo\r\nX: y\r\nContent-Length: 7") == (first, 7)
    assert parse_response_head(OK + b"x-request-id: three\r\nX: y")[0] is first
    assert dict(first.headers) == {b"x-request-id": b"", b"x": b"y"}
    assert parse_response_head(OK + b"x-request-id: a b\r\nX: y")[0] is not first
    assert parse_response_head(OK + b"x-request-id: one\r\nX: z")[0] is not first


def test_cached_head_is_checked_against_its_length() -> None:
    """A cached chunked head is still refused when a length is added."""
    assert parse_response_head(OK + b"Transfer-Encoding: chunked")[0].is_chunked
    with pytest.raises(MalformedMessageError):
        parse_response_head(OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5")


def test_cache_of_heads_is_bounded() -> None:
    """An engine whose heads all differ replaces cache entries, and the cache does not grow."""
    for number in range(module._MAX_CACHED_HEADS + 10):
        parse_response_head(OK + b"x-n: %d" % number)
    assert 0 < len(module._head_cache) <= module._MAX_CACHED_HEADS


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nx: y", True),
        (b"HTTP/1.1 200 OK\r\nConnection: a, Close", False),
        (b"HTTP/1.0 200 OK\r\nx: y", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive", True),
    ],
)
def test_engine_keep_alive(head: bytes, *, keeps: bool) -> None:
    """As RFC 9112 section 9.3 has it."""
    assert parse_response_head(head)[0].may_keep_alive is keeps


def test_client_header_lines_are_formatted_once() -> None:
    """Lines for the client are without the engine's hop-by-hop headers; a stream is recognized."""
    head, _ = parse_response_head(OK + b"Content-Type: text/event-stream\r\nServer: x\r\nX-A: b")
    assert head.is_event_stream
    assert b"x-a: b\r\n" in head.relayed_header_lines
    assert b"server" not in head.relayed_header_lines


def test_endless_interim_responses_are_a_fault() -> None:
    """A few are skipped, very many are not."""
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    whole = OK + b"content-length: 2\r\n\r\n{}"
    assert read([interim * module._MAX_INTERIM_RESPONSES + whole])[0] == b"{}"
    body, reader = read([interim * (module._MAX_INTERIM_RESPONSES + 1) + whole])
    assert (body, reader.fault) == (b"", "sent a response that is not HTTP")


def test_very_many_chunks_in_one_read_are_reported() -> None:
    """Other tasks should run before the next read; a few chunks are not reported."""
    chunk, head = b"1\r\nx\r\n", OK + b"transfer-encoding: chunked\r\n\r\n"
    for count, is_many in ((module.YIELD_AFTER_CHUNKS - 1, False), (module.YIELD_AFTER_CHUNKS, True)):
        assert read([head + chunk * count])[1].should_yield is is_many
