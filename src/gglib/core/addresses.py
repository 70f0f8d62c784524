"""Which addresses mean this machine. Pure: nothing is looked up."""

import ipaddress
from dataclasses import dataclass, field

_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to be replaced, not bound
"""Listening on all addresses, a server is reached from its own machine by this one."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a gglib answers, and the key that it made for the commands of its own user; None where it needs none."""

    url: str
    key: str | None = field(default=None, repr=False)


def reachable_url(host: str, port: int | None) -> str:
    """Return the URL at which this machine reaches a server that listens on ``host``."""
    host = _LOOPBACK_OF.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a name or an address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
