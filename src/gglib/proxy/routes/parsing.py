"""Parses paths, queries and small bodies strictly into their types. Pure.

Unknown names and wrong types are refused, and the error names them. JSON values are never converted to another type.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from gglib.proxy.access.never_over_http import refuse_protected
from gglib.proxy.errors import BadRequestError
from gglib.proxy.json_scan import JsonRefusedError, RootScanner
from gglib.proxy.routes.requests import RULE

BODY_LIMIT_BYTES = 64 * 1024
"""More than a path, a name and aliases need."""

T = TypeVar("T", bound=msgspec.Struct)
Values = dict[str, Any]

_VALIDATOR = RootScanner(("-",))
"""Used only to validate a body, so it locates a name that is not a field; ``json`` then parses the members."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:e[+-]?[0-9]{1,2})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""C0, DEL, C1 and Unicode line separators: no name has them, and they would break lines of logs and terminals."""
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FAILED_FIELD = re.compile(r" - at `\$\.(\w+)")
_MISSING = re.compile(r"missing required field `(\w+)`")


def read_path(pattern: re.Pattern[str], path: str) -> dict[str, str]:
    """Return the parameters of a path that matches ``pattern``. Raises ``BadRequestError``."""
    match = pattern.fullmatch(path)
    values = {} if match is None else match.groupdict()
    return {name: _decoded(text, name) for name, text in values.items()}


def read_query(type_: type[T], query: bytes) -> T:
    """Return a parsed query. Raises ``BadRequestError``, which names the parameter.

    Raises ``ForbiddenError`` for a field that no request may set (``access.never_over_http``).
    """
    schemas = schemas_of(type_)
    values: Values = {}
    for piece in query.decode("ascii").split("&") if query else []:
        name, _, text = (_decoded(part.replace("+", " "), "query") for part in piece.partition("="))
        if name not in schemas:
            refuse_protected(name)
            raise BadRequestError(f"'{name}' is not a parameter of this path{_known_names(schemas)}.", name)
        if name in values:
            raise BadRequestError(f"'{name}' occurs twice in the query.", name)
        values[name] = _from_text(text, schemas[name])
    return _converted(values, type_)


def read_body(type_: type[T], body: bytes, *, keeps_null: bool = False) -> T:
    """Return a parsed JSON object. Null fields count as absent, unless ``keeps_null``.

    Raises ``BadRequestError``, which names the field, and ``ForbiddenError`` for one that no request may set
    (``access.never_over_http``).
    """
    if not body.strip():
        raise BadRequestError("The request body is empty: it must be a JSON object.")
    try:
        _VALIDATOR.scan(body)
    except JsonRefusedError as error:
        raise BadRequestError(f"The request body {error}") from error
    members: Values = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_without_duplicates)
    schemas = schemas_of(type_)
    for name in members:
        if name not in schemas:
            refuse_protected(name)
            raise BadRequestError(f"'{name}' is not a field of this body{_known_names(schemas)}.", name)
    return _converted(
        {name: value for name, value in members.items() if keeps_null or value is not None}, type_
    )


@cache
def schemas_of(type_: type[msgspec.Struct]) -> Mapping[str, Mapping[str, Any]]:
    """Return the JSON Schema of each field of a type, without null and with resolved references."""
    (root,), components = msgspec.json.schema_components((type_,), ref_template="{name}")
    fields: Mapping[str, Any] = components[root["$ref"]]["properties"]
    return {name: _without_null(schema, components) for name, schema in fields.items()}


def refuse_control_characters(text: str, name: str) -> None:
    """Raise ``BadRequestError`` if a decoded value has control characters."""
    if _CONTROL.search(text):
        raise BadRequestError(f"'{name}' contains a control character.", name)


def _without_null(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            schema = {**schema, **option}
    return {**schema, **components[schema["$ref"]]} if "$ref" in schema else schema


def _converted(values: Values, type_: type[T]) -> T:
    try:
        return msgspec.convert(values, type_)
    except msgspec.ValidationError as error:
        missing = _MISSING.search(str(error))
        if missing is not None:
            raise BadRequestError(f"'{missing[1]}' is missing.", missing[1]) from error
        at = _FAILED_FIELD.search(str(error))
        if at is None:
            raise
        name = at[1]
        raise BadRequestError(f"'{name}' must be {requirement(schemas_of(type_)[name])}.", name) from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Values:
    members: Values = {}
    for name, value in pairs:
        if name in members:
            raise BadRequestError(f"'{name}' occurs twice in the request body.", name)
        members[name] = value
    return members


def _decoded(text: str, name: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise BadRequestError(f"'{name}' has a percent sign without two hexadecimal digits after it.", name)
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise BadRequestError(f"'{name}' is not valid UTF-8.", name) from None
    refuse_control_characters(decoded, name)
    return decoded


def _from_text(text: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of the field's type
    """Return a query value as a number or boolean by its schema; else the text, which validation then refuses."""
    if schema.get("type") == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if schema.get("type") == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if schema.get("type") == "boolean" and text in {"true", "false"}:
        return text == "true"
    return text


def requirement(schema: Mapping[str, Any]) -> str:
    """Return the requirement of a schema, as the end of "must be ..."."""
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    return _REQUIREMENTS[schema["type"]](schema)


def _string_requirement(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    length = "" if most is None else f" of {least} to {most} characters"
    return f"a string{length}" + (f" that {schema[RULE]}" if RULE in schema else "")


def _integer_requirement(schema: Mapping[str, Any]) -> str:
    least, most = schema["minimum"], schema.get("maximum")
    return f"an integer from {least} to {most}" if most is not None else f"an integer from {least} on"


def _array_requirement(schema: Mapping[str, Any]) -> str:
    return f"an array of at most {schema['maxItems']} items, each {requirement(schema['items'])}"


_REQUIREMENTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "string": _string_requirement,
    "integer": _integer_requirement,
    "number": lambda schema: f"a number from {schema['minimum']:g} on",
    "boolean": lambda _: "true or false",
    "object": lambda _: "an object",
    "array": _array_requirement,
}


def _known_names(known: Iterable[str]) -> str:
    names = ", ".join(known)
    return f": there {'is' if ',' not in names else 'are'} {names}" if names else ""
