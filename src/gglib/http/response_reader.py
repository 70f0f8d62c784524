"""Parses the response to one request. Pure: bytes in, body bytes out.

If a response is invalid or incomplete, ``receive`` returns the body bytes before the fault, and ``fault`` is set.
"""

import re
from dataclasses import dataclass
from enum import Enum

from gglib.http.chunked import ChunkedReader
from gglib.http.errors import HttpError, MalformedMessageError
from gglib.http.headers import (
    Headers,
    connection_options,
    filter_response_headers,
    is_event_stream,
)
from gglib.http.request_head import parse_field
from gglib.http.response_writer import encode_header_lines

MAX_HEAD_BYTES = 64 * 1024

_END_OF_HEAD = b"\r\n\r\n"
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_LENGTH_LINE = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*(?=\r\n|\Z)", re.IGNORECASE)
_REQUEST_ID_LINE = re.compile(rb"\r\nx-request-id:([ \t]*[!-~]+)(?=\r\n|\Z)", re.IGNORECASE)
_BODYLESS_STATUSES = frozenset((204, 304))
_MAX_CACHED_HEADS = 256
_MAX_INTERIM_RESPONSES = 16
"""Servers send one or two (100 and 103). More than this is a fault."""
YIELD_AFTER_CHUNKS = 2048
"""A read with this many chunks sets ``should_yield``: parsing them takes 1 to 2 ms."""

_NOT_HTTP = "sent a response that is not HTTP"


@dataclass(slots=True)
class ResponseHead:
    """A response head without its ``Content-Length``, and without the value of ``x-request-id``.

    Immutable by convention: equal heads share one object.
    """

    status: int
    headers: Headers
    """Names in lower case; without ``content-length``."""
    relayed_header_lines: bytes
    """The headers to relay to the client, as lines."""
    is_event_stream: bool
    is_chunked: bool
    may_keep_alive: bool


_head_cache: dict[bytes, ResponseHead] = {}
"""Parsed heads: those of one server differ only in their ``Content-Length`` and ``x-request-id``. Bounded."""


def parse_response_head(block: bytes) -> tuple[ResponseHead, int | None]:
    """Parse a head, and return it and its ``Content-Length``. Raises ``HttpError``.

    ``block`` does not include the final CR LF CR LF.
    """
    found = _LENGTH_LINE.search(block)
    key = block if found is None else block[: found.start()] + block[found.end() :]
    request_id = _REQUEST_ID_LINE.search(key)
    if request_id is not None:
        key = key[: request_id.start(1)] + key[request_id.end(1) :]
    head = _head_cache.get(key)
    if head is None:
        head = _parse_head(key)
        if len(_head_cache) >= _MAX_CACHED_HEADS:
            _head_cache.clear()
        _head_cache[key] = head
    if found is not None and head.is_chunked:
        raise MalformedMessageError("A response has 'Content-Length' or 'Transfer-Encoding', never both.")
    return head, None if found is None else int(found[1])


def _parse_head(block: bytes) -> ResponseHead:
    status_line, *lines = block.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(status_line)
    if match is None:
        raise MalformedMessageError("The status line is invalid.")
    headers = [parse_field(line) for line in lines]
    names = [name for name, _ in headers]
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if (
        codings not in ([], [b"chunked"]) or b"content-length" in names
    ):  # a second Content-Length, or an invalid one
        raise MalformedMessageError("The response framing is ambiguous.")
    options = list(connection_options(headers))
    return ResponseHead(
        status=int(match[2]),
        headers=headers,
        relayed_header_lines=encode_header_lines(filter_response_headers(headers)),
        is_event_stream=is_event_stream(headers),
        is_chunked=bool(codings),
        may_keep_alive=b"close" not in options and (match[1] == b"1" or b"keep-alive" in options),
    )


class _State(Enum):
    HEAD = "head"
    LENGTH = "length"
    CHUNKS = "chunks"
    UNTIL_EOF = "until EOF"
    COMPLETE = "complete"
    BROKEN = "broken"


_HEAD, _LENGTH, _CHUNKS, _UNTIL_EOF = _State.HEAD, _State.LENGTH, _State.CHUNKS, _State.UNTIL_EOF
_COMPLETE, _BROKEN = _State.COMPLETE, _State.BROKEN

