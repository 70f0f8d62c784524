"""Chunked bodies: valid and malformed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http import chunked
from gglib.http.chunked import MAX_SIZE_LINE_BYTES, ChunkedReader
from gglib.http.errors import (
    BodyTooLargeError,
    HeadTooLargeError,
    HttpError,
    MalformedMessageError,
    TooManyChunksError,
)
from gglib.http.request_head import MAX_FIELDS, MAX_LINE_BYTES


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the data split at these positions."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def read(pieces: list[bytes], *, limit_bytes: int | None = None) -> tuple[bytes, bool, bytes]:
    """Return the body, whether it is complete, and the data after it."""
    body, parts = ChunkedReader(limit_bytes=limit_bytes), list[bytes]()
    for number, piece in enumerate(pieces):
        body.receive(piece, parts)
        if body.is_complete:
            return b"".join(parts), True, body.trailing_data + b"".join(pieces[number + 1 :])
    return b"".join(parts), False, b""


END = b"0\r\n\r\n"
CUTS = st.lists(st.integers(0, 10**6), max_size=8)
EXTENSIONS = st.sampled_from([b"", b";", b";a=b", b'; a="\xff\t"', b";" + b"x" * 200])
SIZES = st.sampled_from([b"%x", b"%X", b"000%x", b"%016x"])
CHUNKS = st.tuples(st.binary(min_size=1, max_size=40), SIZES, EXTENSIONS)
TRAILERS = st.lists(st.sampled_from([b"X-A: b", b"content-length: 5", b"host: other"]), max_size=3)


@given(
    st.lists(CHUNKS, max_size=8),
    st.sampled_from([b"0", b"0000", b"0;x=y"]),
    TRAILERS,
    CUTS,
    st.binary(max_size=9),
)
def test_any_split_of_any_body_gives_the_same(
    chunks: list[tuple[bytes, bytes, bytes]],
    last: bytes,
    trailers: list[bytes],
    cuts: list[int],
    after: bytes,
) -> None:
    """Extensions and trailers are skipped; data after the end is kept apart, at any split."""
    wire = b"".join(b"%b%b\r\n%b\r\n" % (size % len(data), ext, data) for data, size, ext in chunks)
    wire += last + b"\r\n" + b"".join(line + b"\r\n" for line in trailers) + b"\r\n"
    body = b"".join(data for data, _, _ in chunks)
    for pieces in (pieces_of(wire + after, cuts), [bytes((byte,)) for byte in wire + after]):
        assert read(pieces) == (body, True, after)
        assert read(pieces, limit_bytes=len(body)) == (body, True, after)


BROKEN = [
    (b"\r\n", MalformedMessageError),
    (b"x\r\n", MalformedMessageError),
    (b"-1\r\n", MalformedMessageError),
    (b"0x5\r\n", MalformedMessageError),
    (b" 5\r\n", MalformedMessageError),
    (b"5 \r\n", MalformedMessageError),
    (b"5 ;a\r\n", MalformedMessageError),
    (b"00000000000000005\r\n", MalformedMessageError),
    (b"5\nhello\n", MalformedMessageError),
    (b"5\rhello\r\n", MalformedMessageError),
    (b"5;a\0b\r\n", MalformedMessageError),
    (b"5;a\nb\r\n", MalformedMessageError),
    (b"5;" + b"a" * (MAX_SIZE_LINE_BYTES - 1) + b"\r\n", MalformedMessageError),
    (b"5\r\nhello!\r\n", MalformedMessageError),
    (b"5\r\nhello\n\r\n", MalformedMessageError),
    (b"5\r\nhello\rX", MalformedMessageError),
    (b"6\r\nhello\r\n0\r\n\r\n", MalformedMessageError),
    (b"0\r\nno field\r\n\r\n", MalformedMessageError),
    (b"0\r\nx: y\n\r\n", MalformedMessageError),
    (b"0\r\n x: folded\r\n\r\n", MalformedMessageError),
    (b"0\r\nx: " + b"y" * MAX_LINE_BYTES + b"\r\n\r\n", HeadTooLargeError),
    (b"0\r\n" + (b"x: " + b"y" * 16_000 + b"\r\n") * 3 + b"\r\n", HeadTooLargeError),
    (b"0\r\n" + b"x: y\r\n" * (MAX_FIELDS + 1) + b"\r\n", HeadTooLargeError),
    (b"B\r\nhello world\r\n0\r\n\r\n", BodyTooLargeError),
    (b"a\r\nhello worl\r\n1\r\nd\r\n0\r\n\r\n", BodyTooLargeError),
    (b"ffffffffffffffff\r\n", BodyTooLargeError),
]


@pytest.mark.parametrize(("wire", "error"), BROKEN)
def test_malformed_bodies_are_refused_at_any_split(wire: bytes, error: type[HttpError]) -> None:
    """The error is the same at once, byte by byte, or in any two parts of a short one."""
    splits = [[wire], [bytes((byte,)) for byte in wire]]
    splits += [[wire[:at], wire[at:]] for at in range(1, min(len(wire), 300))]
    for pieces in splits:
        with pytest.raises(HttpError) as caught:
            read(pieces, limit_bytes=10)
        assert type(caught.value) is error


@pytest.mark.parametrize(
    "wire",
    [
        b"5;" + b"a" * (MAX_SIZE_LINE_BYTES - 2) + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nx: " + b"y" * (MAX_LINE_BYTES - 3) + b"\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"x: y\r\n" * MAX_FIELDS + b"\r\n",
    ],
)
def test_limits_hold_at_any_split(wire: bytes) -> None:
    """A line at its limit is accepted; the CR of its end, received alone, does not count against it."""
    for pieces in ([wire], [bytes((byte,)) for byte in wire]):
        assert read(pieces) == (b"hello", True, b"")


def test_data_before_a_fault_is_returned() -> None:
    """Complete chunks are in the parts although the next one is malformed."""
    parts: list[bytes] = []
    with pytest.raises(MalformedMessageError):
        ChunkedReader().receive(b"2\r\nab\r\nx\r\n", parts)
    assert parts == [b"ab"]


def test_announced_chunk_size_counts_before_its_data() -> None:
    """A body that will be too large is refused by its chunk size, before the data is received."""
    with pytest.raises(BodyTooLargeError, match="larger than 10 bytes"):
        ChunkedReader(limit_bytes=10).receive(b"b\r\n", [])


def test_without_a_limit_any_size_may_be_announced() -> None:
    """A response may have any length."""
    body, parts = ChunkedReader(), list[bytes]()
    body.receive(b"fffffffffffffff\r\nabc", parts)
    assert (parts, body.is_complete) == ([b"abc"], False)


LINES = st.lists(
    st.sampled_from([b"data", b"5", b"0", b"\r\n", b"\r", b"\n", b"1", b"xx"]), min_size=1, max_size=6
)


@given(st.lists(LINES, min_size=1, max_size=6), st.booleans(), CUTS)
def test_chunks_of_cached_sizes_are_parsed_the_same(
    chunks: list[list[bytes]],
    has_end: bool,  # noqa: FBT001 - a strategy's
    cuts: list[int],
) -> None:
    """Data that looks like a size or a line end: a second parse of the same bytes gives the same result."""
    data = [b"".join(chunk) for chunk in chunks]
    wire = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in data) + b"0\r\n\r\n" * has_end
    chunked._size_cache.clear()
    walked = read([bytes((byte,)) for byte in wire])
    assert walked == (b"".join(data), has_end, b"")
    chunked._size_cache.update({b"%x" % size: size for size in range(1, 40)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked, "_BULK_MIN_BYTES", 0)
        assert read([wire]) == read(pieces_of(wire, cuts)) == walked


@given(
    st.lists(st.sampled_from([b"0", b"1", b"2", b"4", b"7", b"\r\n", b"ab", b";", b"\n", b"x"]), max_size=14),
    CUTS,
)
def test_malformed_chunks_are_refused_with_cached_sizes_too(pieces: list[bytes], cuts: list[int]) -> None:
    """Any mixture of sizes, data and line ends has the same result as byte by byte."""
    wire = b"".join(pieces)

    def outcome(parts: list[bytes]) -> object:
        body, taken = ChunkedReader(), list[bytes]()
        try:
            for part in parts:
                if not body.is_complete:
                    body.receive(part, taken)
        except HttpError as error:
            return b"".join(taken), type(error)
        return b"".join(taken), body.is_complete

    chunked._size_cache.clear()
    walked = outcome([bytes((byte,)) for byte in wire])
    chunked._size_cache.update({b"%x" % size: size for size in range(1, 40)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked, "_BULK_MIN_BYTES", 0)
        assert outcome([wire]) == outcome(pieces_of(wire, cuts)) == walked


@given(
    st.lists(
        st.one_of(
            st.sampled_from([b"0", b"1", b"2", b"4", b"7", b"\r\n", b"ab", b"\n", b"x", b"02"]),
            st.sampled_from(
                [b"2\r\nab\r\n", b"02\r\nab\r\n", b"3\r\n2\r\n\r\n", b"c\r\n1\r\nx\r\n1\r\ny\r\n\r\n"]
            ),
        ),
        max_size=10,
    ),
    st.sampled_from([None, 0, 3, 100]),
    st.permutations([b"02", b"3"]),  # of these, whose chunks are of one length, the last one is known
)
def test_single_chunk_is_parsed_the_same(
    pieces: list[bytes], limit_bytes: int | None, seen_last: list[bytes]
) -> None:
    """Any input in one read, at any position, has the same result as byte by byte."""

    def outcome(reads: list[bytes], *, is_alone: bool) -> object:
        body, taken = ChunkedReader(limit_bytes=limit_bytes), list[bytes]()
        try:
            for data in reads:
                if body.is_complete:
                    break
                if is_alone and (part := body.receive_whole_chunk(data)):
                    taken.append(part)
                else:
                    body.receive(data, taken)
        except HttpError as error:
            return b"".join(taken), type(error)
        return b"".join(taken), body.is_complete

    for size in (b"1", b"2", b"4", b"7", b"c", *seen_last):
        chunked._parse_size(size)
    walked = outcome([bytes((byte,)) for byte in b"".join(pieces)], is_alone=False)
    assert outcome(pieces, is_alone=True) == walked


def test_single_chunk_of_a_cached_size_is_parsed_at_once() -> None:
    """A whole chunk of a cached size takes the fast path; any other input is left to the ordinary parser."""
    chunk = b"a\r\ndata: x\r\n\n\r\n"
    body, parts = ChunkedReader(), list[bytes]()
    body.receive(chunk, parts)
    assert body.receive_whole_chunk(chunk) == body.receive_whole_chunk(chunk) == parts[0] == b"data: x\r\n\n"
    for other in (
        b"",
        END,
        chunk[:-1],
        chunk + b"\r",
        chunk * 2,
        chunk + END,
        chunk[:-1] + b"x",
        b"A" + chunk[1:],
        b"0" + chunk,
    ):
        assert body.receive_whole_chunk(other) == b""
    body.receive(chunk[:3], parts)
    assert body.receive_whole_chunk(chunk) == b""
    body.receive(chunk[3:] + END, parts)
    assert (parts, body.is_complete) == ([b"data: x\r\n\n"] * 2, True)


def test_data_that_looks_like_chunks_is_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read may begin in the middle of a chunk: its first bytes are data, whatever they look like."""
    monkeypatch.setattr(chunked, "_BULK_MIN_BYTES", 0)
    chunked._size_cache.update({b"1": 1, b"c": 12})
    assert read([b"c\r\n", b"1\r\nx\r\n1\r\ny\r\n", b"\r\n0\r\n\r\n"]) == (b"1\r\nx\r\n1\r\ny\r\n", True, b"")


