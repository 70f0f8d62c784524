"""Parses request heads strictly. Pure.

RFC 9112 allows leniency in many places; two parsers that are lenient in different ways allow request smuggling. So this
parser is strict throughout: ``docs/http-server.md`` has the rules.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from gglib.http.errors import (
    ExpectationFailedError,
    HeadTooLargeError,
    HttpError,
    MalformedMessageError,
    TargetTooLongError,
    UnsupportedTransferCodingError,
    UnsupportedVersionError,
)
from gglib.http.headers import Headers, connection_options, read_request_id, valid_request_id

MAX_HEAD_BYTES = 32 * 1024
MAX_LINE_BYTES = 16 * 1024
MAX_TARGET_BYTES = 8 * 1024
MAX_REQUEST_LINE_BYTES = MAX_TARGET_BYTES + 64
"""The target, and room for the version and any registered method."""
MAX_FIELDS = 100

_PARTIAL_END_BYTES = 3
"""A partial head may end with up to three bytes of its final CR LF CR LF."""

# No possessive quantifiers, which Python 3.11.0 to 3.11.4 match wrongly (cpython issue 100061). They are not needed:
# adjacent parts of these patterns share no byte, so matching takes linear time.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD_LINE = re.compile(rb"(%b):([^\x00-\x08\x0a-\x1f\x7f]*)" % _TOKEN)
_TOKEN_BYTES = frozenset(byte for byte in range(256) if re.fullmatch(_TOKEN, bytes((byte,))))
_REQUEST_LINE = re.compile(rb"(%b) ([!\"$-~]+) HTTP/([0-9])\.([0-9])" % _TOKEN)
_ABSOLUTE_FORM = re.compile(rb"http://([^/?]+)(.*)", re.IGNORECASE)
_CODINGS = re.compile(rb"%b(?:[ \t]*,[ \t]*%b)*" % (_TOKEN, _TOKEN))
_MAX_LENGTH_DIGITS = 18
_LENGTH = re.compile(rb"[0-9]{1,%d}" % _MAX_LENGTH_DIGITS)
_VARYING_LINES = re.compile(
    rb"(?:\r\nx-request-id: ([!-~]{1,128}))?(\r\ncontent-length: )([0-9]+)(?=\r\n|\Z)", re.IGNORECASE
)
"""The lines that differ between requests of one client: a gglib that forwards requests sends both, in this order."""


class RepeatRule(Enum):
    """How a repeated header is handled. The values are the words for it in ``docs/http-server.md``."""

    REFUSED = "400"
    EXPECTATION_FAILED = "417"
    JOINED = "one list"
    """The values are joined to one list, in order (RFC 9110 section 5.3)."""
    SAME_KEY = "all must carry the same key"
    """Enforced by the application, if keys are configured."""


REPEAT_RULES = {
    b"access-control-request-headers": RepeatRule.JOINED,
    b"access-control-request-method": RepeatRule.REFUSED,
    b"access-control-request-private-network": RepeatRule.REFUSED,
    b"authorization": RepeatRule.SAME_KEY,
    b"connection": RepeatRule.JOINED,
    b"content-encoding": RepeatRule.JOINED,
    b"content-length": RepeatRule.REFUSED,
    b"content-type": RepeatRule.REFUSED,
    b"expect": RepeatRule.EXPECTATION_FAILED,
    b"host": RepeatRule.REFUSED,
    b"origin": RepeatRule.REFUSED,
    b"prefer": RepeatRule.JOINED,
    b"sec-fetch-site": RepeatRule.REFUSED,
    b"transfer-encoding": RepeatRule.REFUSED,
    b"x-api-key": RepeatRule.SAME_KEY,
    b"x-request-id": RepeatRule.REFUSED,
}
"""Every header that this server or the upstream server interprets. All others are forwarded unchanged."""

_NEVER_CACHED = frozenset((b"authorization", b"x-api-key", b"cookie", b"proxy-authorization"))
_MAX_CACHED_LINES = 1024
_MAX_CACHED_LINE_BYTES = 256

_field_cache: dict[bytes, tuple[bytes, bytes]] = {}
"""Parsed header lines: clients repeat the same lines in each request, and parsing them is most of the work. Bounded;
lines with secrets and long lines are not cached."""


@dataclass(slots=True)
class RequestHead:
    """A parsed request head. Immutable by convention; creating a frozen dataclass takes twice as long."""

    method: str
    raw_path: str
    """The path as received, still percent-encoded; ASCII."""
    query: bytes = field(repr=False)
    minor_version: int
    """0 or 1 of HTTP/1."""
    headers: Headers = field(repr=False)  # may contain keys, as may fields
    """Names in lower case, in order, with duplicates."""
    fields: dict[bytes, bytes] = field(repr=False)
    """The value of each header by name: all values of a repeated header if ``REPEAT_RULES`` joins them, else the last.
    ``host`` may be missing in HTTP/1.0, which does not define it (RFC 1945)."""
    content_length: int | None
    """In bytes; 0 without a body, None for a chunked body. A cached head has the length and the ``x-request-id`` of the
    first request with it: ``HeadParser.parse`` returns the current ones separately."""
    wants_continue: bool
    may_keep_alive: bool
    derived: object = field(default=None, repr=False)
    """A value that the request handler computed from this head and caches for later requests with the same head."""

    def target_for(self, path: str) -> bytes:
        """Return the request target for another path: ``path``, which is ASCII, and the query as received."""
        return path.encode() + b"?" + self.query if self.query else path.encode()


class HeadParser:
    """Parses the heads of the requests on one connection, and caches the last one.

    Most clients repeat the same head with another ``Content-Length``, and some with another ``x-request-id`` before it:
    then the cached head is returned, with its ``derived`` value.
    """

    __slots__ = ("_head", "_prefix", "_request_id", "_separator", "_suffix")

    def __init__(self) -> None:
        self._prefix = self._suffix = b""
        self._separator = b""
        """What is between the request id and the length; empty if the id is not before the length."""
        self._head: RequestHead | None = None
        self._request_id: str | None = None

    def parse(self, block: bytes) -> tuple[RequestHead, int | None, str | None]:
        """Return the head, and what differs from request to request. Raises ``HttpError``.

        These are the body length as in ``content_length``, and the request id as of ``valid_request_id``.
        """
        prefix, suffix = self._prefix, self._suffix
        if self._head is not None and block.startswith(prefix) and block.endswith(suffix):
            length = block[len(prefix) : len(block) - len(suffix)]
            request_id = self._request_id
            if self._separator:
                value, _, length = length.partition(self._separator)
                request_id = read_request_id(value)
            if length.isdigit() and len(length) <= _MAX_LENGTH_DIGITS and (request_id or not self._separator):
                return self._head, int(length), request_id
        head = parse_head(block)
        request_id = valid_request_id(head.fields)
        self._remember(block, head, request_id)
        return head, head.content_length, request_id

    def _remember(self, block: bytes, head: RequestHead, request_id: str | None) -> None:
        found = _VARYING_LINES.search(block)
        if found is None:
            self._head = None
            return
        self._separator = b"" if found[1] is None else found[2]
        self._head, self._request_id = head, request_id
        self._prefix, self._suffix = block[: found.start(1 if found[1] else 3)], block[found.end(3) :]


def parse_head(block: bytes) -> RequestHead:
    """Parse a head. ``block`` does not include the final CR LF CR LF. Raises ``HttpError``."""
    request_line, *lines = block.split(b"\r\n")
    method, target, minor_version = _parse_request_line(request_line)
    if len(lines) > MAX_FIELDS:
        raise HeadTooLargeError(f"The request has more than {MAX_FIELDS} header lines.")
    if len(block) > MAX_LINE_BYTES and max(map(len, lines), default=0) > MAX_LINE_BYTES:
        raise HeadTooLargeError(f"A header line is longer than {MAX_LINE_BYTES} bytes.")
    known = _field_cache
    headers = [known.get(line) or _cached_field(line) for line in lines]
    fields = dict(headers)
    if len(fields) != len(headers):
        _apply_repeat_rules(headers, fields, minor_version)
    host = fields.get(b"host")
    if not host and (minor_version > 0 or host is not None):
        raise MalformedMessageError("The request must have one 'Host' header.")
    raw_path, query = _split_target(method, target, host)
    return RequestHead(
        method=method,
        raw_path=raw_path,
        query=query,
        minor_version=minor_version,
        headers=headers,
        fields=fields,
        content_length=_parse_content_length(fields, minor_version),
        wants_continue=_parse_expect(fields.get(b"expect"), minor_version),
        may_keep_alive=_parse_connection(headers, minor_version)
        if b"connection" in fields
        else minor_version > 0,
    )


def check_partial_head(received: bytes, *, checked_bytes: int = 0) -> None:
    """Refuse a partial head as soon as it cannot become valid. Raises ``HttpError``.

    ``parse_head`` would refuse the complete head with the same status. The first ``checked_bytes`` were checked
    before: a head that arrives byte by byte is not scanned again for each byte.
    """
    if not _is_token_byte(received[0]):
        raise _not_a_request()
    line_end = received.find(b"\r\n", 0, MAX_REQUEST_LINE_BYTES + 2)
    if line_end < 0 and len(received.removesuffix(b"\r")) > MAX_REQUEST_LINE_BYTES:
        raise _request_line_too_long()
    line_feeds = received.count(b"\n", checked_bytes, MAX_HEAD_BYTES)
    if line_feeds != received.count(b"\r\n", max(0, checked_bytes - 1), MAX_HEAD_BYTES):
        raise MalformedMessageError("Lines must end with CR LF.")
    if len(received) > MAX_HEAD_BYTES + _PARTIAL_END_BYTES:
        raise HeadTooLargeError(f"The request head is larger than {MAX_HEAD_BYTES} bytes.")


def parse_field(line: bytes) -> tuple[bytes, bytes]:
    """Return the name, in lower case, and the value of a header line. Raises ``MalformedMessageError``."""
    match = _FIELD_LINE.fullmatch(line)
    if match is None:
        raise MalformedMessageError("A header line is not 'name: value'.")
    return match[1].lower(), match[2].strip(b" \t")


def _cached_field(line: bytes) -> tuple[bytes, bytes]:
    field = parse_field(line)
    if len(line) <= _MAX_CACHED_LINE_BYTES and field[0] not in _NEVER_CACHED:
        if len(_field_cache) >= _MAX_CACHED_LINES:
            _field_cache.clear()
        _field_cache[line] = field
    return field


def _is_token_byte(byte: int) -> bool:
    return byte in _TOKEN_BYTES


def _parse_request_line(line: bytes) -> tuple[str, bytes, int]:
    match = _REQUEST_LINE.fullmatch(line) if len(line) <= MAX_REQUEST_LINE_BYTES else None
    if match is None:
        raise _bad_request_line(line)
    method, target, major, minor = match.groups()
    if major != b"1":
        raise UnsupportedVersionError("Only HTTP/1.0 and HTTP/1.1 are supported.")
    if len(target) > MAX_TARGET_BYTES:
        raise TargetTooLongError(f"The request target is longer than {MAX_TARGET_BYTES} bytes.")
    # A later minor version is treated as 1.1 (RFC 9110 section 2.5).
    return method.decode(), target, min(int(minor), 1)


def _bad_request_line(line: bytes) -> HttpError:
    if line and not _is_token_byte(line[0]):
        return _not_a_request()
    if len(line) > MAX_REQUEST_LINE_BYTES:
        return _request_line_too_long()
    return MalformedMessageError("The request line is not 'METHOD /path HTTP/1.1'.")


def _not_a_request() -> HttpError:
    return MalformedMessageError(
        "This is not an HTTP request. Is the client using another protocol, such as https?"
    )


def _request_line_too_long() -> HttpError:
    return TargetTooLongError(f"The request line is longer than {MAX_REQUEST_LINE_BYTES} bytes.")


def _apply_repeat_rules(headers: Headers, fields: dict[bytes, bytes], minor_version: int) -> None:
    """Refuse headers that must not be repeated, and join lists in ``fields``."""
    for name, count in Counter(name for name, _ in headers).items():
        rule = REPEAT_RULES.get(name) if count > 1 else None
        if rule is RepeatRule.REFUSED:
            raise MalformedMessageError(f"The request has more than one '{name.decode()}' header.")
        if rule is RepeatRule.EXPECTATION_FAILED and minor_version > 0:
            raise ExpectationFailedError("The only supported expectation is '100-continue', once.")
        if rule is RepeatRule.JOINED:
            fields[name] = b", ".join(value for other, value in headers if other == name)


def _split_target(method: str, target: bytes, host: bytes | None) -> tuple[str, bytes]:
    """Return path and query. The authority of a target in absolute form must equal ``Host``."""
    if not target.startswith(b"/"):
        absolute = _ABSOLUTE_FORM.fullmatch(target)
        if absolute is not None:
            if host is None or absolute[1].lower() != host.lower():
                raise MalformedMessageError("The request target and the 'Host' header have different hosts.")
            target = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
        elif (method, target) != ("OPTIONS", b"*"):
            raise MalformedMessageError("The request target must begin with a slash.")
    path, _, query = target.partition(b"?")
    return path.decode(), query


def _parse_content_length(fields: dict[bytes, bytes], minor_version: int) -> int | None:
    coding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise MalformedMessageError("A request has 'Content-Length' or 'Transfer-Encoding', never both.")
        if minor_version == 0:
            raise MalformedMessageError("HTTP/1.0 has no 'Transfer-Encoding'.")
        if coding.lower() != b"chunked":
            raise _unsupported_coding(coding)
        return None
    if length is None:
        return 0
    if _LENGTH.fullmatch(length) is None:
        raise MalformedMessageError("'Content-Length' must be a number of bytes.")
    return int(length)


def _unsupported_coding(coding: bytes) -> HttpError:
    codings = [name.strip().lower() for name in coding.split(b",")]
    if _CODINGS.fullmatch(coding) is None or codings.count(b"chunked") > 1 or b"chunked" in codings[:-1]:
        return MalformedMessageError("'Transfer-Encoding' must be 'chunked' and nothing else.")
    return UnsupportedTransferCodingError("The only supported 'Transfer-Encoding' is 'chunked'.")


def _parse_expect(expect: bytes | None, minor_version: int) -> bool:
    if expect is None or minor_version == 0:
        return False  # a server ignores it in HTTP/1.0 (RFC 9110 section 10.1.1)
    if expect.lower() != b"100-continue":
        raise ExpectationFailedError("The only supported expectation is '100-continue'.")
    return True


def _parse_connection(headers: Headers, minor_version: int) -> bool:
    options = list(connection_options(headers))
    return b"close" not in options and (minor_version > 0 or b"keep-alive" in options)
