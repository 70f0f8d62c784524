"""The access policy in front of every route: checks host, then origin, then key. Pure.

A policy is one immutable value: the server replaces it as a whole when keys change while it runs.
"""

from dataclasses import dataclass

from gglib.core.api_keys import LOCAL_KEY_NAME
from gglib.http.headers import Headers
from gglib.http.request_head import RequestHead
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.grants import NO_RIGHTS, Grant
from gglib.proxy.access.hosts import Authority, HostRules, parse_authority
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.public_paths import PAGE_FILES, is_public_path, needs_no_key
from gglib.proxy.errors import BadRequestError, RevokedKeyError, UnauthorizedError

_READ_METHODS = frozenset(("GET", "HEAD"))


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The access rules of one server."""

    hosts: HostRules
    cors: CorsRules
    keys: AccessKeys

    def response_headers(self, head: RequestHead) -> Headers:
        """Return the CORS headers of every response to the request.

        The files of the page have none: they are for their own origin, whose browsers send ``Origin`` for each module.
        """
        origin = head.fields.get(b"origin")
        if origin is not None and head.raw_path.startswith(PAGE_FILES):
            return []
        return self.cors.response_headers(origin)

    def check_host_and_origin(self, head: RequestHead, server_host: str | None) -> Headers | None:
        """Check host and origin. Return the response headers for a CORS preflight, None for other requests.

        Raises ``HostNotAllowedError``, ``OriginNotAllowedError`` and ``BadRequestError``. A preflight carries no key.
        """
        host = head.fields.get(b"host")
        authority = None if host is None else parse_authority(host)
        if not is_public(head):
            self._check_host(head, authority, server_host)
            self.cors.check(head.fields.get(b"origin"), host)
        return self.cors.preflight(head.headers) if head.method == "OPTIONS" else None

    def check_key(self, head: RequestHead) -> Grant | None:
        """Return the rights of the request's API key; None if no keys are set. Compares the raw path.

        Raises ``UnauthorizedError``. A request to a path without keys needs none, and its key is not checked.
        """
        if self.keys and needs_no_key(head.raw_path):
            return NO_RIGHTS
        return self.keys.check(head.headers)

    def check_key_in_use(self, head: RequestHead, grant: Grant | None) -> None:
        """Check the key of a request in progress, which had the rights ``grant``, under this policy.

        Raises ``RevokedKeyError`` if there is no such key any more, also where no key is required.
        The server's own key stays valid: without keys it is not needed.
        """
        if grant is None or grant.key_name is None:
            return
        if not self.keys:
            if grant.key_name != LOCAL_KEY_NAME:
                raise RevokedKeyError
            return
        try:
            self.keys.check(head.headers)
        except UnauthorizedError:
            raise RevokedKeyError from None

    def _check_host(self, head: RequestHead, authority: Authority | None, server_host: str | None) -> None:
        """Check ``Host``, unless the request carries a key.

        The check protects servers without keys against DNS rebinding; a rebinding page has no key. A preflight cannot
        carry one, but the request after it must.
        """
        if self.keys and (head.method == "OPTIONS" or self.keys.accepts(head.headers)):
            return
        if authority is None:
            raise BadRequestError("The request must have one 'Host' header.")
        self.hosts.check(authority, server_host, accepts_keys=bool(self.keys))


def is_public(head: RequestHead) -> bool:
    """Whether the request is allowed with any host and origin, because its response reveals nothing."""
    return head.method in _READ_METHODS and is_public_path(head.raw_path)
