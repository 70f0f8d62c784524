"""Decides which web pages may use this server (CORS: https://fetch.spec.whatwg.org/#http-cors-protocol).

Pure. Requests from pages that may not read the response are refused, because a browser sends a simple ``POST`` without
a preflight. Requests without ``Origin`` are not from pages. Origins with other schemes than http and https are
local programs (editors, desktop apps, extensions): these are served, without CORS headers.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from gglib.core.authorities import (
    ANY_ORIGIN,
    Origin,
    is_plain_loopback,
    read_allowed_origin,
    read_origin,
)
from gglib.http.headers import Headers, first_value
from gglib.proxy.errors import OriginNotAllowedError
from gglib.proxy.limits import headers as limit_headers

_CACHE_SIZE = 256
_MAX_BYTES = 512
"""Longer than any valid origin; bounds the size of the cache."""
_VISIBLE = re.compile(rb"[!-~]{1,512}")
_APP_ORIGIN = re.compile(rb"(?!https?:)[a-z][a-z0-9+.\-]*://[!-~]*", re.IGNORECASE)
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VARY = (b"vary", b"Origin")
_OTHERS = (
    b"x-request-id",
    b"x-gglib-context",
    b"retry-after",
    b"retry-after-ms",
    b"x-should-retry",
    b"location",
)
_EXPOSED = (b"access-control-expose-headers", b", ".join((*_OTHERS, *limit_headers.NAMES)))
"""Response headers that scripts need; browsers hide most others from them."""
_METHODS = (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE")
_MAX_AGE = (b"access-control-max-age", b"7200")
"""Two hours, Chromium's maximum. Each request is checked anyway, whatever the cached preflight allowed."""


class CorsRules:
    """The allowed origins: loopback origins, and ``origins`` (``authorities.read_allowed_origin``).

    Raises ValueError for an invalid origin.
    """

    __slots__ = ("_hostless_origins", "_is_any", "_origins")

    def __init__(self, origins: Iterable[str] = ()) -> None:
        allowed = [read_allowed_origin(origin) for origin in origins]
        self._origins = frozenset(origin for origin in allowed if isinstance(origin, Origin))
        hostless = (origin for origin in allowed if isinstance(origin, str) and origin != ANY_ORIGIN)
        self._hostless_origins = frozenset(origin.encode() for origin in hostless)
        """Allowed origins without a host: ``null`` and schemes such as ``file://``."""
        self._is_any = ANY_ORIGIN in allowed

    def check(self, origin: bytes | None, host: bytes | None = None) -> None:
        """Raise ``OriginNotAllowedError`` for a request from a page whose origin is not allowed.

        ``origin`` and ``host`` are header values. Pages of this server's own origin are allowed, over http, or https if
        a reverse proxy terminates TLS: ``Host`` was checked before, or the request carries a key.
        """
        if origin is None or self._is_allowed(origin):
            return
        if _APP_ORIGIN.fullmatch(origin) is None and not _is_same_origin(origin, host):
            raise OriginNotAllowedError(origin.decode("ascii", "backslashreplace"))

    def preflight(self, headers: Headers) -> Headers | None:
        """Return the headers of the 204 response to a preflight request.

        Returns None if the request is not a preflight, or if the page comes from this server and needs none. A
        preflight carries no key, so none is required. Raises ``OriginNotAllowedError`` for other origins, including
        local programs (``app://``), so that the error names the setting.
        """
        origin = first_value(headers, b"origin")
        if origin is None or first_value(headers, b"access-control-request-method") is None:
            return None
        if not self._is_allowed(origin):
            if _APP_ORIGIN.fullmatch(origin) is None:
                return None
            raise OriginNotAllowedError(origin.decode("ascii", "backslashreplace"))
        allowed: Headers = [(b"access-control-allow-origin", origin), _VARY, _METHODS, _MAX_AGE]
        if wanted := _requested_headers(headers):
            allowed.append((b"access-control-allow-headers", wanted))
        if first_value(headers, b"access-control-request-private-network") == b"true":
            allowed.append((b"access-control-allow-private-network", b"true"))
        return allowed

    def response_headers(self, origin: bytes | None) -> Headers:
        """Return the CORS headers of a response, errors included; empty if the origin is not allowed."""
        if origin is None or not self._is_allowed(origin):
            return []
        return [(b"access-control-allow-origin", origin), _VARY, _EXPOSED]

    def _is_allowed(self, value: bytes) -> bool:
        if self._is_any:
            return _VISIBLE.fullmatch(value) is not None
        if value.lower() in self._hostless_origins:
            return True
        origin = _parsed(value) if len(value) <= _MAX_BYTES else None
        if origin is None:
            return False
        return origin in self._origins or (origin.is_page and is_plain_loopback(origin.host))


def _is_same_origin(origin: bytes, host: bytes | None) -> bool:
    return host is not None and origin.lower() in {b"http://" + host.lower(), b"https://" + host.lower()}


def _requested_headers(headers: Headers) -> bytes:
    """Return the requested header names; empty if one of them is invalid."""
    lines = [value for name, value in headers if name == b"access-control-request-headers"]
    names = [name.strip(b" \t") for line in lines for name in line.split(b",")]
    names = [name for name in names if name]
    return b", ".join(names) if all(map(_TOKEN.fullmatch, names)) else b""


@lru_cache(maxsize=_CACHE_SIZE)
def _parsed(value: bytes) -> Origin | None:
    try:
        return read_origin(value.decode("ascii"))
    except ValueError:
        return None
