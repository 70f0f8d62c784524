"""Builds the OpenAPI 3.1 document from the operation specs (https://spec.openapis.org/oas/v3.1.1). Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from gglib.proxy.docs.schemas import components, ref
from gglib.proxy.errors import ReportableError, status_of
from gglib.proxy.routes.operation_spec import EVENTS, JSON, Access, OperationSpec
from gglib.proxy.routes.parsing import schemas_of
from gglib.proxy.routes.responses import Error

_TITLE = "gglib"
_DESCRIPTION = (
    "One OpenAI-compatible address in front of all GGUF models of a machine, and an API to manage them. "
    "If keys are set, every path except `/health`, `/ready`, `/` and `/web` needs one. Bodies of `/gglib` are JSON "
    "objects of at most 64 KiB, parsed strictly: unknown fields and parameters are refused."
)
_NOT_IN_PARAMETER_SCHEMAS = frozenset(("description", "title", "anyOf", "$ref"))
_ACCESS = {
    Access.PUBLIC: "Needs no key.",
    Access.CLIENT: "For all clients that pass the access checks.",
    Access.ADMIN_KEY: "If keys are set, for clients with an admin key; else for all clients.",
    Access.ADMIN: "If keys are set, for clients with an admin key; else for programs on the server's machine and pages "
    "of this server under a loopback name.",
}


def document(specs: Iterable[OperationSpec], *, version: str) -> dict[str, Any]:
    """Return the document as a JSON object, in the order of the specs."""
    specs = list(specs)
    paths: dict[str, dict[str, Any]] = {}
    for spec in specs:
        paths.setdefault(spec.path, {})[spec.method.lower()] = _operation(spec)
    groups = list(dict.fromkeys(spec.group for spec in specs))
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group in groups],
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": components(_types(specs)),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def access_text(access: Access) -> str:
    """Return a sentence that says which clients may use an operation."""
    return _ACCESS[access]


def _operation(spec: OperationSpec) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": spec.id,
        "tags": [spec.group],
        "summary": spec.summary,
        "description": " ".join(filter(None, (spec.text, access_text(spec.access)))),
        "responses": {str(spec.status): _response(spec), **_with_other_responses(_errors(spec), spec)},
    }
    if spec.access is Access.PUBLIC:
        operation["security"] = [{}]
    if parameters := [*_path_parameters(spec), *_query_parameters(spec)]:
        operation["parameters"] = parameters
    if spec.body is not None:
        operation["requestBody"] = {
            "required": not spec.is_body_optional,
            "content": {JSON: {"schema": ref(spec.body)}},
        }
    return operation


def _path_parameters(spec: OperationSpec) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "description": summary, "schema": {"type": "string"}}
        for name, summary in spec.path_parameters.items()
    ]


def _query_parameters(spec: OperationSpec) -> list[dict[str, Any]]:
    if spec.query is None:
        return []
    required = {field.name for field in msgspec.structs.fields(spec.query) if field.required}
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.get("description", ""),
            "schema": {key: value for key, value in schema.items() if key not in _NOT_IN_PARAMETER_SCHEMAS},
        }
        for name, schema in schemas_of(spec.query).items()
    ]


def _types(specs: Iterable[OperationSpec]) -> Iterable[type]:
    yield Error
    for spec in specs:
        yield from (type_ for type_ in (spec.body, spec.response) if type_ is not None)


def _response(spec: OperationSpec) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if spec.response is not None and spec.media_type == JSON:
        content = {"schema": ref(spec.response)}
    elif spec.media_type == EVENTS:
        # OpenAPI 3.1 cannot describe the schema of an event; 3.2 can.
        content = {"schema": {"type": "string"}}
        if spec.response is not None:
            content["x-event-data"] = ref(spec.response)
    response: dict[str, Any] = {"description": spec.summary, "content": {spec.media_type: content}}
    if spec.has_location:
        response["headers"] = {"location": {"schema": {"type": "string"}, "description": "Its URL."}}
    return response


def _errors(spec: OperationSpec) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for type_ in spec.all_errors():
        codes.setdefault(status_of(type_), []).append(_code(type_))
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in dict.fromkeys(codes[status])),
            "content": {JSON: {"schema": ref(Error)}},
        }
        for status in sorted(codes)
    }


def _with_other_responses(errors: dict[str, Any], spec: OperationSpec) -> dict[str, Any]:
    """Return the errors with the statuses that may have the response type, too, instead of an error."""
    if spec.response is None:
        return errors
    responses = dict(errors)
    for status in map(str, spec.other_statuses):
        codes = errors[status]["description"] if status in errors else ""
        responses[status] = {
            "description": f"{spec.summary}; or {codes}" if codes else spec.summary,
            "content": {JSON: {"schema": {"anyOf": [ref(spec.response), ref(Error)]}}},
        }
    return responses


def _code(type_: type[ReportableError]) -> str:
    return type_.code