_NO_CHUNKS = ChunkedReader()
"""Placeholder for responses without chunks; never used for parsing."""


class ResponseReader:
    """Parses one response, and interim responses before it."""

    __slots__ = (
        "_buffer",
        "_chunks",
        "_interim_responses",
        "_remaining_bytes",
        "_state",
        "content_length",
        "fault",
        "has_trailing_data",
        "head",
        "is_complete",
        "should_yield",
    )

    def __init__(self) -> None:
        self._state = _HEAD
        self._buffer = b""
        self._remaining_bytes = 0
        self._chunks = _NO_CHUNKS
        self._interim_responses = 0
        self.head: ResponseHead | None = None
        """None until received; interim responses (1xx) are skipped."""
        self.content_length: int | None = None
        """The ``Content-Length``; None if there is none."""
        self.fault: str | None = None
        """Why the response failed, as ``TransportError.reason``; None if it has not."""
        self.is_complete = False
        """Whether the whole response has been received."""
        self.has_trailing_data = False
        """Whether data was received beyond the response."""
        self.should_yield = False
        """Whether the last read had many chunks: other connections should run before the next read."""

    def receive(self, data: bytes) -> bytes:
        """Parse received data and return the body bytes in it."""
        if self._state is _HEAD:
            data = self._read_head(data)
        state = self._state
        if state is _CHUNKS:
            return self._chunks.receive_whole_chunk(data) or self._read_chunks(data)
        if state is _LENGTH:
            return self._read_length(data)
        if state is _UNTIL_EOF:
            return data
        if state is _COMPLETE and data:
            self.has_trailing_data = True
        return b""

    def receive_eof(self) -> None:
        """Handle EOF: it completes a body that has neither a length nor chunks; otherwise it is a fault."""
        if self._state is _UNTIL_EOF:
            self._complete()
        elif self._state is not _COMPLETE:
            self._fail("closed the connection before its response was complete")

    def _read_head(self, data: bytes) -> bytes:
        """Parse the head, and return the data after it."""
        self._buffer = buffer = self._buffer + data if self._buffer else data
        while 0 <= (end := buffer.find(_END_OF_HEAD)) <= MAX_HEAD_BYTES:
            try:
                head, length = parse_response_head(buffer[:end])
            except HttpError:
                self._fail(_NOT_HTTP)
                return b""
            buffer = buffer[end + len(_END_OF_HEAD) :]
            if head.status >= 200:
                self._buffer = b""
                self._begin_body(head, length)
                return buffer
            self._interim_responses += 1
            if self._interim_responses > _MAX_INTERIM_RESPONSES:
                self._fail(_NOT_HTTP)
                return b""
        self._buffer = buffer
        if len(buffer) >= MAX_HEAD_BYTES + len(_END_OF_HEAD) or not b"HTTP/1.".startswith(buffer[:7]):
            self._fail(_NOT_HTTP)
        return b""

    def _begin_body(self, head: ResponseHead, length: int | None) -> None:
        self.head, self.content_length = head, length
        if head.status in _BODYLESS_STATUSES or length == 0:
            self._complete()
        elif head.is_chunked:
            self._state, self._chunks = _CHUNKS, ChunkedReader()
        elif length is None:
            self._state = _UNTIL_EOF
        else:
            self._state, self._remaining_bytes = _LENGTH, length

    def _read_length(self, data: bytes) -> bytes:
        left_bytes = self._remaining_bytes - len(data)
        self._remaining_bytes = left_bytes
        if left_bytes <= 0:
            self._complete()
            if left_bytes < 0:
                self.has_trailing_data = True
                return data[:left_bytes]
        return data

    def _read_chunks(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        try:
            self._chunks.receive(data, parts)
        except HttpError:
            self._fail(_NOT_HTTP)
        else:
            self.should_yield = len(parts) >= YIELD_AFTER_CHUNKS
            if self._chunks.is_complete:
                self._complete()
                self.has_trailing_data = bool(self._chunks.trailing_data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _complete(self) -> None:
        self._state, self.is_complete = _COMPLETE, True

    def _fail(self, why: str) -> None:
        if self.fault is None:
            self._state, self.fault, self._buffer = _BROKEN, why, b""
