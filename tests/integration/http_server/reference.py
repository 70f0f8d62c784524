"""A reference parser of requests, written from the rules alone, as an oracle for the HTTP server.

Pure, and independent of the HTTP server: it parses everything that a client sends on a connection at once. For a
request with several faults it may return another status than the server: tests compare only whether and where it
refuses. The scripted upstream parses with it too, so it detects a proxy that sends anything but strict HTTP.
"""

import itertools
import re
from dataclasses import dataclass
from enum import Enum

ONLY_ONCE = (
    b"origin",
    b"content-type",
    b"x-request-id",
    b"sec-fetch-site",
    b"access-control-request-method",
    b"access-control-request-private-network",
)
MAX_TARGET_BYTES = 8 * 1024
MAX_CHUNK_LINE_BYTES = 256
CHUNK_ALLOWANCE = 16_384
BYTES_PER_EXTRA_CHUNK = 64
MAX_BODY_BYTES = 64 * 1024 * 1024

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ORIGIN_FORM = re.compile(rb'/[!"$-~]*')
_ABSOLUTE_FORM = re.compile(rb'http://([^/?#@]+)(/[!"$-~]*)')
_VERSION = re.compile(rb"HTTP/(\d)\.(\d)")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
_OUR_HOST = re.compile(
    rb"(localhost|127(\.(0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE
)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(;[\t\x20-\x7e\x80-\xff]*)?")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the header lines."""

    lines: int = 100
    line_bytes: int = 16 * 1024
    head_bytes: int = 32 * 1024


class Stage(Enum):
    """Where parsing a connection ended."""

    BETWEEN = "between requests"
    HEAD_UNFINISHED = "in a head that never ends"
    BODY_UNFINISHED = "in a body that never ends"
    HEAD_REFUSED = "at a head"
    BODY_REFUSED = "at a body"