def test_cache_of_sizes_is_bounded() -> None:
    """A stream whose chunks all have different sizes is parsed, and the cache does not grow."""
    chunked._size_cache.clear()
    body, parts = ChunkedReader(), list[bytes]()
    for size in range(1, 5000):
        body.receive(b"%x\r\n%b\r\n" % (size, b"x" * size), parts)
    assert len(parts) == 4999
    assert len(chunked._size_cache) <= 4096
    assert len(chunked._size_line_cache) <= 4096


def test_the_end_is_never_taken_for_a_chunk() -> None:
    """Data after the end of a body is no part of the body, however often such an end was parsed before."""
    wire = b"400\r\n%b\r\n0\r\n\r\n0\r\n\r\n" % (b"x" * 1024)
    for _ in range(3):
        assert read([wire]) == (b"x" * 1024, True, b"0\r\n\r\n")


def test_cached_sizes_count_against_the_limit() -> None:
    """A body that is too large is refused, also when it arrives at once in chunks of cached sizes."""
    wire = b"400\r\n%b\r\n" % (b"x" * 1024) * 3
    assert read([wire]) == (b"x" * 3072, False, b"")
    with pytest.raises(BodyTooLargeError):
        read([wire], limit_bytes=3071)


def read_on(body: ChunkedReader, data: bytes) -> tuple[bytes, list[int]]:
    """Return the body of the given data, and how many chunks each call has parsed."""
    parts, counts = list[bytes](), list[int]()
    while data or body.has_unparsed_chunks:
        before = len(parts)
        body.receive(data, parts)
        counts.append(len(parts) - before)
        data = b""
    return b"".join(parts), counts


