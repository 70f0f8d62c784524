"""Who may come in: by which name, from which page, with which key. In front of every route, in this order. Pure."""

from dataclasses import dataclass

from gglib.proxy.access import OPEN_PATHS, AccessKeys
from gglib.proxy.cors import CorsRules
from gglib.proxy.headers import Headers
from gglib.proxy.hosts import HostRules, parse_authority
from gglib.proxy.http1.head import RequestHead


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules of one server."""

    hosts: HostRules
    cors: CorsRules
    keys: AccessKeys

    def answer_headers(self, head: RequestHead) -> Headers:
        """Return what every answer to this request carries, so that the page which asked may read it."""
        return self.cors.answer_headers(head.fields.get(b"origin"))

    def preflight(self, head: RequestHead, own_host: str | None) -> Headers | None:
        """Return the headers of the answer to a browser that asks whether it may ask; None where it does not.

        Raises ``HostNotAllowedError``, ``OriginNotAllowedError`` and ``BadRequestError``. It carries no key.
        """
        host = head.fields[b"host"]
        self.hosts.check(parse_authority(host), own_host)
        self.cors.check(head.fields.get(b"origin"), host)
        return self.cors.preflight(head.headers) if head.method == "OPTIONS" else None

    def check_key(self, head: RequestHead) -> str | None:
        """Return the name of the key that the request carries, None where it needs none. The path counts as it came.

        Raises ``UnauthorizedError``.
        """
        return None if head.raw_path.encode() in OPEN_PATHS else self.keys.check(head.headers)
