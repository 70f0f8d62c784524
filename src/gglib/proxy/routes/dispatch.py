"""Turns an endpoint and its spec into a handler that parses path, query and body strictly."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from gglib.core.ports import ModelLibraryPort
from gglib.core.ports.machine import MachinePorts
from gglib.proxy.access.authorization import Caller
from gglib.proxy.bodies import read_plain_body
from gglib.proxy.errors import NoLibraryError, NoMachineError
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.parsing import BODY_LIMIT_BYTES, read_body, read_path, read_query
from gglib.proxy.routes.requests import NoFields

Query = TypeVar("Query")
Body = TypeVar("Body")

Handler = Callable[[ProxyRequest, Response, Services], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: its spec and its handler."""

    spec: OperationSpec
    handler: Handler


@dataclass(frozen=True, slots=True)
class Call(Generic[Query, Body]):
    """A parsed request; ``query`` and ``body`` have the types of the spec, or are None."""

    request: ProxyRequest
    services: Services
    path: Mapping[str, str]
    """Path parameters, by name."""
    query: Query
    body: Body

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see paths, engine arguments and times of use."""
        return caller_of(self.request).is_admin

    @property
    def library(self) -> ModelLibraryPort:
        """The model library. Raises ``NoLibraryError`` if the server has none."""
        if self.services.library is None:
            raise NoLibraryError
        return self.services.library

    @property
    def machine(self) -> MachinePorts:
        """The ports of the machine. Raises ``NoMachineError`` if the server has none."""
        if self.services.machine is None:
            raise NoMachineError
        return self.services.machine


Endpoint = Callable[[Call[Any, Any], Response], Awaitable[None]]


def operation(endpoint: Endpoint, spec: OperationSpec) -> Operation:
    """Return the operation that parses a request and calls ``endpoint``."""
    return Operation(spec, partial(_parse_and_call, spec, endpoint))


def caller_of(request: ProxyRequest) -> Caller:
    """Return the caller of a request."""
    return Caller(request.fields, request.peer_host, request.server_host, request.grant, request.scheme)


async def _parse_and_call(
    spec: OperationSpec, endpoint: Endpoint, request: ProxyRequest, response: Response, services: Services
) -> None:
    if spec.needs_library and services.library is None:
        raise NoLibraryError
    path = read_path(spec.pattern, request.path) if spec.is_template else {}
    query = read_query(spec.query or NoFields, request.query) if spec.is_strict else None
    body = await _read_body(spec, request) if spec.may_have_body else None
    await endpoint(Call(request, services, path, query, body), response)


async def _read_body(spec: OperationSpec, request: ProxyRequest) -> Any:  # noqa: ANN401 - the type of the spec
    """Return the parsed body. If the spec has no body, only an empty body or an empty object is accepted."""
    content = await read_plain_body(request, BODY_LIMIT_BYTES)
    if spec.body is not None:
        if spec.is_body_optional and not content:
            return spec.body()
        # In a merge patch (RFC 7396) null resets a field.
        return read_body(spec.body, content, keeps_null=spec.method == "PATCH")
    return read_body(NoFields, content) if content else None
