"""Loopback addresses, and the URLs of servers. Pure: no name resolution."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

DEFAULT_PORT = 8080
"""The port of an address without a scheme; with one it is the scheme's, 80 or 443."""

_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to be replaced, not bound
"""The loopback address of a server that listens on all addresses."""


@dataclass(frozen=True, slots=True)
class PinnedAddress:
    """How gglib's own commands reach an HTTPS server of this machine, whatever names its certificate has."""

    url: str
    """Its address on this machine."""
    certificate: str = field(repr=False)
    """The only certificate that is accepted, in PEM."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The URL of a gglib server, and the key for requests."""

    url: str
    key: str | None = field(default=None, repr=False)
    """The key that the server generated for gglib's own commands, or the user's for a remote server; None: no key."""
    is_remote: bool = False
    """Whether the user named the server (``--url``, ``GGLIB_HOST``); else it is the one of this home."""
    pinned: PinnedAddress | None = None
    """Of an HTTPS server of this home; None: requests go to ``url``."""
    ca_file: str | None = None
    """The file of the certificates that are trusted for a remote server (``--ca``); None: those of the system."""


def reachable_url(host: str, port: int | None, *, scheme: str = "http") -> str:
    """Return the URL under which clients on this machine reach a server that listens on ``host``."""
    return http_url(_LOOPBACK_OF.get(host, host), port, scheme=scheme)


def http_url(host: str, port: int | None, *, scheme: str = "http") -> str:
    """Return the URL of a name or an address, of IPv6 in brackets (RFC 3986 section 3.2.2)."""
    authority = f"[{host}]" if ":" in host else host
    return f"{scheme}://{authority}" if port is None else f"{scheme}://{authority}:{port}"


def base_url(text: str) -> str:
    """Return the URL of an address: ``box``, ``box:8080``, ``http://box:8080``, ``https://box``.

    Scheme and authority, without a trailing slash. Raises ValueError for anything else, also for a user name.
    """
    text = text.strip()
    has_scheme = "://" in text
    if not has_scheme and text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"  # an IPv6 address without a port
    parts = urlsplit(text if has_scheme else f"http://{text}")
    port = parts.port
    is_whole = parts.path in {"", "/"} and not parts.query and not parts.fragment and len(text.split()) == 1
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_whole or "@" in parts.netloc:
        raise ValueError("not the address of a server")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is None and not has_scheme:
        port = DEFAULT_PORT
    return f"{parts.scheme}://{host}" if port is None else f"{parts.scheme}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host is ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