@dataclass(frozen=True, slots=True)
class Seen:
    """A complete request; ``headers`` in lower case."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    is_last: bool
    """Whether the connection ends after its response, as far as the request says."""

    @property
    def content(self) -> tuple[bytes, bytes, bytes]:
        """What must reach the upstream unchanged."""
        return self.method, self.target, self.body


@dataclass(frozen=True, slots=True)
class Reading:
    """The parsed bytes of a connection: complete requests, and the state after them."""

    requests: tuple[Seen, ...]
    stage: Stage
    status: int | None = None
    reason: str = ""
    is_certain: bool = True
    """Whether a refusal must be immediate: a parser may wait for the end of a head or a line."""
    rest: bytes = b""
    """The bytes after the complete requests."""


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str, *, is_line_end: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.is_line_end = is_line_end


class _UnfinishedError(Exception):
    pass


LIMITS = Limits()


def read_connection(data: bytes, limits: Limits = LIMITS) -> Reading:
    """Parse the bytes of one connection, up to its end or the first request that must be refused."""
    requests: list[Seen] = []
    while True:
        while data.startswith(b"\r\n"):
            data = data[2:]
        if not data or (requests and requests[-1].is_last):
            return Reading(tuple(requests), Stage.BETWEEN)
        stage = Stage.HEAD_REFUSED, Stage.HEAD_UNFINISHED
        try:
            head, rest = _read_head(data, limits)
            stage = Stage.BODY_REFUSED, Stage.BODY_UNFINISHED
            body, data = _read_body(head, rest, limits)
        except _RefusedError as error:
            is_certain = (b"\r\n\r\n" in data) if stage[0] is Stage.HEAD_REFUSED else not error.is_line_end
            return Reading(tuple(requests), stage[0], error.status, str(error), is_certain, data)
        except _UnfinishedError:
            return Reading(tuple(requests), stage[1], rest=data)
        requests.append(Seen(head.method, head.target, head.headers, body, head.is_last))


@dataclass(frozen=True, slots=True)
class _Head:
    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    is_old: bool

    def values(self, wanted: bytes) -> list[bytes]:
        return [value for name, value in self.headers if name == wanted]

    @property
    def is_last(self) -> bool:
        options = {
            option.strip().lower() for value in self.values(b"connection") for option in value.split(b",")
        }
        return b"close" in options or (self.is_old and b"keep-alive" not in options)


def _read_head(data: bytes, limits: Limits) -> tuple[_Head, bytes]:
    line, rest = _next_line(data, longest=limits.head_bytes, status=414)
    method, target, is_old, authority = _read_request_line(line)
    headers, rest = _read_header_lines(rest, limits, size_bytes=len(line) + 2)
    head = _Head(method, target, headers, is_old)
    _check_host(head, authority)
    if any(len(head.values(name)) > 1 for name in ONLY_ONCE):
        raise _RefusedError(400, "a header that may come once only")
    _check_framing(head)
    expected = head.values(b"expect")
    if not head.is_old and expected and [value.lower() for value in expected] != [b"100-continue"]:
        raise _RefusedError(417, "expectation")
    return head, rest


def _next_line(data: bytes, *, longest: int, status: int) -> tuple[bytes, bytes]:
    """Split a line off; every CR and LF must be half of a CRLF."""
    end = re.search(rb"[\r\n]", data)
    if end is None:
        if len(data) > longest:
            raise _RefusedError(status, "line too long")
        raise _UnfinishedError
    at = end.start()
    if at > longest:
        raise _RefusedError(status, "line too long")
    if data[at : at + 1] == b"\n" or (len(data) > at + 1 and data[at + 1 : at + 2] != b"\n"):
        raise _RefusedError(400, "bare CR or LF", is_line_end=True)
    if len(data) == at + 1:
        raise _UnfinishedError
    return data[:at], data[at + 2 :]


def _read_request_line(line: bytes) -> tuple[bytes, bytes, bool, bytes | None]:
    parts = line.split(b" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]):
        raise _RefusedError(400, "request line")
    method, target, version = parts
    if len(target) > MAX_TARGET_BYTES:
        raise _RefusedError(414, "target too long")
    form = _VERSION.fullmatch(version)
    if form is None:
        raise _RefusedError(400, "version")
    if form[1] != b"1":
        raise _RefusedError(505, "version")
    absolute = _ABSOLUTE_FORM.fullmatch(target)
    if absolute is not None:
        return method, absolute[2], form[2] == b"0", absolute[1]
    if not _ORIGIN_FORM.fullmatch(target) and (method, target) != (b"OPTIONS", b"*"):
        raise _RefusedError(400, "target")
    return method, target, form[2] == b"0", None


def _read_header_lines(
    data: bytes, limits: Limits, *, size_bytes: int
) -> tuple[tuple[tuple[bytes, bytes], ...], bytes]:
    headers: list[tuple[bytes, bytes]] = []
    while True:
        line, data = _next_line(data, longest=limits.line_bytes, status=431)
        size_bytes += len(line) + 2
        if not line:
            return tuple(headers), data
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise _RefusedError(400, "header line")
        headers.append((name.lower(), value.strip(b"\t ")))
        if len(headers) > limits.lines or size_bytes > limits.head_bytes:
            raise _RefusedError(431, "too many or too long header lines")


def _check_host(head: _Head, authority: bytes | None) -> None:
    hosts = head.values(b"host")
    is_health = head.method in {b"GET", b"HEAD"} and head.target.partition(b"?")[0] == b"/health"
    if is_health and head.is_old and not hosts and authority is None:
        return
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise _RefusedError(400, "Host")
    if authority is not None and authority != hosts[0]:
        raise _RefusedError(400, "authority")
    if not is_health and not _OUR_HOST.fullmatch(hosts[0]):
        raise _RefusedError(403, "Host is not ours")


def _check_framing(head: _Head) -> None:
    lengths, codings = head.values(b"content-length"), head.values(b"transfer-encoding")
    if codings:
        if len(codings) > 1 or lengths or head.is_old:
            raise _RefusedError(400, "framing")
        if codings[0].lower() != b"chunked":
            raise _RefusedError(501, "coding")
    if lengths:
        if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
            raise _RefusedError(400, "content-length")
        if int(lengths[0]) > MAX_BODY_BYTES:
            raise _RefusedError(413, "body too large")


def _read_body(head: _Head, data: bytes, limits: Limits) -> tuple[bytes, bytes]:
    if head.values(b"transfer-encoding"):
        return _read_chunks(data, limits)
    length = int((head.values(b"content-length") or [b"0"])[0])
    if len(data) < length:
        raise _UnfinishedError
    return data[:length], data[length:]


def _read_chunks(data: bytes, limits: Limits) -> tuple[bytes, bytes]:
    body = bytearray()
    for count in itertools.count(1):
        line, data = _next_line(data, longest=MAX_CHUNK_LINE_BYTES, status=400)
        form = _CHUNK_SIZE.fullmatch(line)
        if form is None:
            raise _RefusedError(400, "chunk size")
        size = int(form[1], 16)
        if size == 0:
            break
        if len(body) + size > MAX_BODY_BYTES:
            raise _RefusedError(413, "body too large")
        if count > CHUNK_ALLOWANCE + (len(body) + size) // BYTES_PER_EXTRA_CHUNK:
            raise _RefusedError(400, "too many small chunks")
        # The bytes after the data are checked as soon as they arrive.
        if not b"\r\n".startswith(data[size : size + 2]):
            raise _RefusedError(400, "chunk data")
        if len(data) < size + 2:
            raise _UnfinishedError
        body += data[:size]
        data = data[size + 2 :]
    _, data = _read_header_lines(data, limits, size_bytes=0)
    return bytes(body), data
