"""The JSON Schemas of request and response types."""

from dataclasses import dataclass
from enum import Enum

from msgspec import Struct

from gglib.proxy.docs.schemas import components, ref


@dataclass
class Inner:
    """Nested in a response."""

    x: int


@dataclass
class Outer:
    """A response."""

    inner: Inner
    more: dict[str, int]


class Kind(Enum):
    """A choice."""

    A = "a"


@dataclass
class Choice:
    """A response with a choice."""

    kind: Kind


class Strict(Struct, forbid_unknown_fields=True):
    """The body of gglib's own API."""

    a: int


class Open(Struct):
    """A body that is forwarded with further fields."""

    a: int
    b: str = ""


def test_a_type_is_referenced_by_its_name() -> None:
    """A plain ``dict`` has no name: it is any object."""
    assert ref(Outer) == {"$ref": "#/components/schemas/Outer"}
    assert ref(dict) == {"type": "object"}


def test_nested_types_are_included() -> None:
    """Each type has one schema, to which the others refer; a ``dict`` has none."""
    found = components([Outer, dict, Strict, Outer])
    assert sorted(found) == ["Inner", "Outer", "Strict"]
    assert found["Outer"]["properties"]["inner"] == ref(Inner)
    assert found["Inner"]["properties"]["x"] == {"type": "integer"}
    assert found["Outer"]["required"] == ["inner", "more"]


def test_responses_have_exactly_the_fields_of_their_type() -> None:
    """This holds for nested types too; a struct says itself whether it accepts further fields."""
    found = components([Outer, Strict, Open])
    strict = {name for name, schema in found.items() if schema.get("additionalProperties") is False}
    assert strict == {"Inner", "Outer", "Strict"}
    assert found["Outer"]["properties"]["more"]["additionalProperties"] == {"type": "integer"}


def test_only_objects_are_restricted_to_their_fields() -> None:
    """The values of an ``Enum`` have none."""
    assert components([Choice])["Kind"] == {"title": "Kind", "description": "A choice.", "enum": ["a"]}
