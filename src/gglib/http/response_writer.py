"""The framing of one response. Pure: what is to be said goes in, bytes for the wire come out.

A length that is known is told; without one HTTP/1.1 gets chunks, and HTTP/1.0, which has none, gets the connection's
end.
"""

from enum import Enum
from http import HTTPStatus

from gglib.http.headers import Headers

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
_BODYLESS_STATUSES = frozenset((204, 304))
_LAST_CHUNK = b"0\r\n\r\n"


class Framing(Enum):
    """What tells the client where the body ends."""

    NONE = "there is none"
    LENGTH = "content-length"
    CHUNKS = "chunks"
    CLOSE = "the end of the connection"


_NONE, _LENGTH, _CHUNKS, _CLOSE = Framing.NONE, Framing.LENGTH, Framing.CHUNKS, Framing.CLOSE


class ResponseWriter:
    """Frames one response to one request. ``may_keep_alive`` is whether another may follow, once the head is made."""

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
        """Whether each part is a chunk, once the head is made."""

    def head(  # noqa: PLR0913 - what a head is made of
        self,
        status: int,
        header_lines: bytes,
        *,
        length: int | None,
        date_line: bytes,
        may_keep_alive: bool,
        send_keep_alive: bool,
    ) -> bytes:
        """Return the head. ``length`` is the body's in bytes, None where it is not known.

        ``send_keep_alive`` tells HTTP/1.1 clients what they should know anyway: some look for it on streams.
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
        """Return a part of the body as it goes over the wire; empty where there is nothing to send."""
        framing = self._framing
        if framing is _LENGTH:
            self._remaining_bytes -= len(data)
            if self._remaining_bytes < 0:
                raise RuntimeError("The response is longer than its content-length.")
        if self._is_head_only or framing is _NONE or not data:
            return b""
        return b"%x\r\n%b\r\n" % (len(data), data) if framing is _CHUNKS else data

    def end(self) -> bytes:
        """Return what ends the body. Raises RuntimeError where the body is shorter than its length."""
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


def header_lines(headers: Headers) -> bytes:
    """Return headers as the lines that they are on the wire."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])
