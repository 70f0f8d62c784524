"""Reads what a client says in a path, a query or a small body, as strictly as its description says. Pure.

What is not described is refused by its name, what has another type, too; nothing is guessed or converted. Of JSON
Schema it knows what ``schemas.py`` and the parameters use of it, and no more; tests hold them to that.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from gglib.proxy.errors import BadRequestError
from gglib.proxy.json_scan import JsonRefusedError, RootScanner
from gglib.proxy.routes.operation import (
    Description,
    Parameter,
    Place,
    Schema,
)

BODY_LIMIT_BYTES = 64 * 1024
"""A path, a name, a few aliases."""

Values = dict[str, Any]

_SCANNER = RootScanner(("-",))
"""Checks all of a body; the members are read afterwards, by ``json``."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""C0, DEL, C1 and Unicode's own line ends: no name has one, and a line of a log or a terminal would break at it."""
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def read_path(description: Description, path: str) -> Values:
    """Return the values that stand in a path which ``description.pattern`` matches. Raises ``BadRequestError``."""
    match = description.pattern.fullmatch(path)
    values = {} if match is None else match.groupdict()
    return {name: _decoded(text, name) for name, text in values.items()}


def read_query(parameters: Iterable[Parameter], query: bytes) -> Values:
    """Return the values of a query, defaults included. Raises ``BadRequestError`` naming the parameter."""
    known = {one.name: one for one in parameters if one.place is Place.QUERY}
    values: Values = {}
    for piece in query.decode("ascii").split("&") if query else []:
        name, _, text = (_decoded(part.replace("+", " "), "query") for part in piece.partition("="))
        if name not in known:
            raise BadRequestError(f"'{name}' is not a parameter here{_instead(known)}.", name)
        if name in values:
            raise BadRequestError(f"'{name}' is in the query twice.", name)
        values[name] = _checked(_typed(text, known[name].schema), known[name].schema, name)
    return _completed(values, {name: one.schema for name, one in known.items()}, _required(known.values()))


def read_body(schema: Schema, body: bytes) -> Values:
    """Return the members of a JSON object; None counts as left out. Raises ``BadRequestError`` naming the field."""
    try:
        _SCANNER.scan(body)
    except JsonRefusedError as error:
        raise BadRequestError(f"The request body {error}") from error
    members: Values = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_without_duplicates)
    known: Mapping[str, Schema] = schema["properties"]
    values: Values = {}
    for name, value in members.items():
        if name not in known:
            raise BadRequestError(f"'{name}' is not a field here{_instead(known)}.", name)
        if value is not None:
            values[name] = _checked(value, known[name], name)
    return _completed(values, known, schema.get("required", ()))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Values:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadRequestError(f"'{twice}' is in the request body twice.", twice)
    return members


def _completed(values: Values, schemas: Mapping[str, Schema], required: Iterable[str]) -> Values:
    for name in required:
        if name not in values:
            raise BadRequestError(f"'{name}' is missing.", name)
    return {name: schema.get("default") for name, schema in schemas.items()} | values


def _required(parameters: Iterable[Parameter]) -> list[str]:
    return [one.name for one in parameters if one.is_required]


def _decoded(text: str, name: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise BadRequestError(f"'{name}' has a percent sign that begins no escape.", name)
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise BadRequestError(f"'{name}' is not valid UTF-8.", name) from None
    refuse_control_characters(decoded, name)
    return decoded


def refuse_control_characters(text: str, name: str) -> None:
    """Raise ``BadRequestError`` for what a path or a query must not say, however it is escaped."""
    if _CONTROL.search(text):
        raise BadRequestError(f"'{name}' has a control character in it.", name)


def _typed(text: str, schema: Schema) -> Any:  # noqa: ANN401 - of the schema's type
    """Return what a query's text means where it can mean that; else the text, which is then refused."""
    if schema["type"] == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if schema["type"] == "boolean" and text in {"true", "false"}:
        return text == "true"
    return text


def _checked(value: Any, schema: Schema, name: str) -> Any:  # noqa: ANN401 - of the schema's type
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = next(one for one in types if one != "null")
    is_right, phrase = _KINDS[kind]
    if not is_right(value, schema):
        raise BadRequestError(f"'{name}' must be {phrase(schema)}.", name)
    return value


def _is_string(value: object, schema: Schema) -> bool:
    if not isinstance(value, str) or value not in schema.get("enum", (value,)):
        return False
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        return False
    return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", BODY_LIMIT_BYTES))


def _string_phrase(schema: Schema) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    length = "" if most is None else f" of {least} to {most} characters"
    return f"a string{length}" + (f" that {schema['x-rule']}" if "x-rule" in schema else "")


def _is_integer(value: object, schema: Schema) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return bool(schema["minimum"] <= value <= schema.get("maximum", value))


def _integer_phrase(schema: Schema) -> str:
    least, most = schema["minimum"], schema.get("maximum")
    return f"an integer from {least} to {most}" if most is not None else f"an integer from {least} on"


def _is_array(value: object, schema: Schema) -> bool:
    if not isinstance(value, list) or len(value) > schema["maxItems"]:
        return False
    return all(_is_string(item, schema["items"]) for item in value)


def _array_phrase(schema: Schema) -> str:
    return f"an array of at most {schema['maxItems']} items, each {_string_phrase(schema['items'])}"


_Kind = tuple[Callable[[object, Schema], bool], Callable[[Schema], str]]
_KINDS: dict[str, _Kind] = {
    "string": (_is_string, _string_phrase),
    "integer": (_is_integer, _integer_phrase),
    "boolean": (lambda value, _: isinstance(value, bool), lambda _: "true or false"),
    "array": (_is_array, _array_phrase),
}


def _instead(known: Iterable[str]) -> str:
    names = ", ".join(known)
    return f": there {'is' if ',' not in names else 'are'} {names}" if names else ""
