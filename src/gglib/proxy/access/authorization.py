"""Who may change what this machine has, or see where it is, of those whom the policy let in. Pure.

A program that runs on this machine could do as much by itself, and whoever showed a key was given it for that. Neither
holds for a web page, which acts with its visitor's browser: it needs the key in a header of its own, which no browser
adds by itself and no page of another origin may send unasked (a preflight), or it has to be a page of this very server.
``docs/api.md`` has the reasoning.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gglib.core.addresses import is_loopback
from gglib.core.authorities import is_plain_loopback
from gglib.proxy.access.hosts import parse_authority
from gglib.proxy.errors import ForbiddenError

SAME_ORIGIN = b"same-origin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``has_key`` is whether it had to show a key to come so far, so that it has one."""

    fields: Mapping[bytes, bytes]
    peer_host: str | None
    server_host: str | None
    has_key: bool

    @property
    def is_page(self) -> bool:
        """Whether it is a page in a browser: browsers alone send these headers, and scripts cannot change them."""
        return b"origin" in self.fields or b"sec-fetch-site" in self.fields

    @property
    def is_authorized(self) -> bool:
        """Whether it may do what the user of this machine may."""
        if self.has_key:
            return True
        if not is_local_peer(self.peer_host, self.server_host):
            return False
        return not self.is_page or self._is_own_page()

    def _is_own_page(self) -> bool:
        """Whether the page came from this server, under a name of this machine that no DNS server can give away.

        Not under a name from ``allowed_hosts``: there, something before us may pass on what comes from anywhere.
        """
        host = self.fields.get(b"host", b"")
        if not is_plain_loopback(parse_authority(host).host):
            return False
        origin, site = self.fields.get(b"origin"), self.fields.get(b"sec-fetch-site")
        if origin is None:  # a browser leaves it out of what a page reads from its own server
            return site == SAME_ORIGIN
        return origin.lower() == b"http://" + host.lower() and site in {None, SAME_ORIGIN}


def require_authorization(caller: Caller) -> None:
    """Raise ``ForbiddenError`` unless the caller is trusted."""
    if not caller.is_authorized:
        raise ForbiddenError(
            "Only programs on this machine, and whoever shows an access key, may use this path; "
            "web pages of other origins need one, too."
        )


def is_local_peer(peer_host: str | None, server_host: str | None) -> bool:
    """Whether a connection comes from this machine. Pure.

    A gglib that listens on one address of a network is reached from its own machine by that address only, so the
    same address on both ends is this machine too.
    """
    return peer_host is not None and (peer_host == server_host or is_loopback(peer_host))
