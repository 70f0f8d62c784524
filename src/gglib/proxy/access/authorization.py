"""Decides which callers may use a route, after ``AccessPolicy`` accepted the request. Pure.

Where keys are set, the rights of the key decide. Where no key is set, local programs are admins, because they could do
the same without gglib. A web page acts through its visitor's browser, so it needs a key in a header (browsers do not
add that header themselves, and other origins need a preflight for it), or must be a page of this server.
``docs/api.md`` has the reasoning.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gglib.core.addresses import is_loopback
from gglib.core.authorities import is_plain_loopback
from gglib.proxy.access.grants import Grant
from gglib.proxy.access.hosts import parse_authority
from gglib.proxy.errors import BadRequestError, ForbiddenError
from gglib.proxy.routes.operation_spec import Access

SAME_ORIGIN = b"same-origin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request. ``grant``: the rights of its key; None if no keys are set."""

    fields: Mapping[bytes, bytes]
    peer_host: str | None
    server_host: str | None
    grant: Grant | None
    scheme: str = "http"
    """Of the server's URLs."""

    @property
    def is_page(self) -> bool:
        """Whether the caller is a web page: only browsers send these headers, and scripts cannot change them."""
        return b"origin" in self.fields or b"sec-fetch-site" in self.fields

    @property
    def is_admin(self) -> bool:
        """Whether the caller has the rights of the user of this machine."""
        if self.grant is not None:
            return self.grant.is_admin
        if not is_local_peer(self.peer_host, self.server_host):
            return False
        return not self.is_page or self._is_own_page()

    def _is_own_page(self) -> bool:
        """Whether the page is from this server under a loopback name, which DNS rebinding cannot take over.

        Names from ``allowed_hosts`` do not count: a reverse proxy there may forward requests from anywhere.
        """
        host = self.fields.get(b"host", b"")
        try:
            name = parse_authority(host).host
        except BadRequestError:  # of a request that is refused
            return False
        if not is_plain_loopback(name):
            return False
        origin, site = self.fields.get(b"origin"), self.fields.get(b"sec-fetch-site")
        if origin is None:  # browsers omit it from same-origin GET requests
            return site == SAME_ORIGIN
        own_origin = b"%b://%b" % (self.scheme.encode(), host.lower())
        return origin.lower() == own_origin and site in {None, SAME_ORIGIN}


def check_access(required: Access, caller: Caller) -> None:
    """Raise ``ForbiddenError`` unless the caller may use a route with this access."""
    if required is Access.PUBLIC or required is Access.CLIENT or caller.is_admin:
        return
    if caller.grant is not None:
        raise ForbiddenError(
            "This path needs an API key with admin rights: use one, or set 'admin = true' for this key "
            "in config.toml on the server's machine."
        )
    if required is Access.ADMIN:
        raise ForbiddenError(
            "Only local programs and clients with an API key may use this path; web pages of other origins "
            "need a key, too: send one as 'Authorization: Bearer KEY'."
        )


def is_local_peer(peer_host: str | None, server_host: str | None) -> bool:
    """Whether a connection comes from this machine. Pure.

    If gglib listens on one network address only, local clients connect through that address, so equal addresses on both
    ends count as local too.
    """
    return peer_host is not None and (peer_host == server_host or is_loopback(peer_host))
