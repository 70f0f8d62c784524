"""The descriptions of all operations as a document of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1). Pure."""

from collections.abc import Iterable
from typing import Any

from gglib.core.errors import GglibError
from gglib.proxy.errors import status_of
from gglib.proxy.routes.operation import (
    EVENTS,
    JSON,
    Access,
    Description,
    Place,
)
from gglib.proxy.routes.schemas import SCHEMAS, ref

_TITLE = "gglib"
_ABOUT = (
    "One OpenAI-compatible address in front of every GGUF model of a machine, and what programs may do with those "
    "models. Where keys are set, every path but `/health` needs one. Bodies of `/api` are JSON objects of 64 KiB at "
    "most, read strictly: a field or a parameter that is not here is refused by its name."
)
_ACCESS = {
    Access.ANYBODY: "Needs no key.",
    Access.ADMITTED: "For whoever the server answers.",
    Access.TRUSTED: "For programs on the server's machine, pages of this very server under a loopback name, and "
    "whoever shows a key.",
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
            "schemas": SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def access_in_words(access: Access) -> str:
    """Return who may use an operation."""
    return _ACCESS[access]


def _operation(one: Description) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.group],
        "summary": one.summary,
        "description": " ".join(filter(None, (one.text, access_in_words(one.access)))),
        "responses": {str(one.status): _answer(one), **_errors(one)},
    }
    if one.access is Access.ANYBODY:
        told["security"] = [{}]
    if one.parameters:
        told["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.place.value,
                "required": parameter.is_required or parameter.place is Place.PATH,
                "description": parameter.summary,
                "schema": dict(parameter.schema),
            }
            for parameter in one.parameters
        ]
    if one.body is not None:
        told["requestBody"] = {"required": True, "content": {JSON: {"schema": dict(one.body)}}}
    return told


def _answer(one: Description) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if one.answer is not None and one.media_type == JSON:
        content = {"schema": dict(one.answer)}
    elif one.media_type == EVENTS:
        # OpenAPI 3.1 has no word for the shape of an event; 3.2 has.
        content = {"schema": {"type": "string"}}
        if one.answer is not None:
            content["x-event-data"] = dict(one.answer)
    told: dict[str, Any] = {"description": one.summary, "content": {one.media_type: content}}
    if one.has_location:
        told["headers"] = {"location": {"schema": {"type": "string"}, "description": "Where it is found."}}
    return told


def _errors(one: Description) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for kind in one.all_errors():
        codes.setdefault(status_of(kind), []).append(_code(kind))
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in dict.fromkeys(codes[status])),
            "content": {JSON: {"schema": ref("Error")}},
        }
        for status in sorted(codes)
    }


def _code(kind: type[GglibError]) -> str:
    return kind.code
