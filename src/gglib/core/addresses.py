"""Loopback addresses, and the URL of a server on this machine. Pure: no name resolution."""

import ipaddress
from dataclasses import dataclass, field

_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to be replaced, not bound
"""The loopback address of a server that listens on all addresses."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The URL of a gglib server, and the key for requests."""

    url: str
    key: str | None = field(default=None, repr=False)
    """The key that the server generated for gglib's own commands, or the user's for a remote server; None: no key."""
    is_remote: bool = False
    """Whether the user named the server (``--url``, ``GGLIB_HOST``); else it is the one of this home."""


def reachable_url(host: str, port: int | None) -> str:
    """Return the URL under which clients on this machine reach a server that listens on ``host``."""
    return http_url(_LOOPBACK_OF.get(host, host), port)


def http_url(host: str, port: int | None) -> str:
    """Return the URL of a name or an address, of IPv6 in brackets (RFC 3986 section 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
