"""The types of ASGI, and one request as the routes see it. It knows neither routes nor ports."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gglib.proxy import headers as header_rules
from gglib.proxy.errors import BodyTooLargeError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientLeftError(Exception):
    """The client closed its connection: nobody is left to answer."""


class Request:
    """One request. ``model`` is the catalogue's name of the model it turned out to be for, None before that."""

    __slots__ = ("_scope", "headers", "id", "method", "model", "path", "receive")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: header_rules.Headers = list(scope["headers"])
        self.id = header_rules.sane_request_id(self.headers) or f"req_{secrets.token_hex(12)}"
        self.model: str | None = None

    @property
    def raw_path(self) -> str:
        """The path as the client wrote it, percent signs and all: safe to log, on one line."""
        raw: bytes = self._scope["raw_path"]
        return raw.decode("ascii", "backslashreplace")

    @property
    def query(self) -> bytes:
        """What stands after the question mark, as the client wrote it; never logged."""
        query: bytes = self._scope["query_string"]
        return query

    @property
    def peer_host(self) -> str | None:
        """The address that the connection comes from; None when it is no network address."""
        client = self._scope.get("client")
        return client[0] if client else None

    @property
    def own_host(self) -> str | None:
        """The address that the connection came to; None when it is no network address."""
        server = self._scope.get("server")
        return server[0] if server else None

    @property
    def may_keep_alive(self) -> bool:
        """Whether the client lets its connection be used again."""
        is_old = self._scope.get("http_version") == "1.0"
        return not is_old and b"close" not in header_rules.connection_options(self.headers)

    async def read_body(self, *, limit_bytes: int) -> bytes:
        """Return the whole body; raises ``BodyTooLargeError``, and ``ClientLeftError`` for a body without its end."""
        declared = header_rules.first(self.headers, b"content-length")
        if declared is not None and int(declared) > limit_bytes:
            raise BodyTooLargeError(limit_bytes)
        parts: list[bytes] = []
        size_bytes = 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientLeftError
            part: bytes = message.get("body", b"")
            size_bytes += len(part)
            if size_bytes > limit_bytes:
                raise BodyTooLargeError(limit_bytes)
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)
