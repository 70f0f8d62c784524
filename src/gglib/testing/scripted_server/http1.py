"""HTTP/1.1 on asyncio streams, from the server's side. Reads and writes only.

Every write waits until the kernel has all bytes: what was written before a kill does arrive.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

MAX_HEAD_BYTES = 1 << 20

Headers = tuple[tuple[str, str], ...]


class WatchedReader(asyncio.StreamReader):
    """A reader that detects a disconnect even while nothing reads."""

    def __init__(self) -> None:
        super().__init__(limit=MAX_HEAD_BYTES)
        self.is_disconnected = asyncio.Event()

    def feed_eof(self) -> None:
        """Record the end of the peer's data: its close, or its reset."""
        super().feed_eof()
        self.is_disconnected.set()

    def set_exception(self, exc: Exception) -> None:
        """Record that the connection was lost."""
        super().set_exception(exc)
        self.is_disconnected.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it arrived: header names and order unchanged."""

    method: str
    path: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return the first header of this name in lower case, or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """Return the next request, or None if the connection ended before one began."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name, value.strip()) for name, _, value in pairs)
    request = Request(method=method, path=path, headers=headers, body=b"")
    if request.header("expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(reader, request)
    return Request(method=method, path=path, headers=headers, body=body)


def head_bytes(status: int, headers: Headers) -> bytes:
    """Return the head of a response."""
    lines = [f"HTTP/1.1 {status} {_reason(status)}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def frame_bytes(payload: bytes) -> bytes:
    """Return one chunk of a body; an empty payload ends the body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


async def _read_body(reader: asyncio.StreamReader, request: Request) -> bytes:
    if "chunked" not in request.header("transfer-encoding").lower():
        return await reader.readexactly(int(request.header("content-length") or 0))
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return bytes(body)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
