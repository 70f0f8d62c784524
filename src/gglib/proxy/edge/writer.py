"""The framing of one answer. Pure: what is to be said goes in, bytes for the wire come out.

A length that is known is told; without one HTTP/1.1 gets chunks, and HTTP/1.0, which has none, gets the connection's
end.
"""

from enum import Enum
from http import HTTPStatus

from gglib.proxy.headers import Headers, is_event_stream

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
_WITHOUT_BODY = frozenset((204, 304))
_LAST_CHUNK = b"0\r\n\r\n"


class Framing(Enum):
    """What tells the client where the body ends."""

    NOTHING = "there is none"
    LENGTH = "content-length"
    CHUNKS = "chunks"
    CLOSE = "the end of the connection"


class AnswerWriter:
    """Frames one answer to one request. ``may_keep_alive`` is whether another may follow, once the head is made."""

    __slots__ = ("_framing", "_is_head_only", "_left_bytes", "_minor_version", "may_keep_alive")

    def __init__(self, *, method: str, minor_version: int) -> None:
        self._is_head_only = method == "HEAD"
        self._minor_version = minor_version
        self._framing = Framing.NOTHING
        self._left_bytes = 0
        self.may_keep_alive = False

    def head(self, status: int, headers: Headers, *, date: bytes, may_keep_alive: bool) -> bytes:
        """Return the head. ``date`` is the whole ``Date`` line."""
        self._framing = self._choose(status, headers)
        self.may_keep_alive = may_keep_alive and self._framing is not Framing.CLOSE
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, date]
        lines += [b"%b: %b\r\n" % header for header in headers]
        if self._framing is Framing.CHUNKS:
            lines.append(b"transfer-encoding: chunked\r\n")
        if not self.may_keep_alive:
            lines.append(b"connection: close\r\n")
        elif self._minor_version == 0 or is_event_stream(headers):
            lines.append(b"connection: keep-alive\r\n")  # some clients look for it on streams
        lines.append(b"\r\n")
        return b"".join(lines)

    def part(self, data: bytes) -> bytes:
        """Return a part of the body as it goes over the wire; empty where there is nothing to send."""
        match self._framing:
            case Framing.CHUNKS:
                return b"%x\r\n%b\r\n" % (len(data), data) if data and not self._is_head_only else b""
            case Framing.LENGTH:
                self._left_bytes -= len(data)
                if self._left_bytes < 0:
                    raise RuntimeError("The answer is longer than its content-length.")
                return b"" if self._is_head_only else data
            case Framing.CLOSE:
                return b"" if self._is_head_only else data
            case Framing.NOTHING:
                return b""

    def end(self) -> bytes:
        """Return what ends the body. Raises RuntimeError where the body is shorter than its length."""
        if self._framing is Framing.LENGTH and self._left_bytes and not self._is_head_only:
            raise RuntimeError("The answer is shorter than its content-length.")
        return _LAST_CHUNK if self._framing is Framing.CHUNKS and not self._is_head_only else b""

    def _choose(self, status: int, headers: Headers) -> Framing:
        if status in _WITHOUT_BODY:
            return Framing.NOTHING
        for name, value in headers:
            if name == b"content-length":
                self._left_bytes = int(value)
                return Framing.LENGTH
        return Framing.CHUNKS if self._minor_version else Framing.CLOSE
