"""One request as the routes see it. It knows neither routes nor ports."""

import asyncio
import itertools
import secrets

from gglib.http.errors import BodyTooLargeError
from gglib.http.headers import sane_request_id
from gglib.http.request_head import RequestHead
from gglib.http.response_writer import CONTINUE
from gglib.http.server.body import IncomingBody
from gglib.http.server.transport import ResponseTransport
from gglib.http.tasks import Interruptible

_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)


def new_request_id() -> str:
    """Return an id that no other request has had: not a secret, and cheaper than one."""
    return f"req_{_PROCESS}{next(_numbers):08x}"


class ClientLeftError(Exception):
    """The client closed its connection: nobody is left to answer."""

    code = "client_left"
    """What the access log says of an answer that ends with it."""


class ClientStalledError(ClientLeftError):
    """The client took nothing of its answer for too long, and its connection was closed."""

    code = "client_stalled"


class Request:
    """One request. What serves it may derive a class with attributes of its own, and has the listener make those."""

    __slots__ = (
        "_body",
        "_content_length",
        "_transport",
        "block",
        "has_left",
        "head",
        "id",
        "path",
    )

    def __init__(
        self,
        head: RequestHead,
        content_length: int | None,
        body: IncomingBody | bytes,
        transport: ResponseTransport,
        *,
        task: asyncio.Task[None] | None = None,
    ) -> None:
        """``task`` is the one that answers it, where it is known already."""
        self.head = head
        self._content_length = content_length
        self._body = body
        self._transport = transport
        self.has_left = False
        """Whether the client is gone."""
        self.block = Interruptible(task)
        """What answers this request, to be ended from outside."""
        self.id = sane_request_id(head.fields) or new_request_id()
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
    def own_host(self) -> str | None:
        """The address that the connection came to; None when it is no network address."""
        return self._transport.own_host

    def leave(self, why: ClientLeftError | None = None) -> None:
        """Note that the client is gone, and end what answers it."""
        why = why or ClientLeftError()
        self.has_left = True
        if isinstance(self._body, IncomingBody):
            self._body.fail(why)
        self.block.end_with(why)

    async def read_body(self, *, limit_bytes: int) -> bytes:
        """Return the whole body.

        Raises ``BodyTooLargeError``, ``ClientLeftError`` for a body without its end, and ``HttpError`` for one that is
        malformed or does not come in time.
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
