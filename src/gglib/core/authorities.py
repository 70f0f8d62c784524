"""Names and addresses as URIs write them, and the origins of web pages (RFC 3986 section 3.2, RFC 6454).

Pure: nothing is looked up, nothing is decoded, and no spelling stands for another one.
"""

import ipaddress
import re
from dataclasses import dataclass

MAX_HOST_LENGTH = 255
"""RFC 3986 section 3.2.2: what DNS can hold."""
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
    """Where a page comes from, in lower case; a port that is the scheme's own is None."""

    scheme: str
    host: str
    port: int | None

    @property
    def is_page(self) -> bool:
        """Whether a browser got it from a web server; other schemes belong to programs of this machine."""
        return self.scheme in _DEFAULT_PORTS


def read_authority(text: str) -> Authority:
    """Read ``uri-host [":" port]`` (RFC 9110 section 7.2): a name, an IPv4 address, or an IPv6 address in brackets.

    Raises ValueError for anything else: user information, zones, an empty host, an empty port or one above 65535.
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
    """Read ``scheme://host[:port]``, nothing after it. Raises ValueError."""
    scheme, mark, rest = text.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):
        raise ValueError("not an origin")
    authority = read_authority(rest)
    scheme = scheme.lower()
    port = None if authority.port == _DEFAULT_PORTS.get(scheme) else authority.port
    return Origin(scheme, authority.host, port)


def read_allowed_origin(text: str) -> Origin | str:
    """Read an origin as a person writes it into a setting: what ``read_origin`` takes, or one without a host.

    Without a host, in lower case: ``*`` for any origin; ``null``, which browsers send for pages without an origin
    (local files, sandboxed frames); and a scheme alone, as desktop apps have it (``file://``). Raises ValueError.
    """
    lowered = text.lower()
    if lowered in {ANY_ORIGIN, "null"} or _SCHEME_ONLY.fullmatch(lowered):
        return lowered
    return read_origin(text)


def read_host(text: str) -> str:
    """Read a name or an address as a person writes it into a setting: no port, IPv6 with or without brackets.

    Returns it as ``Authority.host`` has it, an IPv6 address in its one canonical form (RFC 5952). Raises ValueError.
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
    """Whether a host in lower case is ``localhost`` or a loopback address in its one canonical spelling.

    ``127.1``, ``0x7f.0.0.1`` and ``0:0:0:0:0:0:0:1`` mean the same to some, ``localhost.`` and ``::ffff:127.0.0.1``
    to most: whoever wants this machine can say so plainly, so none of them is worth the doubt.
    """
    return host in {"localhost", "::1"} or _LOOPBACK_IPV4.fullmatch(host) is not None
