"""One request, as request handlers see it. This module has no knowledge of routes."""

import asyncio
import itertools
import secrets

from gglib.http.errors import BodyTooLargeError
from gglib.http.request_head import RequestHead
from gglib.http.response_writer import CONTINUE
from gglib.http.server.body import RequestBody
from gglib.http.server.transport import ResponseTransport
from gglib.http.tasks import CancelScope

_PROCESS_PREFIX = secrets.token_hex(6)
_numbers = itertools.count(1)


def new_request_id() -> str:
    """Return a unique request id. It is a counter, which is cheap but predictable: do not use it as a secret."""
    return f"req_{_PROCESS_PREFIX}{next(_numbers):08x}"


class ClientDisconnectedError(Exception):
    """The client closed its connection before the response was complete."""

    code = "client_left"
    """The reason in the access log."""


class ClientStalledError(ClientDisconnectedError):
    """The client read nothing of its response for too long, and the server closed the connection."""

    code = "client_stalled"


class Request:
    """One request. Applications may subclass it to add attributes; see ``HttpServer.request_class``."""

    __slots__ = (
        "_body",
        "_content_length",
        "_transport",
        "cancel_scope",
        "head",
        "id",
        "is_disconnected",
        "path",
    )

    def __init__(  # noqa: PLR0913 - the parts of a request; an object for them would cost each request 0.3 us
        self,
        head: RequestHead,
        content_length: int | None,
        body: RequestBody | bytes,
        transport: ResponseTransport,
        *,
        task: asyncio.Task[None] | None = None,
        request_id: str | None = None,
    ) -> None:
        """``task`` is the task that serves the request, if it is known already; ``request_id`` is the client's."""
        self.head = head
        self._content_length = content_length
        self._body = body
        self._transport = transport
        self.is_disconnected = False
        """Whether the client has disconnected."""
        self.cancel_scope = CancelScope(task)
        """Scope of the block that serves this request, so that ``disconnect`` can cancel it."""
        self.id = request_id or new_request_id()
        self.path = head.raw_path
        """The path, still percent-encoded, so safe to log on one line. As received, until routing replaces it with the
        canonical path of the route."""

    @property
    def method(self) -> str:
        """The method as received."""
        return self.head.method

    @property
    def query(self) -> bytes:
        """The query string as received, without the question mark; never logged."""
        return self.head.query

    @property
    def fields(self) -> dict[bytes, bytes]:
        """The value of each header; see ``RequestHead.fields``."""
        return self.head.fields

    @property
    def peer_host(self) -> str | None:
        """The IP address of the client; None if the socket is not an IP socket."""
        return self._transport.peer_host

    @property
    def server_host(self) -> str | None:
        """The IP address that the client connected to; None if the socket is not an IP socket."""
        return self._transport.server_host

    def disconnect(self, reason: ClientDisconnectedError | None = None) -> None:
        """Mark the client as disconnected, and cancel the handler with ``reason``."""
        reason = reason or ClientDisconnectedError()
        self.is_disconnected = True
        if isinstance(self._body, RequestBody):
            self._body.fail(reason)
        self.cancel_scope.cancel_with(reason)

    def keep_body(self, body: bytes) -> None:
        """Return ``body``, which ``read_body`` has returned before, from its later calls too: it frees the body."""
        self._body = body

    async def read_body(self, *, limit_bytes: int) -> bytes:
        """Return the whole body.

        Raises ``BodyTooLargeError``, ``ClientDisconnectedError`` if the client disconnects before the end of the body,
        and ``HttpError`` if the body is malformed or times out.
        """
        length = self._content_length
        if length is not None and length > limit_bytes:
            raise BodyTooLargeError(limit_bytes)
        if isinstance(self._body, bytes):
            return self._body  # received together with the head; its length is checked above
        self._body.lower_limit(limit_bytes)
        if self.head.wants_continue and not self._body.has_begun:
            self._transport.write(CONTINUE)
        return await self._body.read()
