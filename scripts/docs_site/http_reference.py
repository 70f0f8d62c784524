"""Writes the reference of the HTTP API from its OpenAPI document. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.docs_site.markdown import code, table, text

Schema = Mapping[str, Any]

_INTRODUCTION = (
    "Made from the OpenAPI document that a running gglib serves at `/openapi.json`, and shows at `/docs`. "
    "[API](../api.md) describes streams, errors and dialects."
)


def http_reference(document: Mapping[str, Any]) -> str:
    """Return the page: operations by group, then the types of bodies and responses."""
    parts = ["# HTTP API", _INTRODUCTION, document["info"]["description"]]
    for tag in document["tags"]:
        parts.append(f"## {tag['name']}")
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    parts += _operation(method, path, operation)
    parts.append("## Types")
    for name, schema in document["components"]["schemas"].items():
        parts += _schema(name, schema)
    return "\n\n".join(filter(None, parts)) + "\n"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {code(f'{method.upper()} {path}')}"
    yield f"{operation['summary']}. {operation['description']}"
    if parameters := operation.get("parameters"):
        rows = ((code(p["name"]), p["in"], _type(p["schema"]), p["description"]) for p in parameters)
        yield table(("Parameter", "In", "Type", "What"), (tuple(map(_cell, row)) for row in rows))
    if body := operation.get("requestBody"):
        need = "" if body["required"] else ", or none"
        yield f"Body: {_content(body['content'])}{need}."
    yield table(
        ("Status", "Response"),
        (
            (status, f"{_cell(response['description'])}: {_content(response.get('content', {}))}")
            for status, response in operation["responses"].items()
        ),
    )


def _content(content: Mapping[str, Any]) -> str:
    described = []
    for media_type, form in content.items():
        schema = form.get("x-event-data") or form.get("schema")
        described.append(f"{_type(schema)} ({code(media_type)})" if schema else code(media_type))
    return _cell(" or ".join(described) or "no body")


def _schema(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}"
    yield schema.get("description", "")
    properties = schema.get("properties", {})
    if not properties:
        yield f"Type: {_type(schema)}."
        return
    required = schema.get("required", ())
    rows = (
        (
            code(field),
            _type(form) + (", required" if field in required else ""),
            form.get("description", "") + _default(form),
        )
        for field, form in properties.items()
    )
    yield table(("Field", "Type", "What"), (tuple(map(_cell, row)) for row in rows))


def _type(schema: Schema) -> str:
    """Return the type in words, with links to the page's types."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return " or ".join(code(str(value)) for value in schema["enum"])
    if forms := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_type, forms)))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items') or {})}"
    if kind == "object" and isinstance(values := schema.get("additionalProperties"), Mapping):
        return f"object of {_type(values)}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, "", [], {}) else f" Default: {code(str(default))}."


def _cell(markdown: str) -> str:
    return markdown if "<code>" in markdown or "`" in markdown or "](" in markdown else text(markdown)
