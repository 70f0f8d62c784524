"""One request as the routes see it. It knows neither routes nor ports."""

import asyncio
import itertools
import secrets

from gglib.http.errors import BodyTooLargeError
from gglib.http.headers import valid_request_id
from gglib.http.request_head import RequestHead
from gglib.http.response_writer import CONTINUE
from gglib.http.server.body import RequestBody
from gglib.http.server.transport import ResponseTransport
from gglib.http.tasks import CancelScope

_PROCESS_PREFIX = secrets.token_hex(6)
_numbers = itertools.count(1)


def new_request_id() -> str:
    """Return an id that no other request has had: not a secret, and cheaper than one."""
    return f"req_{_PROCESS_PREFIX}{next(_numbers):08x}"


class ClientDisconnectedError(Exception):
    """The client closed its connection: nobody is left to answer."""

    code = "client_left"
    """What the access log says of an answer that ends with it."""


class ClientStalledError(ClientDisconnectedError):
    """The client took nothing of its answer for too long, and its connection was closed."""

    code = "client_stalled"


class Request:
    """One request. What serves it may derive a class with attributes of its own, and has the listener make those."""

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

    def __init__(
        self,
        head: RequestHead,
        content_length: int | None,
        body: RequestBody | bytes,
        transport: ResponseTransport,
        *,
        task: asyncio.Task[None] | None = None,
    ) -> None:
        """``task`` is the one that answers it, where it is known already."""
        self.head = head
        self._content_length = content_length
        self._body = body
        self._transport = transport
        self.is_disconnected = False
        """Whether the client is gone."""
        self.cancel_scope = CancelScope(task)
        """What answers this request, to be ended from outside."""
        self.id = valid_request_id(head.fields) or new_request_id()
        self.path = head.raw_path
        """The path, percent signs and all: safe to log, on one line. As it came, until a route is found whose spelling
        differs."""

    @property
    def method(self) -> str:
        """The method as it came."""
        return self.head.method

    @property
    def query(self) -> bytes:
        """What stands after the question mark, as the client wrote it; never logged."""
        return self.head.query

    @property
    def fields(self) -> dict[bytes, bytes]:
        """The value of each header; see ``RequestHead.fields``."""
        return self.head.fields

    @property
    def peer_host(self) -> str | None:
        """The address that the connection comes from; None when it is no network address."""
        return self._transport.peer_host

    @property
    def server_host(self) -> str | None:
        """The address that the connection came to; None when it is no network address."""
        return self._transport.server_host

    def disconnect(self, why: ClientDisconnectedError | None = None) -> None:
        """Note that the client is gone, and end what answers it."""
        why = why or ClientDisconnectedError()
        self.is_disconnected = True
        if isinstance(self._body, RequestBody):
            self._body.fail(why)
        self.cancel_scope.cancel_with(why)

    async def read_body(self, *, limit_bytes: int) -> bytes:
        """Return the whole body.

        Raises ``BodyTooLargeError``, ``ClientDisconnectedError`` if the client disconnects before the end of the body,
        and ``HttpError`` if the body is malformed or late.
        """
        length = self._content_length
        if length is not None and length > limit_bytes:
            raise BodyTooLargeError(limit_bytes)
        if isinstance(self._body, bytes):
            return self._body  # all of it came with its head, and its length was told
        self._body.lower_limit(limit_bytes)
        if self.head.wants_continue and not self._body.has_begun:
            self._transport.write(CONTINUE)
        return await self._body.read()
