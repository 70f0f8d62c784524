"""Write the types of the admin API for the page's type checker (``make web-types``), from the OpenAPI document.

The page uses the documented API alone, so a field that is renamed in Python becomes an error of ``tsc``. A response has
all fields of its type; a request body may omit those that have a default.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from gglib.proxy.docs.openapi import document
from gglib.proxy.routes.table import OPERATIONS

TYPES = Path(__file__).resolve().parents[1] / "src/gglib/proxy/web/page/lib/api_types.d.ts"
PATHS = ("/gglib/", "/ready")
"""Prefixes of the routes that the page uses and reads with these types. The dialects have types of their own."""

_HEAD = "// Written by `make web-types` from the OpenAPI document: what /gglib/… expects and returns.\n"
_WORDS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}

Schema: TypeAlias = dict[str, Any]


def api_types(api: Schema) -> str:
    """Return the interfaces of all types that the page's routes use, by name. Raises ``ValueError``."""
    schemas: dict[str, Schema] = api["components"]["schemas"]
    operations = [
        operation
        for path, methods in api["paths"].items()
        if path.startswith(PATHS)
        for operation in methods.values()
    ]
    bodies = _with_nested(_references([operation.get("requestBody") for operation in operations]), schemas)
    responses = _with_nested(_references([operation["responses"] for operation in operations]), schemas)
    found = sorted(bodies | responses)
    return "".join(
        [_HEAD, *(_declaration(name, schemas[name], is_response=name in responses) for name in found)]
    )


def type_of(schema: Schema) -> str:
    """Return a schema as a TypeScript type. Raises ``ValueError`` for one that has no equivalent here."""
    match schema:
        case {"$ref": str(reference)}:
            found = _name(reference)
        case {"enum": list(values)}:
            found = " | ".join(json.dumps(value) for value in values)
        case {"anyOf": list(parts)}:
            found = " | ".join(dict.fromkeys(type_of(part) for part in parts))
        case {"type": "array"}:
            found = f"Array<{type_of(schema.get('items', {}))}>"
        case {"type": "object"}:
            found = f"Record<string, {type_of(schema.get('additionalProperties', {}))}>"
        case {"type": str(word)}:
            found = _WORDS[word]
        case _ if not set(schema) - {"description", "default", "title"}:
            found = "unknown"
        case _:
            raise ValueError(
                f"No TypeScript type for the schema {schema}: add its form to scripts/web_types.py."
            )
    return found


def _declaration(name: str, schema: Schema, *, is_response: bool) -> str:
    lines = ["", *_comment(schema, "")]
    if "properties" not in schema:
        return "\n".join([*lines, f"export type {name} = {type_of(schema)};", ""])
    lines.append(f"export interface {name} {{")
    for field, field_schema in schema["properties"].items():
        is_present = is_response or field in schema["required"]
        lines += _comment(field_schema, "  ")
        lines.append(f"  {field}{'' if is_present else '?'}: {type_of(field_schema)};")
    return "\n".join([*lines, "}", ""])


def _comment(schema: Schema, indent: str) -> list[str]:
    text = schema.get("description", "").replace("*/", r"*\/")
    return [f"{indent}/** {text} */"] if text else []


def _with_nested(names: Iterable[str], schemas: dict[str, Schema]) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left += _references(schemas[name])
    return found


def _references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield _name(value)
            else:
                yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def current() -> str:
    """Return the types of the routes as they are now."""
    return api_types(document([operation.spec for operation in OPERATIONS], version=""))


def main() -> int:
    """Write the types, or check them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the types are out of date"
    )
    options = parser.parse_args()
    text = current()
    if options.check:
        return int(not TYPES.exists() or TYPES.read_text(encoding="utf-8") != text)
    TYPES.parent.mkdir(parents=True, exist_ok=True)
    TYPES.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
