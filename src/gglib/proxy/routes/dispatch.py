"""A described operation becomes a handler: access, then path, query and body, read as strictly as described."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from gglib.core.ports import ModelLibraryPort
from gglib.http.headers import is_encoded
from gglib.proxy.access.authorization import Caller, require_trust
from gglib.proxy.answer import Answer
from gglib.proxy.errors import ContentEncodingError, NoLibraryError
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.routes.operation import Access, Description, Place
from gglib.proxy.routes.parsing import (
    BODY_LIMIT_BYTES,
    Values,
    read_body,
    read_path,
    read_query,
)

Handler = Callable[[ProxyRequest, Answer, Services], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What is served at one method of one path."""

    description: Description
    handler: Handler


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose values were read."""

    request: ProxyRequest
    services: Services
    values: Values
    """Of the path, the query and the body, by name; their descriptions keep the names apart."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - of the type that its schema says
        """Return a value; None where it was left out."""
        return self.values[name]

    @property
    def is_trusted(self) -> bool:
        """Whether the caller may see where things are."""
        return caller_of(self.request, self.services).is_trusted

    @property
    def library(self) -> ModelLibraryPort:
        """The library. Raises ``NoLibraryError``."""
        if self.services.library is None:
            raise NoLibraryError
        return self.services.library


Act = Callable[[Call, Answer], Awaitable[None]]


def operation(act: Act, **description: Any) -> Operation:  # noqa: ANN401 - fields of Description
    """Return the operation that ``act`` carries out once a request was read."""
    described = Description(**description)
    return Operation(described, partial(_read_and_act, described, act))


def relayed(handler: Handler, **description: Any) -> Operation:  # noqa: ANN401 - fields of Description
    """Return an operation whose handler reads the request by itself: the dialects of others."""
    return Operation(Description(**description), handler)


def caller_of(request: ProxyRequest, services: Services) -> Caller:
    """Return who asks."""
    has_key = bool(services.options.api_keys)  # the gate has seen it
    return Caller(request.fields, request.peer_host, request.own_host, has_key)


async def _read_and_act(
    described: Description, act: Act, request: ProxyRequest, answer: Answer, services: Services
) -> None:
    if described.access is Access.TRUSTED:
        require_trust(caller_of(request, services))
    call = Call(request, services, {})
    if described.needs_library:
        _ = call.library
    if described.is_template:
        call.values.update(read_path(described, request.path))
    if any(one.place is Place.QUERY for one in described.parameters):
        call.values.update(read_query(described.parameters, request.query))
    if described.body is not None:
        if is_encoded(request.fields.get(b"content-encoding", b"identity")):
            raise ContentEncodingError
        call.values.update(read_body(described.body, await request.read_body(limit_bytes=BODY_LIMIT_BYTES)))
    await act(call, answer)
