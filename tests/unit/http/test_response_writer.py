"""The framing of a response: a client can always find its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.response_reader import ResponseReader
from gglib.http.response_writer import CONTINUE, ResponseWriter, encode_header_lines


def write(
    parts: list[bytes],
    *,
    method: str = "GET",
    minor_version: int = 1,
    status: int = 200,
    length: int | None = None,
    may_keep_alive: bool = True,
    send_keep_alive: bool = False,
) -> tuple[bytes, ResponseWriter]:
    """Return a framed response, and its writer."""
    writer = ResponseWriter(method=method, minor_version=minor_version)
    head = writer.head(
        status,
        b"x: y\r\n",
        length=length,
        date_line=b"date: today\r\n",
        may_keep_alive=may_keep_alive,
        send_keep_alive=send_keep_alive,
    )
    return head + b"".join([writer.part(part) for part in parts]) + writer.end(), writer


@given(
    parts=st.lists(st.binary(max_size=30), max_size=5),
    minor_version=st.sampled_from([0, 1]),
    status=st.sampled_from([200, 204, 304, 404, 499, 599]),
    has_length=st.booleans(),
)
def test_written_response_is_read_back(
    parts: list[bytes], minor_version: int, status: int, *, has_length: bool
) -> None:
    """A reader without other information gets the body and its end; statuses without a body have none."""
    body = b"".join(parts)
    wire, writer = write(
        parts, minor_version=minor_version, status=status, length=len(body) if has_length else None
    )
    reader = ResponseReader()
    read = reader.receive(wire)
    if not writer.may_keep_alive:
        reader.receive_eof()
    assert read == (b"" if status in {204, 304} else body)
    assert (reader.is_complete, reader.has_trailing_data, reader.fault) == (True, False, None)
    assert reader.head is not None
    assert reader.head.status == status
    assert reader.head.may_keep_alive is writer.may_keep_alive


def test_order_of_the_head() -> None:
    """Status line, date, the response's own lines, and last the framing."""
    assert write([b"abc"], length=3)[0].split(b"\r\n") == [
        *(b"HTTP/1.1 200 OK", b"date: today", b"x: y", b"content-length: 3", b"", b"abc")
    ]
    assert write([b"abc"])[0].endswith(b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert write([], status=599)[0].startswith(b"HTTP/1.1 599 \r\n")


@pytest.mark.parametrize(
    ("minor_version", "length", "may", "says", "line"),
    [
        (1, 1, True, False, b""),
        (1, 1, True, True, b"connection: keep-alive\r\n"),
        (1, 1, False, True, b"connection: close\r\n"),
        (0, 1, True, False, b"connection: keep-alive\r\n"),
        (0, 1, False, False, b"connection: close\r\n"),
        (0, None, True, True, b"connection: close\r\n"),
    ],
)
def test_connection_header(
    minor_version: int, length: int | None, line: bytes, *, may: bool, says: bool
) -> None:
    """HTTP/1.0 gets an explicit header; without a length its body ends with the connection."""
    wire, writer = write(
        [b"a"], minor_version=minor_version, length=length, may_keep_alive=may, send_keep_alive=says
    )
    head = wire.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert (b"connection" in head) == bool(line)
    assert line in head
    assert writer.may_keep_alive is (may and length is not None)


@pytest.mark.parametrize(
    ("length", "framing"), [(3, b"content-length: 3"), (None, b"transfer-encoding: chunked")]
)
def test_head_request_gets_the_head_alone(length: int | None, framing: bytes) -> None:
    """HEAD gets the head of GET, and no body, whether parts are written or not."""
    for parts in ([b"abc"], []):
        wire, _ = write(parts, method="HEAD", length=length)
        assert wire.endswith(framing + b"\r\n\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_exceeding_the_length_raises(method: str) -> None:
    """The announced length is not exceeded: the rest would be parsed as the next response."""
    with pytest.raises(RuntimeError, match="longer"):
        write([b"ab", b"cd"], method=method, length=3)


def test_falling_short_of_the_length_raises() -> None:
    """The announced length has to be written."""
    with pytest.raises(RuntimeError, match="shorter"):
        write([b"ab"], length=3)


def test_empty_part_writes_nothing() -> None:
    """An empty chunk would end the body."""
    assert write([b"", b"a", b""])[0].endswith(b"\r\n\r\n1\r\na\r\n0\r\n\r\n")


def test_lines_and_interim_response() -> None:
    """Headers are lines; ``100 Continue`` is a head without any."""
    assert encode_header_lines([(b"a", b"b"), (b"c", b"")]) == b"a: b\r\nc: \r\n"
    assert encode_header_lines([]) == b""
    reader = ResponseReader()
    assert reader.receive(CONTINUE) == b""
    assert (reader.head, reader.fault) == (None, None)
