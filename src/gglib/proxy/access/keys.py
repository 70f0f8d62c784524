"""Whether a request carries one of the access keys, and which. Pure; it never shows a key, and keeps none."""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from gglib.http.headers import Headers
from gglib.proxy.errors import UnauthorizedError

PUBLIC_PATHS = frozenset((b"/health",))
"""What needs no key, compared with the path as it came: ``/%68ealth`` is another one."""

_CREDENTIALS = frozenset((b"authorization", b"x-api-key"))
_BEARER = b"bearer"


class AccessKeys:
    """The keys that are accepted, by name; without any, everybody may come in. Raises ValueError for an empty key."""

    __slots__ = ("_digests",)

    def __init__(self, keys: Mapping[str, str]) -> None:
        if not all(keys.values()):
            raise ValueError("an access key is empty")
        self._digests = tuple((name, _digest(key.encode())) for name, key in keys.items())

    def __bool__(self) -> bool:
        """Whether a key is needed."""
        return bool(self._digests)

    def accepts(self, headers: Headers) -> bool:
        """Whether a request carries one of the keys, where any are set."""
        try:
            return self.check(headers) is not None
        except UnauthorizedError:
            return False

    def check(self, headers: Headers) -> str | None:
        """Return the name of the key that a request carries, None where none is needed.

        ``Authorization: Bearer KEY`` (RFC 6750; the scheme in any case) or ``x-api-key: KEY``. Several of them have to
        carry the same key: else a proxy before us and we might each believe another one. Raises ``UnauthorizedError``,
        the same whatever was wrong.

        Digests are compared, each of them, and all of each: how long that takes says nothing about a key.
        """
        if not self._digests:
            return None
        given = [_digest(_key(name, value)) for name, value in headers if name in _CREDENTIALS]
        if not given or not all([hmac.compare_digest(given[0], one) for one in given]):  # noqa: C419 - no early exit
            raise UnauthorizedError
        found = [name for name, digest in self._digests if hmac.compare_digest(digest, given[0])]
        if not found:
            raise UnauthorizedError
        return found[0]


def _key(name: bytes, value: bytes) -> bytes:
    """Return the key of a credential header; empty, which no key is, when its form is another one."""
    if name == b"x-api-key":
        return value
    scheme, _, key = value.partition(b" ")
    return key.strip(b" ") if scheme.lower() == _BEARER else b""


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
