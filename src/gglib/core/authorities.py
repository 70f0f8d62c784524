"""Hosts and ports in URI syntax, and origins of web pages (RFC 3986 section 3.2, RFC 6454).

Pure: no name resolution, no percent-decoding, and no normalization of equivalent spellings.
"""

import ipaddress
import re
from dataclasses import dataclass

MAX_HOST_LENGTH = 255
"""The limit of DNS (RFC 3986 section 3.2.2)."""
ANY_ORIGIN = "*"
_HIGHEST_PORT = 65535
_DEFAULT_PORTS = {"http": 80, "https": 443}

_NAME = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+"
_AUTHORITY = re.compile(rf"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>{_NAME}))(?::(?P<port>[0-9]{{1,5}}))?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_SCHEME_ONLY = re.compile(r"(?!https?:)[a-z][a-z0-9+.\-]*://")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_LOOPBACK_IPV4 = re.compile(rf"127(?:\.{_OCTET}){{3}}")
_CONFIGURED_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9\-._]*")


@dataclass(frozen=True, slots=True)
class Authority:
    """A host in lower case, an IPv6 address without its brackets, and the port if one was written."""

    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a page, in lower case; ``port`` is None for the scheme's default port."""

    scheme: str
    host: str
    port: int | None

    @property
    def is_page(self) -> bool:
        """Whether the scheme is ``http`` or ``https``; other schemes are used by desktop applications."""
        return self.scheme in _DEFAULT_PORTS


def read_authority(text: str) -> Authority:
    """Read ``uri-host [":" port]`` (RFC 9110 section 7.2): a name, an IPv4 address, or an IPv6 address in brackets.

    Raises ValueError for anything else: user information, zone ids, an empty host, and an empty port or one above
    65535.
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise ValueError("not a host and a port")
    host = match["ipv6"] or match["name"]
    port = None if match["port"] is None else int(match["port"])
    if len(host) > MAX_HOST_LENGTH or (port is not None and port > _HIGHEST_PORT):
        raise ValueError("too long a host, or too high a port")
    if match["ipv6"] is not None:
        ipaddress.IPv6Address(host)
    return Authority(host.lower(), port)


def read_origin(text: str) -> Origin:
    """Parse ``scheme://host[:port]`` without a path. Raises ValueError."""
    scheme, mark, rest = text.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):
        raise ValueError("not an origin")
    authority = read_authority(rest)
    scheme = scheme.lower()
    port = None if authority.port == _DEFAULT_PORTS.get(scheme) else authority.port
    return Origin(scheme, authority.host, port)


def read_allowed_origin(text: str) -> Origin | str:
    """Parse an origin from a setting: what ``read_origin`` accepts, or an origin without a host.

    Without a host, returned in lower case: ``*`` for any origin; ``null``, which browsers send for pages without an
    origin (local files, sandboxed frames); and a scheme alone, as desktop apps send it (``file://``). Raises
    ValueError.
    """
    lowered = text.lower()
    if lowered in {ANY_ORIGIN, "null"} or _SCHEME_ONLY.fullmatch(lowered):
        return lowered
    return read_origin(text)


def read_host(text: str) -> str:
    """Parse a host name or address from a setting: no port, IPv6 with or without brackets.

    Returns the form of ``Authority.host``, an IPv6 address in canonical form (RFC 5952). Raises ValueError.
    """
    is_bracketed = text.startswith("[") and text.endswith("]")
    if is_bracketed or ":" in text:
        if "%" in text:
            raise ValueError("an address with a zone")
        return str(ipaddress.IPv6Address(text[1:-1] if is_bracketed else text))
    if len(text) > MAX_HOST_LENGTH or not _CONFIGURED_NAME.fullmatch(text):
        raise ValueError("not a host")
    return text.lower()


def is_plain_loopback(host: str) -> bool:
    """Whether a host in lower case is ``localhost`` or a loopback address in canonical form.

    Other spellings are rejected because resolvers disagree on them: ``127.1``, ``0x7f.0.0.1``, ``0:0:0:0:0:0:0:1``,
    ``localhost.`` and ``::ffff:127.0.0.1``.
    """
    return host in {"localhost", "::1"} or _LOOPBACK_IPV4.fullmatch(host) is not None
