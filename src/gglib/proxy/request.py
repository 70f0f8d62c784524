"""One request as the routes see it. It knows neither routes nor ports."""

import itertools
import secrets

from gglib.proxy.edge.body import IncomingBody
from gglib.proxy.edge.head import RequestHead
from gglib.proxy.edge.wire import Wire
from gglib.proxy.edge.writer import CONTINUE
from gglib.proxy.errors import BodyTooLargeError
from gglib.proxy.headers import Headers, sane_request_id
from gglib.proxy.interrupt import Interruptible

_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)


def new_request_id() -> str:
    """Return an id that no other request has had: not a secret, and cheaper than one."""
    return f"req_{_PROCESS}{next(_numbers):08x}"


class ClientLeftError(Exception):
    """The client closed its connection: nobody is left to answer."""


class Request:
    """One request. ``model`` is the catalogue's name of the model it turned out to be for, None before that."""

    __slots__ = ("_body", "_has_left", "_head", "_wire", "block", "id", "model", "waited_s")

    def __init__(self, head: RequestHead, body: IncomingBody, wire: Wire) -> None:
        self._head = head
        self._body = body
        self._wire = wire
        self._has_left = False
        self.block = Interruptible()
        """What answers this request, to be ended from outside."""
        self.id = sane_request_id(head.fields) or new_request_id()
        self.model: str | None = None
        self.waited_s: float | None = None
        """How long it waited for its model; None while it has none."""

    @property
    def method(self) -> str:
        """The method as it came."""
        return self._head.method

    @property
    def path(self) -> str:
        """The path as it came, percent signs and all: safe to log, on one line. Routes compare it as it is."""
        return self._head.raw_path

    @property
    def minor_version(self) -> int:
        """0 or 1 of HTTP/1."""
        return self._head.minor_version

    @property
    def query(self) -> bytes:
        """What stands after the question mark, as the client wrote it; never logged."""
        return self._head.query

    @property
    def headers(self) -> Headers:
        """All headers, names in lower case."""
        return self._head.headers

    @property
    def fields(self) -> dict[bytes, bytes]:
        """The last value of each header."""
        return self._head.fields

    @property
    def peer_host(self) -> str | None:
        """The address that the connection comes from; None when it is no network address."""
        return self._wire.peer_host

    @property
    def own_host(self) -> str | None:
        """The address that the connection came to; None when it is no network address."""
        return self._wire.own_host

    @property
    def has_left(self) -> bool:
        """Whether the client is gone."""
        return self._has_left

    def leave(self) -> None:
        """Note that the client is gone, and end what answers it."""
        self._has_left = True
        self._body.fail(ClientLeftError())
        self.block.end_with(ClientLeftError())

    async def read_body(self, *, limit_bytes: int) -> bytes:
        """Return the whole body.

        Raises ``BodyTooLargeError``, ``ClientLeftError`` for a body without its end, and ``EdgeError`` for one that is
        malformed or does not come in time.
        """
        length = self._head.content_length
        if length is not None and length > limit_bytes:
            raise BodyTooLargeError(limit_bytes)
        if self._head.wants_continue and not self._body.has_begun:
            self._wire.write(CONTINUE)
        return await self._body.read(limit_bytes=limit_bytes)
