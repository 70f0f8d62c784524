"""Parses the requests of one connection. Pure: bytes in, events out.

Theory of operation. ``receive`` takes received data and returns events: a head, parts of the body, the end of the
request. Then the reader is paused: it only buffers data until ``next_request`` is called after the response, so that
pipelined requests are served in order. After an error the reader ignores all data.
"""

import re
from enum import Enum
from typing import NamedTuple

from gglib.http.chunked import ChunkedReader
from gglib.http.errors import HttpError, MalformedMessageError
from gglib.http.request_head import (
    MAX_HEAD_BYTES,
    MAX_REQUEST_LINE_BYTES,
    HeadParser,
    RequestHead,
    check_partial_head,
)

_END_OF_HEAD = b"\r\n\r\n"
_CRLF = b"\r\n"
_PATH = re.compile(rb"(?:\r\n)*[A-Z]{1,20} (?:https?://[^/?# \r\n]*)?(/[!-\"$->@-~]*)")
"""The path in a request line, for ``path_hint``: up to a question mark or a number sign."""
_MAX_EMPTY_LINES = 8
"""Some old clients send an empty line after a body (RFC 9112 section 2.2)."""


class End(Enum):
    """The event that ends a request. A one-member enum, so that type checkers can narrow ``Event``."""

    OF_REQUEST = "end of request"


class NewRequest(NamedTuple):
    """The event that begins a request."""

    head: RequestHead
    content_length: int | None
    """The body length in bytes: 0 without a body, None for a chunked body."""
    body: bytes | None = None
    """The whole body, if it was received with the head: then no event follows for this request. None otherwise."""
    request_id: str | None = None
    """The client's ``x-request-id``; None if there is none, or if it is invalid."""


Event = NewRequest | bytes | End


class _State(Enum):
    HEAD = "head"
    BODY = "body"
    CHUNKED_BODY = "chunked body"
    PAUSED = "paused"
    BROKEN = "broken"


# Module-level names: accessing a member through its enum class takes as long as a call (CPython 3.11).
_HEAD, _BODY, _CHUNKED_BODY = _State.HEAD, _State.BODY, _State.CHUNKED_BODY
_PAUSED, _BROKEN = _State.PAUSED, _State.BROKEN


