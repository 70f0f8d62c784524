"""Parses chunked bodies (RFC 9112 section 7.1) strictly. Pure: bytes in, body bytes out."""

import re
import sys
from enum import Enum
from itertools import repeat

from gglib.http.errors import (
    BodyTooLargeError,
    HeadTooLargeError,
    MalformedMessageError,
    TooManyChunksError,
)
from gglib.http.request_head import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    parse_field,
)

MAX_SIZE_LINE_BYTES = 256
"""A chunk size of at most 16 digits, and a chunk extension, which is ignored."""

CHUNK_ALLOWANCE = 16_384
BYTES_PER_EXTRA_CHUNK = 64
"""A limited body may have ``CHUNK_ALLOWANCE`` chunks, plus one per ``BYTES_PER_EXTRA_CHUNK`` bytes of data. Each chunk
costs a microsecond, whatever its size. curl, Node, Go and Java send 4 to 64 KiB per chunk, Python's ``iterencode`` a
few bytes. 100 KB of such small chunks are accepted; a flood of one-byte chunks is refused after about 15 ms of work."""
MAX_CHUNKS_PER_CALL = 256
"""Chunks of a limited body that one ``receive`` parses, in half a millisecond. The next call parses the rest."""

_PLAIN_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_CRLF = b"\r\n"
_CR, _LF = _CRLF
_LAST_CHUNK = b"0\r\n\r\n"
_BULK_MIN_BYTES = 1024
"""A smaller read has one or two generated tokens, for which parsing chunk by chunk is as fast."""
_MAX_CACHED_SIZES = 4096

_size_cache: dict[bytes, int] = {}
"""Chunk sizes by their digits, except 0: the events of streams have a few hundred different sizes. Bounded."""
_size_line_cache: dict[int, bytes] = {}
"""Size lines including CR LF, by the length of the whole chunk. Lines with leading zeros, or with digits of either
case, may share a length: then the most recently parsed line is kept."""


class _State(Enum):
    SIZE = "size"
    DATA = "data"
    DATA_END = "data end"
    TRAILERS = "trailers"
    COMPLETE = "complete"


_SIZE, _DATA, _DATA_END = _State.SIZE, _State.DATA, _State.DATA_END
_TRAILERS, _COMPLETE = _State.TRAILERS, _State.COMPLETE


