"""Validates JSON against the part of JSON Schema that the recorded schemas use."""

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}


def violations(value: Any, schema: Mapping[str, Any], path: str = "$") -> Iterator[str]:
    """Yield a sentence for each violation: ``type``, ``enum``, ``required``, ``properties``, ``items``."""
    if not _has_type(value, schema["type"]):
        yield f"{path} is {value!r}, not of type {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is {value!r}, not one of {schema['enum']}"
    if isinstance(value, dict):
        yield from _object_violations(value, schema, path)
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from violations(item, schema["items"], f"{path}[{number}]")


def _has_type(value: object, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _object_violations(value: dict[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    properties = schema.get("properties")
    if properties is None:
        return
    yield from (f"{path} lacks {name}" for name in schema.get("required", ()) if name not in value)
    for name, member in value.items():
        if name not in properties:
            yield f"{path} has the unknown member {name}"
        else:
            yield from violations(member, properties[name], f"{path}.{name}")