class RequestReader:
    """Parses the requests of one connection."""

    __slots__ = (
        "_buffer",
        "_checked_bytes",
        "_chunks",
        "_empty_lines",
        "_head_parser",
        "_rejected_start",
        "_remaining_bytes",
        "_state",
        "max_body_bytes",
    )

    def __init__(self, *, max_body_bytes: int) -> None:
        self.max_body_bytes = max_body_bytes
        """The limit of chunked bodies; a replacement applies to the next body."""
        self._state = _HEAD
        self._head_parser = HeadParser()
        self._buffer = b""
        self._checked_bytes = 0
        """How many bytes of the partial head in the buffer have been checked."""
        self._remaining_bytes = 0
        self._chunks = ChunkedReader()
        self._empty_lines = 0
        self._rejected_start = b""
        """The beginning of the data that was refused, for ``path_hint``."""

    @property
    def is_in_head(self) -> bool:
        """Whether a head has been received in part."""
        return self._state is _HEAD and bool(self._buffer)

    @property
    def is_in_body(self) -> bool:
        """Whether a body has been received in part."""
        return self._state is _BODY or self._state is _CHUNKED_BODY

    @property
    def has_unparsed_chunks(self) -> bool:
        """Whether buffered data is left to parse: ``receive`` must be called again, if only with b"".

        One call parses a bounded number of chunks.
        """
        return self._state is _CHUNKED_BODY and self._chunks.has_unparsed_chunks

    @property
    def remaining_body_bytes(self) -> int | None:
        """How many bytes of the body have not been received; None if the body is chunked."""
        return None if self._state is _CHUNKED_BODY else self._remaining_bytes

    @property
    def pipelined_bytes(self) -> int:
        """Bytes received beyond the request that is being served."""
        return len(self._buffer) if self._state is _PAUSED else 0

    def receive(self, data: bytes) -> list[Event]:
        """Parse received data. Raises ``HttpError``; after that, no request can follow."""
        events: list[Event] = []
        try:
            if (
                self._state is _HEAD
                and not self._buffer
                and (whole := self._read_complete_request(data)) is not None
            ):
                return [whole]
            if self._state is _BODY and not self._buffer:
                self._read_body(data, events)
            elif self._state is not _BROKEN:
                self._buffer = self._buffer + data if self._buffer else data
                self._parse_buffer(events)
        except HttpError:
            self._rejected_start = (self._buffer or data)[:MAX_REQUEST_LINE_BYTES]
            self._state, self._buffer = _BROKEN, b""
            raise
        return events

    @property
    def path_hint(self) -> str:
        """The path of a request that was refused before its head was parsed; empty if unknown.

        It is unchecked: use it only to choose the format of the error response.
        """
        match = _PATH.match(self._buffer if self._state is _HEAD else self._rejected_start)
        return match[1].decode() if match else ""

    def discard_pipelined(self) -> None:
        """Discard pipelined data, and ignore all data that follows."""
        self._state, self._buffer = _BROKEN, b""

    def next_request(self) -> list[Event]:
        """Start the next request and return the events of the data that is buffered already. Raises ``HttpError``.

        Raises RuntimeError in the middle of a request: the rest of a body is never parsed as a head.
        """
        if self._state is not _PAUSED:
            raise RuntimeError(f"No request can follow in state '{self._state.value}'.")
        self._state = _HEAD
        if not self._buffer:
            return []
        data, self._buffer = self._buffer, b""
        return self.receive(data)

    def _read_complete_request(self, data: bytes) -> NewRequest | None:
        """Fast path: parse a request that was received in one read, as nearly all are. Return None if it was not."""
        end = data.find(_END_OF_HEAD)
        if not 0 < end <= MAX_HEAD_BYTES or data.startswith(_CRLF):
            return None
        head, length, request_id = self._head_parser.parse(data[:end])
        begin = end + len(_END_OF_HEAD)
        if length is None or len(data) < begin + length:
            return None
        self._state, self._empty_lines = _PAUSED, 0
        self._buffer = data[begin + length :]
        return NewRequest(head, length, data[begin : begin + length], request_id)

    def _parse_buffer(self, events: list[Event]) -> None:
        if self._state is _HEAD:
            self._read_head(events)
        if self._state is _BODY:
            data, self._buffer = self._buffer, b""
            self._read_body(data, events)
        elif self._state is _CHUNKED_BODY:
            data, self._buffer = self._buffer, b""
            self._read_chunks(data, events)

    def _read_head(self, events: list[Event]) -> None:
        if self._buffer.startswith(_CRLF):
            self._skip_empty_lines()
        checked_bytes = self._checked_bytes
        end = self._buffer.find(_END_OF_HEAD, max(0, checked_bytes - len(_END_OF_HEAD) + 1))
        if not 0 <= end <= MAX_HEAD_BYTES:
            if self._buffer and self._buffer != _CRLF[:1]:
                check_partial_head(self._buffer, checked_bytes=checked_bytes)
                self._checked_bytes = len(self._buffer)
            return
        self._checked_bytes = 0
        head, length, request_id = self._head_parser.parse(self._buffer[:end])
        self._buffer = self._buffer[end + len(_END_OF_HEAD) :]
        self._empty_lines = 0
        events.append(NewRequest(head, length, None, request_id))
        if length is None:
            self._state = _CHUNKED_BODY
            self._chunks = ChunkedReader(limit_bytes=self.max_body_bytes)
        elif length:
            self._state, self._remaining_bytes = _BODY, length
        else:
            self._end(events)

    def _skip_empty_lines(self) -> None:
        while self._buffer.startswith(_CRLF):
            self._buffer = self._buffer[len(_CRLF) :]
            self._empty_lines += 1
            if self._empty_lines > _MAX_EMPTY_LINES:
                raise MalformedMessageError("There are too many empty lines before the request.")

    def _read_body(self, data: bytes, events: list[Event]) -> None:
        if len(data) < self._remaining_bytes:
            if data:
                events.append(data)
                self._remaining_bytes -= len(data)
            return
        if len(data) > self._remaining_bytes:
            data, self._buffer = data[: self._remaining_bytes], data[self._remaining_bytes :]
        self._remaining_bytes = 0
        events.append(data)
        self._end(events)

    def _read_chunks(self, data: bytes, events: list[Event]) -> None:
        parts: list[bytes] = []
        self._chunks.receive(data, parts)
        if parts:
            events.append(parts[0] if len(parts) == 1 else b"".join(parts))
        if self._chunks.is_complete:
            self._buffer = self._chunks.trailing_data
            self._end(events)

    def _end(self, events: list[Event]) -> None:
        self._state = _PAUSED
        events.append(End.OF_REQUEST)
