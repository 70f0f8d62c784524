"""Builds the JSON Schemas of request and response types. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

_REFERENCES = "#/components/schemas/{name}"


def ref(kind: type) -> dict[str, Any]:
    """Return a reference to the schema of a type; for ``dict``, the schema of any object."""
    return {"type": "object"} if kind is dict else {"$ref": _REFERENCES.format(name=kind.__name__)}


def components(kinds: Iterable[type]) -> dict[str, Any]:
    """Return the schemas of types and of all nested types, by name.

    Responses have exactly the fields of their type. msgspec declares this for structs only; this function adds it for
    dataclasses.
    """
    named = sorted({kind for kind in kinds if kind is not dict}, key=lambda kind: kind.__name__)
    _, found = msgspec.json.schema_components(named, ref_template=_REFERENCES)
    structs = {kind.__name__ for kind in named if issubclass(kind, msgspec.Struct)}
    for name, schema in found.items():
        if schema.get("type") == "object" and name not in structs:
            schema["additionalProperties"] = False
    return found
