"""Builds the JSON Schemas of request and response types. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

_REFERENCES = "#/components/schemas/{name}"


def ref(type_: type) -> dict[str, Any]:
    """Return a reference to the schema of a type; for ``dict``, the schema of any object."""
    return {"type": "object"} if type_ is dict else {"$ref": _REFERENCES.format(name=type_.__name__)}


def components(types: Iterable[type]) -> dict[str, Any]:
    """Return the schemas of types and of all nested types, by name.

    Responses have exactly the fields of their type. msgspec declares this for structs only; this function adds it for
    dataclasses.
    """
    named = sorted({type_ for type_ in types if type_ is not dict}, key=lambda type_: type_.__name__)
    _, found = msgspec.json.schema_components(named, ref_template=_REFERENCES)
    structs = {type_.__name__ for type_ in named if issubclass(type_, msgspec.Struct)}
    for name, schema in found.items():
        if schema.get("type") == "object" and name not in structs:
            schema["additionalProperties"] = False
    return found
