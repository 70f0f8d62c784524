"""The descriptions of all operations as a document of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1). Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from gglib.proxy.docs.schemas import components, ref
from gglib.proxy.errors import Shown, status_of
from gglib.proxy.routes.answers import Error
from gglib.proxy.routes.operation import EVENTS, JSON, Access, Description
from gglib.proxy.routes.parsing import schemas_of

_TITLE = "gglib"
_ABOUT = (
    "One OpenAI-compatible address in front of every GGUF model of a machine, and what programs may do with those "
    "models. Where keys are set, every path but `/health` needs one. Bodies of `/gglib` are JSON objects of 64 KiB at "
    "most, read strictly: a field or a parameter that is not here is refused by its name."
)
_NOT_OF_PARAMETERS = frozenset(("description", "title", "anyOf", "$ref"))
_ACCESS = {
    Access.ANYBODY: "Needs no key.",
    Access.ADMITTED: "For every client that the server admits.",
    Access.TRUSTED: "For programs on the server's machine, pages of this very server under a loopback name, and "
    "clients with a key.",
}


def document(descriptions: Iterable[Description], *, version: str) -> dict[str, Any]:
    """Return the document, which is JSON; its order is that of the descriptions."""
    described = list(descriptions)
    paths: dict[str, dict[str, Any]] = {}
    for one in described:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    groups = list(dict.fromkeys(one.group for one in described))
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group in groups],
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": components(_shapes(described)),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def access_in_words(access: Access) -> str:
    """Return which clients may use an operation."""
    return _ACCESS[access]


def _operation(one: Description) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.group],
        "summary": one.summary,
        "description": " ".join(filter(None, (one.text, access_in_words(one.access)))),
        "responses": {str(one.status): _answer(one), **_errors(one)},
    }
    if one.access is Access.ANYBODY:
        operation["security"] = [{}]
    if parameters := [*_in_path(one), *_in_query(one)]:
        operation["parameters"] = parameters
    if one.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": ref(one.body)}}}
    return operation


def _in_path(one: Description) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "description": summary, "schema": {"type": "string"}}
        for name, summary in one.in_path.items()
    ]


def _in_query(one: Description) -> list[dict[str, Any]]:
    if one.query is None:
        return []
    required = {field.name for field in msgspec.structs.fields(one.query) if field.required}
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.get("description", ""),
            "schema": {key: value for key, value in schema.items() if key not in _NOT_OF_PARAMETERS},
        }
        for name, schema in schemas_of(one.query).items()
    ]


def _shapes(described: Iterable[Description]) -> Iterable[type]:
    yield Error
    for one in described:
        yield from (kind for kind in (one.body, one.answer) if kind is not None)


def _answer(one: Description) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if one.answer is not None and one.media_type == JSON:
        content = {"schema": ref(one.answer)}
    elif one.media_type == EVENTS:
        # OpenAPI 3.1 has no word for the shape of an event; 3.2 has.
        content = {"schema": {"type": "string"}}
        if one.answer is not None:
            content["x-event-data"] = ref(one.answer)
    answer: dict[str, Any] = {"description": one.summary, "content": {one.media_type: content}}
    if one.has_location:
        answer["headers"] = {"location": {"schema": {"type": "string"}, "description": "Where it is found."}}
    return answer


def _errors(one: Description) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for kind in one.all_errors():
        codes.setdefault(status_of(kind), []).append(_code(kind))
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in dict.fromkeys(codes[status])),
            "content": {JSON: {"schema": ref(Error)}},
        }
        for status in sorted(codes)
    }


def _code(kind: type[Shown]) -> str:
    return kind.code
