"""Which names a client may call this server by: what stops a page that rebinds its own name to this machine (DNS).

Pure. A browser always sends the name that it looked up, so a page can only come in under a name of its own. Addresses
cannot be rebound: one that is ours is as good as ``localhost``. Whatever only looks like one of these is refused.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from gglib.core.authorities import Authority, is_plain_loopback, read_authority, read_host
from gglib.proxy.errors import BadRequestError, HostNotAllowedError

__all__ = ["Authority", "HostRules", "parse_authority"]

_CACHE_SIZE = 256
"""Clients use a handful; whoever invents others gains nothing but being read each time."""
_MAX_BYTES = 512
"""Longer than any that can be read, so that what is remembered stays small."""
_MAPPED = "::ffff:"
"""How a socket for both kinds of addresses shows an IPv4 address (RFC 4291 section 2.5.5.2)."""


def parse_authority(value: bytes) -> Authority:
    """Return the host and the port of a ``Host`` header or of an absolute target.

    Raises ``BadRequestError`` for what RFC 9110 section 7.2 does not allow there; see ``read_authority``.
    """
    try:
        return _parsed(value)
    except ValueError:
        raise BadRequestError("The Host header is not a name or an address with a port at most.") from None


@dataclass(frozen=True, slots=True)
class HostRules:
    """The names that this server answers to, beside those that always mean this machine.

    ``bound`` are the addresses that it listens on, ``allowed`` the names of the setting ``allowed_hosts``: exact,
    in any case, with any port. Raises ValueError for an ``allowed`` that is no name and no address.
    """

    bound: frozenset[str]
    allowed: frozenset[str]
    _known: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = {"localhost", "127.0.0.1", "::1"}
        known |= {_unmapped(host.partition("%")[0].lower()) for host in self.bound}
        known |= {read_host(host) for host in self.allowed}
        object.__setattr__(self, "_known", frozenset(known))

    def check(self, authority: Authority, server_host: str | None, *, takes_keys: bool = False) -> None:
        """Raise ``HostNotAllowedError`` unless the client may call us so.

        ``server_host`` is the address that this very connection came to, as ``getsockname`` has it; None where it is no
        network address. ``takes_keys`` is whether a key would let the request in, which the error then says.
        """
        host = authority.host
        if host in self._known or host == server_host or is_plain_loopback(host):
            return
        if server_host is not None and host == _unmapped(server_host):
            return
        raise HostNotAllowedError(host, takes_keys=takes_keys)


@lru_cache(maxsize=_CACHE_SIZE)
def _parsed(value: bytes) -> Authority:
    if len(value) > _MAX_BYTES:
        raise ValueError("too long")
    return read_authority(value.decode("ascii"))


def _unmapped(address: str) -> str:
    return address.removeprefix(_MAPPED) if "." in address else address
