"""Frames one response. Pure: status, headers and body in, bytes for the socket out.

A body of known length is sent with ``Content-Length``. A body of unknown length is chunked for HTTP/1.1 clients, and
ends with the connection for HTTP/1.0 clients.
"""

from enum import Enum
from http import HTTPStatus

from gglib.http.headers import Headers

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
_BODYLESS_STATUSES = frozenset((204, 304))
_LAST_CHUNK = b"0\r\n\r\n"


class Framing(Enum):
    """How the end of the body is marked."""

    NONE = "no body"
    LENGTH = "content-length"
    CHUNKS = "chunks"
    CLOSE = "connection close"


_NONE, _LENGTH, _CHUNKS, _CLOSE = Framing.NONE, Framing.LENGTH, Framing.CHUNKS, Framing.CLOSE


class ResponseWriter:
    """Frames the response to one request. ``may_keep_alive`` is valid after ``head``."""

    __slots__ = (
        "_framing",
        "_is_head_only",
        "_minor_version",
        "_remaining_bytes",
        "is_chunking",
        "may_keep_alive",
    )

    def __init__(self, *, method: str, minor_version: int) -> None:
        self._is_head_only = method == "HEAD"
        self._minor_version = minor_version
        self._framing = _NONE
        self._remaining_bytes = 0
        self.may_keep_alive = False
        self.is_chunking = False
        """Whether each part is sent as a chunk; valid after ``head``."""

    def head(  # noqa: PLR0913 - the parts of a head
        self,
        status: int,
        header_lines: bytes,
        *,
        length: int | None,
        date_line: bytes,
        may_keep_alive: bool,
        send_keep_alive: bool,
    ) -> bytes:
        """Return the head. ``length`` is the length of the body in bytes; None if unknown.

        ``send_keep_alive`` sends ``Connection: keep-alive`` also to HTTP/1.1 clients: some expect it on streams.
        """
        framing = self._framing = self._choose_framing(status, length)
        framing_line = b""
        if framing is _LENGTH:
            framing_line = b"content-length: %d\r\n" % self._remaining_bytes
        elif framing is _CHUNKS:
            framing_line = b"transfer-encoding: chunked\r\n"
            self.is_chunking = not self._is_head_only
        self.may_keep_alive = may_keep_alive = may_keep_alive and framing is not _CLOSE
        if not may_keep_alive:
            framing_line += b"connection: close\r\n"
        elif send_keep_alive or self._minor_version == 0:
            framing_line += b"connection: keep-alive\r\n"
        status_line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        return b"%b%b%b%b\r\n" % (status_line, date_line, header_lines, framing_line)

    def part(self, data: bytes) -> bytes:
        """Return a framed part of the body; b"" if there is nothing to send. Raises RuntimeError beyond the length."""
        framing = self._framing
        if framing is _LENGTH:
            self._remaining_bytes -= len(data)
            if self._remaining_bytes < 0:
                raise RuntimeError("The response is longer than its content-length.")
        if self._is_head_only or framing is _NONE or not data:
            return b""
        return b"%x\r\n%b\r\n" % (len(data), data) if framing is _CHUNKS else data

    def end(self) -> bytes:
        """Return the end of the body. Raises RuntimeError if the body is shorter than its ``Content-Length``."""
        if self._framing is _LENGTH and self._remaining_bytes and not self._is_head_only:
            raise RuntimeError("The response is shorter than its content-length.")
        return _LAST_CHUNK if self._framing is _CHUNKS and not self._is_head_only else b""

    def _choose_framing(self, status: int, length: int | None) -> Framing:
        if status in _BODYLESS_STATUSES:
            return _NONE
        if length is not None:
            self._remaining_bytes = length
            return _LENGTH
        return _CHUNKS if self._minor_version else _CLOSE


def encode_header_lines(headers: Headers) -> bytes:
    """Return headers as header lines for the socket."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])