def test_a_limited_body_is_parsed_a_slice_at_a_time() -> None:
    """One call parses ``MAX_CHUNKS_PER_CALL`` chunks; the rest is left to the next call, which needs no new data."""
    wire = b"1\r\nx\r\n" * (2 * chunked.MAX_CHUNKS_PER_CALL + 7) + END + b"after"
    body = ChunkedReader(limit_bytes=10**6)
    read_bytes, counts = read_on(body, wire)
    assert read_bytes == b"x" * (2 * chunked.MAX_CHUNKS_PER_CALL + 7)
    assert counts == [chunked.MAX_CHUNKS_PER_CALL, chunked.MAX_CHUNKS_PER_CALL, 7]
    assert (body.is_complete, body.has_unparsed_chunks, body.trailing_data) == (True, False, b"after")


@pytest.mark.parametrize("extension", [b"", b";x=y"], ids=["plain", "with extensions"])
def test_very_many_small_chunks_are_refused(extension: bytes) -> None:
    """``CHUNK_ALLOWANCE`` chunks are accepted, the next one is not, at any split."""
    wire = b"1%b\r\nx\r\n" % extension * chunked.CHUNK_ALLOWANCE
    for step in (len(wire), 1000):
        body, parts = ChunkedReader(limit_bytes=10**6), list[bytes]()
        for start in range(0, len(wire), step):
            body.receive(wire[start : start + step], parts)
            while body.has_unparsed_chunks:
                body.receive(b"", parts)
        extra = chunked.CHUNK_ALLOWANCE // chunked.BYTES_PER_EXTRA_CHUNK  # what the data itself allows
        for _ in range(extra + extra // chunked.BYTES_PER_EXTRA_CHUNK):
            body.receive(b"1\r\nx\r\n", parts)
        with pytest.raises(TooManyChunksError, match="1 KiB"):
            body.receive(b"1\r\nx\r\n" * 10, parts)


@pytest.mark.parametrize("size_bytes", [chunked.BYTES_PER_EXTRA_CHUNK, 4096, 65536])
def test_usual_chunks_are_never_too_many(size_bytes: int) -> None:
    """From ``BYTES_PER_EXTRA_CHUNK`` bytes on only the body's own limit counts."""
    count = 3 * chunked.CHUNK_ALLOWANCE if size_bytes < 4096 else 300
    body, parts = ChunkedReader(limit_bytes=count * size_bytes), list[bytes]()
    chunk = b"%x\r\n%b\r\n" % (size_bytes, bytes(size_bytes))
    for _ in range(count):
        body.receive(chunk, parts)
        parts.clear()
    body.receive(END, parts)
    assert body.is_complete


def test_a_body_without_a_limit_may_have_any_number_of_chunks() -> None:
    """An engine sends each token in a chunk."""
    body = ChunkedReader()
    read_bytes, counts = read_on(body, b"1\r\n\n\r\n" * (chunked.CHUNK_ALLOWANCE + 9) + END)
    assert len(read_bytes) == chunked.CHUNK_ALLOWANCE + 9
    assert counts == [chunked.CHUNK_ALLOWANCE + 9]
