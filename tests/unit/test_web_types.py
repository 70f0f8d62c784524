"""The page's types of the admin API: current, and what each form of a schema becomes."""

from typing import Any

import pytest
from scripts.web_types import TYPES, api_types, current, type_of


def test_the_types_are_current() -> None:
    """A field that is renamed in Python fails here, and then in ``tsc``: run ``make web-types``."""
    assert TYPES.read_text(encoding="utf-8") == current()


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "maxLength": 3}, "string"),
        ({"type": "integer", "minimum": 0}, "number"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number | null"),
        ({"anyOf": [{"type": "number"}, {"type": "integer"}]}, "number"),
        ({"enum": ["fits", "tight"], "title": "Fit"}, '"fits" | "tight"'),
        ({"$ref": "#/components/schemas/Model"}, "Model"),
        (
            {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            "Array<string | null>",
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "Record<string, number>"),
        ({"type": "object", "default": {}}, "Record<string, unknown>"),
        ({"description": "Any value."}, "unknown"),
    ],
)
def test_type_of_a_schema(schema: dict[str, Any], expected: str) -> None:
    """Each form that the document uses."""
    assert type_of(schema) == expected


def test_an_unknown_form_is_an_error() -> None:
    """Not ``unknown``, which would check nothing."""
    with pytest.raises(ValueError, match="No TypeScript type"):
        type_of({"allOf": []})


def test_bodies_have_optional_fields_and_responses_do_not() -> None:
    """And only types that routes of the page reach are there."""
    fields = {
        "name": {"type": "string", "description": "Its */ name."},
        "n": {"type": "integer", "default": 1},
    }
    form = {"type": "object", "properties": fields, "required": ["name"], "additionalProperties": False}
    holder = {
        "type": "object",
        "properties": {"one": {"$ref": "#/components/schemas/Out"}},
        "required": ["one"],
    }
    schemas = {"In": form, "Out": form, "Holder": holder, "Other": form}

    def content(name: str) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}

    methods = {"post": {"requestBody": content("In"), "responses": {"200": content("Holder")}}}
    paths = {"/gglib/x": methods, "/v1/x": {"get": {"responses": {"200": content("Other")}}}}
    types = api_types({"components": {"schemas": schemas}, "paths": paths})
    assert types.partition("\n\n")[2] == (
        "export interface Holder {\n  one: Out;\n}\n"
        "\nexport interface In {\n  /** Its *\\/ name. */\n  name: string;\n  n?: number;\n}\n"
        "\nexport interface Out {\n  /** Its *\\/ name. */\n  name: string;\n  n: number;\n}\n"
    )
