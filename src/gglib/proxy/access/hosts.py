"""Checks the ``Host`` of requests against DNS rebinding by web pages.

Pure. A browser sends the name that it resolved as ``Host``, so requests of a rebinding page carry the page's own name.
Addresses cannot be rebound: the server's own addresses are as safe as ``localhost``. Non-canonical spellings are
refused.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from gglib.core.authorities import Authority, is_plain_loopback, read_authority, read_host
from gglib.proxy.errors import BadRequestError, HostNotAllowedError

__all__ = ["Authority", "HostRules", "parse_authority", "unmapped"]

_CACHE_SIZE = 256
"""Clients use a handful of names; others only cause cache misses."""
_MAX_BYTES = 512
"""Longer than any valid host; bounds the size of the cache."""
_MAPPED = "::ffff:"
"""Prefix of IPv4 addresses on a dual-stack socket (RFC 4291 section 2.5.5.2)."""


def parse_authority(value: bytes) -> Authority:
    """Return the host and port of a ``Host`` header or of an absolute target.

    Raises ``BadRequestError`` for values that RFC 9110 section 7.2 does not allow; see ``read_authority``.
    """
    try:
        return _parsed(value)
    except ValueError:
        raise BadRequestError(
            "The 'Host' header must be a name or an address, with an optional port."
        ) from None


@dataclass(frozen=True, slots=True)
class HostRules:
    """The allowed host names of this server, in addition to loopback names.

    ``bound`` are the addresses that it listens on, ``allowed`` the setting ``allowed_hosts``. Whole names are compared,
    without regard to case and port. Raises ValueError for an invalid name in ``allowed``.
    """

    bound: frozenset[str]
    allowed: frozenset[str]
    _names: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = {"localhost", "127.0.0.1", "::1"}
        names |= {unmapped(host.partition("%")[0].lower()) for host in self.bound}
        names |= {read_host(host) for host in self.allowed}
        object.__setattr__(self, "_names", frozenset(names))

    def check(self, authority: Authority, server_host: str | None, *, accepts_keys: bool = False) -> None:
        """Raise ``HostNotAllowedError`` unless the host is allowed.

        ``server_host`` is the local address of the connection (``getsockname``); None for unix sockets. With
        ``accepts_keys`` the error message also suggests sending an API key, which bypasses this check.
        """
        host = authority.host
        if host in self._names or host == server_host or is_plain_loopback(host):
            return
        if server_host is not None and host == unmapped(server_host):
            return
        raise HostNotAllowedError(host, accepts_keys=accepts_keys)


@lru_cache(maxsize=_CACHE_SIZE)
def _parsed(value: bytes) -> Authority:
    if len(value) > _MAX_BYTES:
        raise ValueError("too long")
    return read_authority(value.decode("ascii"))


def unmapped(address: str) -> str:
    """Return the IPv4 address of an IPv4-mapped IPv6 address; other addresses unchanged."""
    return address.removeprefix(_MAPPED) if "." in address else address
