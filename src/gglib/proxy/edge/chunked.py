"""A body in chunks (RFC 9112 section 7.1), read strictly. Pure: bytes in, the body's bytes out."""

import re
from enum import Enum

from gglib.proxy.edge.errors import HeadTooLargeError, MalformedRequestError
from gglib.proxy.edge.head import MAX_FIELDS, MAX_HEAD_BYTES, MAX_LINE_BYTES, parse_field

MAX_SIZE_LINE_BYTES = 256
"""A size is at most 16 digits; the rest of the line is an extension, which nobody uses and everybody has to skip."""

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[^\x00-\x08\x0a-\x1f\x7f]*+)?")
_CRLF = b"\r\n"


class _State(Enum):
    SIZE = "size"
    DATA = "data"
    DATA_END = "data end"
    TRAILERS = "trailers"
    OVER = "over"


class ChunkedBody:
    """Reads one chunked body. What it raises is the end of the connection."""

    __slots__ = ("_left_bytes", "_rest", "_state", "_trailer_bytes", "_trailers")

    def __init__(self) -> None:
        self._state = _State.SIZE
        self._left_bytes = 0
        self._rest = b""
        self._trailers = 0
        self._trailer_bytes = 0

    @property
    def is_over(self) -> bool:
        """Whether the whole body, with its trailers, has come."""
        return self._state is _State.OVER

    @property
    def rest(self) -> bytes:
        """What came after the end of the body, once it is over."""
        return self._rest

    def receive(self, data: bytes) -> bytes:
        """Take in what came and return what there is of the body in it. Raises ``EdgeError``."""
        buffer = self._rest + data if self._rest else data
        parts: list[bytes] = []
        position = 0
        while self._state is not _State.OVER:
            if self._state is _State.DATA:
                part = buffer[position : position + self._left_bytes]
                parts.append(part)
                position += len(part)
                self._left_bytes -= len(part)
                if self._left_bytes:
                    break
                self._state = _State.DATA_END
                continue
            end = self._step(buffer, position)
            if end is None:
                break
            position = end
        self._rest = buffer[position:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _step(self, buffer: bytes, position: int) -> int | None:
        """Read one line and return where it ends; None where it has not come."""
        if self._state is _State.DATA_END:
            return self._end_of_data(buffer, position)
        end = buffer.find(_CRLF, position)
        line = buffer[position:] if end < 0 else buffer[position:end]
        if self._state is _State.SIZE:
            if len(line) > MAX_SIZE_LINE_BYTES:
                raise MalformedRequestError("The line with a chunk's size is too long.")
            if end >= 0:
                self._begin_chunk(line)
        else:
            self._check_trailer_size(line)
            if end >= 0:
                self._end_trailer(line)
        if end < 0:
            if b"\n" in line:
                raise MalformedRequestError("Lines in a chunked body must end with CR LF.")
            return None
        return end + len(_CRLF)

    def _begin_chunk(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise MalformedRequestError("A chunk must begin with its size in hexadecimal digits.")
        self._left_bytes = int(match[1], 16)
        self._state = _State.DATA if self._left_bytes else _State.TRAILERS

    def _end_of_data(self, buffer: bytes, position: int) -> int | None:
        seen = buffer[position : position + len(_CRLF)]
        if not _CRLF.startswith(seen):
            raise MalformedRequestError("A chunk is not as long as it says.")
        if seen != _CRLF:
            return None
        self._state = _State.SIZE
        return position + len(_CRLF)

    def _check_trailer_size(self, line: bytes) -> None:
        is_too_much = self._trailer_bytes + len(line) > MAX_HEAD_BYTES or self._trailers > MAX_FIELDS
        if is_too_much or len(line) > MAX_LINE_BYTES:
            raise HeadTooLargeError("The trailers after the body are too large.")

    def _end_trailer(self, line: bytes) -> None:
        if not line:
            self._state = _State.OVER
            return
        parse_field(line)
        self._trailers += 1
        self._trailer_bytes += len(line) + len(_CRLF)
