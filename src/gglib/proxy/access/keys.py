"""Checks the API key of a request. Pure; stores only digests and never returns a key."""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from gglib.core.api_keys import ApiKey
from gglib.http.headers import Headers
from gglib.proxy.access.grants import Grant
from gglib.proxy.errors import UnauthorizedError

_CREDENTIALS = frozenset((b"authorization", b"x-api-key"))
_BEARER = b"bearer"


class AccessKeys:
    """The accepted keys, by name; immutable. Without keys every request is accepted.

    A ``str`` is a key with all rights. Raises ValueError for an empty key.
    """

    __slots__ = ("_grants",)

    def __init__(self, keys: Mapping[str, ApiKey | str]) -> None:
        parsed = {name: ApiKey.admin(key) if isinstance(key, str) else key for name, key in keys.items()}
        self._grants = tuple((_digest(key.key.encode()), Grant.of(name, key)) for name, key in parsed.items())

    def __bool__(self) -> bool:
        """Whether keys are set."""
        return bool(self._grants)

    def accepts(self, headers: Headers) -> bool:
        """Whether keys are set and the request carries one of them."""
        try:
            return self.check(headers) is not None
        except UnauthorizedError:
            return False

    def check(self, headers: Headers) -> Grant | None:
        """Return the rights of the key that a request carries; None if no keys are set.

        Reads ``Authorization: Bearer KEY`` (RFC 6750; the scheme in any case) and ``x-api-key: KEY``. Several headers
        must carry the same key, so that a reverse proxy and gglib cannot use different ones. Raises
        ``UnauthorizedError``, the same for every reason.

        All digests are compared completely, so the time of the check reveals nothing about a key.
        """
        if not self._grants:
            return None
        given = [_digest(_key(name, value)) for name, value in headers if name in _CREDENTIALS]
        if not given or not all([hmac.compare_digest(given[0], other) for other in given]):  # noqa: C419 - no early exit
            raise UnauthorizedError
        found = [grant for digest, grant in self._grants if hmac.compare_digest(digest, given[0])]
        if not found:
            raise UnauthorizedError
        return found[0]


def _key(name: bytes, value: bytes) -> bytes:
    """Return the key of a credential header; empty, which never matches, if its form is invalid."""
    if name == b"x-api-key":
        return value
    scheme, _, key = value.partition(b" ")
    return key.strip(b" ") if scheme.lower() == _BEARER else b""


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