class ChunkedReader:
    """Parses one chunked body. After an error the connection is unusable."""

    __slots__ = (
        "_chunks",
        "_limit_bytes",
        "_max_chunks_per_call",
        "_remaining_bytes",
        "_remaining_limit_bytes",
        "_state",
        "_trailer_bytes",
        "_trailers",
        "_unparsed",
        "has_unparsed_chunks",
        "is_complete",
    )

    def __init__(self, *, limit_bytes: int | None = None) -> None:
        self._limit_bytes = limit_bytes or 0
        self._remaining_limit_bytes = limit_bytes
        """``limit_bytes`` less the chunk sizes announced so far; None is no limit."""
        self._max_chunks_per_call = sys.maxsize if limit_bytes is None else MAX_CHUNKS_PER_CALL
        self._chunks = 0
        self._state = _SIZE
        self._remaining_bytes = 0
        self._unparsed = b""
        self._trailers = 0
        self._trailer_bytes = 0
        self.is_complete = False
        """Whether the whole body, with its trailers, has been parsed."""
        self.has_unparsed_chunks = False
        """Whether buffered data is left to parse: ``receive`` must be called again, if only with b""."""

    @property
    def trailing_data(self) -> bytes:
        """Data after the end of the body, once it is complete."""
        return self._unparsed

    def receive_whole_chunk(self, data: bytes) -> bytes:
        """If ``data`` is exactly one chunk, return its content; otherwise consume nothing and return b"".

        Fast path for nearly every token of a slow stream. It handles only cached size lines and bodies
        without a limit; ``receive`` handles everything else.
        """
        size_line = _size_line_cache.get(len(data))
        if (
            size_line is None
            or not data.startswith(size_line)
            or data[-1] != _LF  # indexing costs a quarter of a method call
            or data[-2] != _CR
            or self._state is not _SIZE
            or self._unparsed
            or self._remaining_limit_bytes is not None
        ):
            return b""
        return data[len(size_line) : -2]

    def receive(self, data: bytes, parts: list[bytes]) -> None:
        """Parse received data and append the body bytes to ``parts``; see ``has_unparsed_chunks``.

        Raises ``HttpError``; the bytes before the fault are in ``parts``.
        """
        buffer = self._unparsed + data if self._unparsed else data
        position: int | None = 0
        if self._state is _SIZE and self._remaining_limit_bytes is None and len(buffer) >= _BULK_MIN_BYTES:
            position = _split_cached_chunks(buffer, parts)
            if position == len(buffer):
                self._unparsed = b""
                return
        parsed_end, max_parts = 0, len(parts) + self._max_chunks_per_call
        self.has_unparsed_chunks = False
        while position is not None and self._state is not _COMPLETE:
            parsed_end = (
                self._read_whole_chunks(buffer, position, parts, max_parts)
                if self._state is _SIZE
                else position
            )
            if parsed_end == len(buffer):
                break
            if len(parts) >= max_parts:
                self.has_unparsed_chunks = True
                break
            position = self._read_element(buffer, parsed_end, parts)
            parsed_end = parsed_end if position is None else position
        self._unparsed = buffer[parsed_end:]

    def _read_whole_chunks(self, buffer: bytes, position: int, parts: list[bytes], max_parts: int) -> int:
        """Parse complete chunks, and return the position after them."""
        match_size = _PLAIN_SIZE_LINE.match
        # repeat() saves a call of len() per chunk.
        for _ in repeat(None, max_parts - len(parts)):
            size_line = match_size(buffer, position)
            if size_line is None:
                break
            begin, digits = size_line.end(), size_line[1]
            end = begin + (_size_cache.get(digits) or _parse_size(digits))
            if end == begin or buffer[end : end + 2] != _CRLF:
                break
            if self._remaining_limit_bytes is not None:
                self._count_chunk(end - begin)
            parts.append(buffer[begin:end])
            position = end + 2
        return position

    def _read_element(self, buffer: bytes, position: int, parts: list[bytes]) -> int | None:
        """Parse a size line, data, a line end or a trailer; return the position after it, None if it is incomplete."""
        if self._state is _DATA:
            return self._read_data(buffer, position, parts)
        if self._state is _DATA_END:
            return self._read_data_end(buffer, position)
        end = buffer.find(_CRLF, position)
        # The CR of an incomplete line end is not counted, so that limits do not depend on how data is split.
        line = buffer[position:].removesuffix(b"\r") if end < 0 else buffer[position:end]
        if end < 0 and b"\n" in line:
            raise MalformedMessageError("Lines in a chunked body must end with CR LF.")
        if self._state is _SIZE:
            self._read_size(line, is_whole=end >= 0)
        else:
            self._read_trailer(line, is_whole=end >= 0)
        return None if end < 0 else end + len(_CRLF)

    def _read_size(self, line: bytes, *, is_whole: bool) -> None:
        if len(line) > MAX_SIZE_LINE_BYTES:
            raise MalformedMessageError("The size line of a chunk is too long.")
        if is_whole:
            match = _SIZE_LINE.fullmatch(line)
            if match is None:
                raise MalformedMessageError("A chunk must begin with its size in hexadecimal digits.")
            self._remaining_bytes = int(match[1], 16)
            self._count_chunk(self._remaining_bytes)
            self._state = _DATA if self._remaining_bytes else _TRAILERS

    def _count_chunk(self, size_bytes: int) -> None:
        if self._remaining_limit_bytes is None:
            return
        self._remaining_limit_bytes -= size_bytes
        if self._remaining_limit_bytes < 0:
            raise BodyTooLargeError(self._limit_bytes)
        self._chunks += 1
        announced_bytes = self._limit_bytes - self._remaining_limit_bytes
        if self._chunks > CHUNK_ALLOWANCE + announced_bytes // BYTES_PER_EXTRA_CHUNK:
            raise TooManyChunksError

    def _read_data(self, buffer: bytes, position: int, parts: list[bytes]) -> int:
        part = buffer[position : position + self._remaining_bytes]
        parts.append(part)
        self._remaining_bytes -= len(part)
        if not self._remaining_bytes:
            self._state = _DATA_END
        return position + len(part)

    def _read_data_end(self, buffer: bytes, position: int) -> int | None:
        seen = buffer[position : position + len(_CRLF)]
        if not _CRLF.startswith(seen):
            raise MalformedMessageError("A chunk is longer than its size.")
        if seen != _CRLF:
            return None
        self._state = _SIZE
        return position + len(_CRLF)

    def _read_trailer(self, line: bytes, *, is_whole: bool) -> None:
        is_too_much = self._trailer_bytes + len(line) > MAX_HEAD_BYTES or self._trailers > MAX_FIELDS
        if is_too_much or len(line) > MAX_LINE_BYTES:
            raise HeadTooLargeError("The trailers after the body are too large.")
        if is_whole and line:
            parse_field(line)
            self._trailers += 1
            self._trailer_bytes += len(line) + len(_CRLF)
        elif is_whole:
            self._state = _COMPLETE
            self.is_complete = True


def _split_cached_chunks(buffer: bytes, parts: list[bytes]) -> int:
    """Parse a buffer that consists of whole chunks of cached sizes, and return the position after them, or 0.

    Most reads of a stream are whole chunks of cached sizes without CR LF in their data. Then splitting at CR LF yields
    sizes and data alternately, and comparing all lengths at once takes half as long as parsing chunk by chunk.
    Otherwise the lengths do not match, and nothing is consumed.
    """
    end = len(buffer) - len(_LAST_CHUNK) if buffer.endswith(_LAST_CHUNK) else len(buffer)
    lines = buffer[:end].split(_CRLF)
    data = lines[1::2]
    if lines[-1] or list(map(len, data)) != list(map(_size_cache.get, lines[:-1:2])):
        return 0
    parts += data
    return end


def _parse_size(digits: bytes) -> int:
    size_bytes = int(digits, 16)
    if size_bytes:
        if len(_size_cache) >= _MAX_CACHED_SIZES:
            _size_cache.clear()
            _size_line_cache.clear()
        _size_cache[digits] = size_bytes
        size_line = digits + _CRLF
        _size_line_cache[len(size_line) + size_bytes + len(_CRLF)] = size_line
    return size_bytes
