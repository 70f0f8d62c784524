"""Filters the headers that a proxy forwards, and interprets a few of them.

Pure. Names are bytes in lower case, as in ASGI; order and duplicates are kept.
"""

import re
from collections.abc import Iterable, Mapping

Headers = list[tuple[bytes, bytes]]

EVENT_STREAM = b"text/event-stream"

STREAM_HEADERS: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
"""Prevent caches and buffering proxies from delaying a stream."""

EVENT_STREAM_HEADERS: Headers = [(b"content-type", EVENT_STREAM), *STREAM_HEADERS]
"""The headers of a stream of server-sent events."""

_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""RFC 9110 section 7.6.1, and ``Proxy-Connection``, which old clients still send."""

_NOT_FORWARDED = _HOP_BY_HOP | {
    b"authorization",  # the upstream server must not see the client's secrets
    b"cookie",
    b"x-api-key",
    b"host",  # the connection adds its own
    b"content-length",  # depends on the body as sent
    b"expect",  # applies to this hop
    b"prefer",  # interpreted here, see ``preferred_wait_s``
    b"origin",  # llama-server would return CORS headers for any origin
    b"x-request-id",  # the pool adds the request's id
}

_OWN_ADDRESS = frozenset((b"set-cookie", b"strict-transport-security", b"alt-svc"))
"""They are about the address of the upstream server, which the client does not know."""
_NOT_RELAYED = _HOP_BY_HOP | _OWN_ADDRESS | {b"server", b"date", b"x-request-id"}
_NOT_RELAYED_FOR_STREAMS = frozenset((b"content-length", b"cache-control", b"x-accel-buffering"))
_SINGLE_VALUED = frozenset((b"content-type", b"content-length"))
"""Only the first value of these headers is relayed."""

_VALID_REQUEST_ID = re.compile(rb"(?!\.{1,2}$)[!-~]{1,128}")
"""Not ``.`` and ``..``: an id is part of URLs, in which clients resolve them."""
_PREFER_WAIT = re.compile(rb'(?:^|,)\s*wait\s*=\s*"?(\d{1,18})"?\s*(?=[,;]|$)', re.IGNORECASE)


def filter_request_headers(client_headers: Headers) -> Headers:
    """Return the request headers to forward to the upstream server: no hop-by-hop headers, no secrets."""
    dropped = _NOT_FORWARDED | _named_by_connection(client_headers)
    return [(name, value) for name, value in client_headers if name not in dropped]


def filter_response_headers(upstream_headers: Headers) -> Headers:
    """Return the response headers to relay to the client; an event stream also gets ``STREAM_HEADERS``."""
    lowered = [(name.lower(), value) for name, value in upstream_headers]
    dropped = _NOT_RELAYED | _named_by_connection(lowered)
    is_stream = is_event_stream(lowered)
    if is_stream:
        dropped |= _NOT_RELAYED_FOR_STREAMS
    kept: Headers = []
    seen: set[bytes] = set()
    for name, value in lowered:
        if name in dropped or name in seen or name.startswith(b"access-control-"):
            continue
        if name in _SINGLE_VALUED:
            seen.add(name)
        kept.append((name, value))
    return kept + STREAM_HEADERS if is_stream else kept


def is_event_stream(headers: Headers) -> bool:
    """Whether the ``Content-Type`` is that of server-sent events."""
    return _media_type(headers) == EVENT_STREAM


def is_json_within_limit(headers: Headers, length: int | None, limit_bytes: int) -> bool:
    """Whether the body is JSON, and of unknown length or of at most ``limit_bytes``."""
    return (length is None or length <= limit_bytes) and _media_type(headers) == b"application/json"


def is_encoded(content_encoding: bytes) -> bool:
    """Whether a ``Content-Encoding`` (repeated headers joined) has any coding but ``identity``."""
    return any(coding.strip(b" \t").lower() != b"identity" for coding in content_encoding.split(b","))


def valid_request_id(fields: Mapping[bytes, bytes]) -> str | None:
    """Return the client's ``x-request-id`` if it is 1 to 128 visible ASCII characters, and not ``.`` or ``..``."""
    value = fields.get(b"x-request-id")
    return None if value is None else read_request_id(value)


def read_request_id(value: bytes) -> str | None:
    """Return a value of ``x-request-id`` if it is valid (``valid_request_id``)."""
    return value.decode() if _VALID_REQUEST_ID.fullmatch(value) else None


def preferred_wait_s(headers: Headers) -> int | None:
    """Return the seconds of ``Prefer: wait=N`` (RFC 7240 section 4.3): the first valid value, or None."""
    joined = b",".join(value for name, value in headers if name == b"prefer")
    match = _PREFER_WAIT.search(joined)
    return int(match[1]) if match else None


def _media_type(headers: Headers) -> bytes:
    return (first_value(headers, b"content-type") or b"").partition(b";")[0].strip().lower()


def first_value(headers: Headers, wanted: bytes) -> bytes | None:
    """Return the first value of a header, or None."""
    return next((value for name, value in headers if name == wanted), None)


def connection_options(headers: Headers) -> Iterable[bytes]:
    """Return the options of every ``Connection`` header, in lower case."""
    for name, value in headers:
        if name == b"connection":
            yield from (option.strip().lower() for option in value.split(b","))


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    return frozenset(connection_options(headers))
