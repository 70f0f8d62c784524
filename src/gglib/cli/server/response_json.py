"""Parses the JSON of a gglib server, and checks it against the response types of the API. Pure.

The server may have another version, or not be a gglib server. Unknown fields are ignored, and a missing field is an
error when it is read; the fields that exist must have the types of the API.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, NoReturn, TypedDict, TypeVar, Union, get_args, get_origin, get_type_hints

from gglib.cli.chat.response import error_message
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError, UpstreamError
from gglib.http.sse import SseEvent

T = TypeVar("T")

ResponseName = Literal[
    "Aliases",
    "Download",
    "Health",
    "Keys",
    "LoadedModel",
    "Model",
    "Models",
    "Nodes",
    "Reloaded",
    "RemovedModel",
    "SearchResult",
    "ShownRepository",
    "Status",
    "Stopped",
    "Unloaded",
]
"""A type of ``gglib.proxy.routes.responses``. A name, because the import is slow and only for remote servers."""
MAX_NUMBER = 2**63
"""No number of the API is larger; larger ones cannot be formatted as sizes or times."""
MAX_BODY_BYTES = 64 * 1024 * 1024
"""Of a complete response; the list of thousands of models has a few."""

SNAPSHOT = "snapshot"
"""An event with a ``Status``."""
UNNAMED = "message"
"""The name of an event without one: progress of a download, or the error that ends a stream."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonObject(dict[str, Any]):
    """An object in a response. Reading a missing field raises ``UpstreamError``; ``get`` returns its default."""

    __slots__ = ("_server", "_what")

    def __init__(self, content: Mapping[str, Any], server: Endpoint, what: str) -> None:
        super().__init__(content)
        self._server = server
        self._what = what

    def __missing__(self, name: str) -> NoReturn:
        raise unreadable(self._server, self._what, f"it has no '{name}'")


def parse_response(server: Endpoint, what: str, body: bytes, expected: ResponseName | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of a response to ``what``, a method and a path.

    Raises ValueError for a body that is not JSON, and ``UpstreamError`` for one of a remote server that is not of the
    ``expected`` type.
    """
    content = _load(server, what, body)
    if server.is_remote and expected is not None:
        from gglib.proxy.routes import responses

        _check(server, what, content, getattr(responses, expected))
    return content


def parse_event(
    server: Endpoint, what: str, event: SseEvent, unnamed: ResponseName | None = None
) -> JsonObject:
    """Return the data of an event of the stream ``what``; ``unnamed`` is the type of events without a name.

    Raises ``UpstreamError`` if it is not a JSON object, or not of the type of its event.
    """
    try:
        content = _load(server, what, event.data)
    except ValueError as error:
        raise unreadable(server, what, "an event is not JSON") from error
    if server.is_remote:
        _check(server, what, content, _event_types(unnamed).get(event.name, object))
    if not isinstance(content, JsonObject):
        raise unreadable(server, what, "an event is not an object")
    return content


def decoded(server: Endpoint, what: str, content: object, kind: type[T]) -> T:
    """Return JSON as a value of a dataclass; unknown fields are ignored.

    Raises ``UpstreamError`` if it lacks a field without a default, or one has another type.
    """
    import msgspec

    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise unreadable(server, what, str(error).rstrip(".")) from error


def stream_error(server: Endpoint, what: str, event: SseEvent) -> GglibError:
    """Return the error that an event without a name carries."""
    message = (error_message(event.data) or "").strip()
    if not message:
        return unreadable(server, what, "an event has neither a name nor an error")
    return GglibError(message.splitlines()[0])


def unreadable(server: Endpoint, what: str, problem: str) -> UpstreamError:
    """Return the error for a response that this command cannot read."""
    return UpstreamError(
        f"{server.url} sent a response to {what} that this command cannot read ({problem}): check that the address is "
        "a gglib server of the same version."
    )


def _load(server: Endpoint, what: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
    def as_object(content: dict[str, Any]) -> JsonObject:
        return JsonObject(content, server, what)

    try:
        content = json.loads(
            body.decode(),
            object_hook=as_object,
            parse_int=_bounded(int),
            parse_float=_bounded(float),
            parse_constant=_refuse_constant,
        )
        if _SURROGATE.search(body) is not None:
            json.dumps(content, ensure_ascii=False).encode()  # half of a pair cannot be encoded: a ValueError
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return content


def _bounded(convert: type[int] | type[float]) -> Any:  # noqa: ANN401 - a callback of json
    def bounded(text: str) -> int | float:
        number = convert(text)
        if not math.isfinite(number) or abs(number) > MAX_NUMBER:
            raise ValueError("it has a number that is too large")
        return number

    return bounded


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it has {name}, which is not JSON")


def _check(server: Endpoint, what: str, content: object, kind: Any) -> None:  # noqa: ANN401 - a type
    import msgspec

    try:
        msgspec.convert(content, _lenient(kind))
    except msgspec.ValidationError as error:
        raise unreadable(server, what, str(error).rstrip(".")) from error


def _event_types(unnamed: ResponseName | None) -> dict[str, type]:
    """Return the types of the events' data by name."""
    from gglib.proxy.routes import responses

    types: dict[str, type] = {name: kind for kind, name in responses.EVENT_NAMES.items()}
    types[SNAPSHOT] = responses.Status
    if unnamed is not None:
        types[UNNAMED] = getattr(responses, unnamed)
    return types


@cache
def _lenient(kind: Any) -> Any:  # noqa: ANN401 - types
    """Return a type like ``kind`` in which no field is required."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        optional = {field.name: _lenient(hints[field.name]) for field in fields(kind)}
        return TypedDict(kind.__name__, optional, total=False)  # type: ignore[operator]
    arguments, origin = get_args(kind), get_origin(kind)
    if not arguments or origin is Literal:
        return kind
    made = tuple(argument if argument is Ellipsis else _lenient(argument) for argument in arguments)
    return Union[made] if origin in {Union, UnionType} else origin[made]  # noqa: UP007 - the arguments are computed
