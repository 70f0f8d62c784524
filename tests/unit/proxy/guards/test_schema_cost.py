"""The cost of schemas and grammars for the engine. Real ones are far below the limit."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gglib.proxy.guards.schema_cost import (
    DEFAULT_MAX_COST,
    MAX_PARTS,
    TooManyPartsError,
    cost_upper_bound,
    grammar_cost,
    pattern_cost,
    schema_cost,
)


def cost(schema: object) -> int:
    """Return the cost of a schema."""
    return schema_cost(json.dumps(schema).encode())


def an_object(**properties: object) -> dict[str, Any]:
    """Return the schema of an object whose properties are all required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def values(count: int) -> list[str]:
    """Return the given number of enum values."""
    return [f"v{number}" for number in range(count)]


COSTS: dict[str, tuple[object, int]] = {
    "no alternatives": (an_object(a={"type": "string"}, b={"type": "integer"}), 0),
    "an enum": (an_object(a={"enum": values(300)}), 300),
    "enums one after the other": (an_object(a={"enum": values(300)}, b={"enum": values(200)}), 300),
    "an enum in an array of arrays": ({"items": {"items": {"enum": values(7)}}}, 7),
    "an enum in a list of lists": ([[{"enum": values(9)}]], 9),
    "an enum in a definition": ({"$defs": {"x": {"enum": values(8)}}, "$ref": "#/$defs/x"}, 8),
    "constants": ({"anyOf": [{"const": value} for value in values(100)]}, 400),
    "objects": ({"oneOf": [an_object(**{value: {}}) for value in values(100)]}, 500),
    "references": ({"anyOf": [{"$ref": f"#/$defs/{value}"} for value in values(100)]}, 500),
    "enums beside one another": ({"anyOf": [{"enum": values(50)}, {"enum": values(60)}]}, 110),
    "unions in unions": ({"anyOf": [{"anyOf": [{"enum": values(50)}] * 3}] * 2}, 300),
    "an intersection": ({"allOf": [{"enum": values(50)}, {"enum": values(50)}]}, 300),
    "an intersection of one": ({"allOf": [{"enum": values(50)}]}, 50),
    "optional properties": ({"properties": {value: {} for value in values(128)}}, 256),
    "required properties": (an_object(**{value: {} for value in values(1000)}), 0),
    "some required": ({"properties": {v: {} for v in values(128)}, "required": values(64)}, 64),
    "a pattern": (an_object(a={"pattern": "^(.{0,10}){0,10}$"}), 403),
    "a property that is called enum": (an_object(enum={"type": "string"}, pattern={"type": "string"}), 0),
    "no schema at all": ("enum", 0),
}


@pytest.mark.parametrize(("schema", "expected"), COSTS.values(), ids=COSTS.keys())
def test_cost_of_each_construct(schema: object, expected: int) -> None:
    """The most expensive place counts, wherever it is."""
    assert cost(schema) == expected
    assert cost({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}) == expected
    assert cost([{"type": "function", "function": {"name": "x", "parameters": schema}}] * 3) == expected


def test_duplicate_members_all_count() -> None:
    """Whichever of two members the engine takes, both are checked; so are keys with escapes."""
    assert schema_cost(b'{"enum":[1,2,3],"enum":[1]}') == 3
    assert schema_cost(b'{"enum":[1],"enum":[1,2,3]}') == 3
    assert schema_cost(b'{"\\u0065num":[1,2,3]}') == 3


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{4}-\d{2}-\d{2}$",
        r"^[^@]+@[^@]+\.[a-z]+$",
        r"^[A-Z]{2}\d{2}( ?\w{4}){3,7}( ?\w{1,3})?$",
        r"^(25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)(\.(25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)){3}$",
        r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        r"^P(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?$",
        r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,8}$",
        r"^https?://[^\s/$.?#].[^\s]*$",
        r"^\+[1-9]\d{1,14}$",
        ".*",
        "",
    ],
)
def test_ordinary_patterns_pass(pattern: str) -> None:
    """Dates, addresses, numbers and names as schemas have them pass."""
    assert pattern_cost(pattern) <= DEFAULT_MAX_COST


@pytest.mark.parametrize(
    "pattern", ["(a?)" * 100, "(.*)" * 100, "(.{0,40}){0,40}", "((a{0,20}){0,20}){0,20}", "(a{0,99999}b?)*"]
)
def test_expensive_patterns_are_refused(pattern: str) -> None:
    """Each of these kept an engine at 100 % of a core for longer than 10 s, or multiplies one that did."""
    assert pattern_cost(f"^{pattern}$") > DEFAULT_MAX_COST


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a?" * 6, 12),
        ("(a{2,3}b){4}", 4 * (12 + 4) // 3),
        (r"\(a?\)", 0),
        ("[(a?]*", 0),
        ("[a]{3}", 0),
        ("a{,5}", 5 // 3),
        ("a{5,}", 5 // 3),
        (")a?", 0),
        ("(" * 50 + "a?", 0),
    ],
)
def test_quantifiers_multiply(pattern: str, expected: int) -> None:
    """A group repeats its content; an escaped brace, one in a set or one with a fixed count opens nothing."""
    assert pattern_cost(pattern) == expected


GRAMMARS = {
    'root ::= "a" | "b" | "c"': 2,
    'root ::= "a | b" [|*] # | x | y\n': 0,
    "root ::= " + " | ".join(f'"v{number}"' for number in range(5000)): 4999,
    'root ::= a | b\na ::= "x" | "y" | "z"\nb ::= "w"': 2,
    "root ::= " + '"a"? ' * 80: 2133,
    "root ::= " + '("a"? ){0,80}': (81 * 160) // 3,
}


@pytest.mark.parametrize(("grammar", "expected"), GRAMMARS.items(), ids=range(len(GRAMMARS)))
def test_cost_of_a_grammar_is_that_of_its_most_expensive_rule(grammar: str, expected: int) -> None:
    """Alternatives and quantifiers of one rule count; those in literals, sets and comments do not."""
    assert grammar_cost(grammar) == expected


def test_tools_of_agents_pass() -> None:
    """About 80 KB of tools, and ten thousand trivial ones, cost next to nothing."""
    described = {"type": "string", "description": "What it is for, and how to use it. " * 8}
    tool = {
        "name": "edit",
        "description": "Edits a file. " * 40,
        "input_schema": {
            "type": "object",
            "properties": {
                **{f"p{number}": described for number in range(8)},
                "mode": {"enum": ["replace", "insert", "delete"]},
                "edits": {"type": "array", "items": an_object(old=described, new=described)},
            },
            "required": ["p0", "p1"],
        },
    }
    assert len(json.dumps([tool] * 20)) > 80_000
    assert cost([tool] * 20) == 3
    assert (
        cost([{"type": "function", "function": {"name": f"t{n}", "parameters": {}}} for n in range(10_000)])
        == 0
    )


def test_values_with_too_many_parts_are_not_parsed() -> None:
    """Memory and time stay bounded for values with very many small parts."""
    with pytest.raises(TooManyPartsError):
        schema_cost(b"[" + b"0," * MAX_PARTS + b"0]")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["enum", "anyOf", "allOf", "properties", "required", "pattern", "const", "items"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


SCHEMAS = st.recursive(
    st.fixed_dictionaries({}, optional={"const": st.integers(), "enum": st.lists(st.integers(), max_size=6)}),
    lambda inner: (
        st.dictionaries(
            st.sampled_from(("anyOf", "oneOf", "allOf", "items", "enum", "x")),
            inner | st.lists(inner, max_size=5),
        )
        | st.fixed_dictionaries(
            {"properties": st.dictionaries(st.text(alphabet="abc", max_size=4), inner, max_size=40)},
            optional={"required": st.lists(st.text(alphabet="abc", max_size=4))},
        )
    ),
    max_leaves=60,
)


@given(SCHEMAS)
@example({"properties": {value: {} for value in values(300)}})
@example({"anyOf": [{}] * 100})
@example({"allOf": [{"enum": values(100)}] * 2})
@example({"anyOf": [{"anyOf": [{"properties": {value: {} for value in values(20)}}] * 5}] * 5})
def test_highest_cost_is_an_upper_bound(schema: object) -> None:
    """No schema costs more than the quick upper bound."""
    assert cost(schema) <= cost_upper_bound(json.dumps(schema))


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"enum":[1,2,3]}', 20 + 16 / 64), ('{"properties":{"pattern":{"type":"string"}}}', math.inf)],
)
def test_highest_cost_counts_values_and_ignores_patterns(text: str, expected: float) -> None:
    """The bound counts commas and opening brackets, which are as many as the values; pattern costs are not in it."""
    assert cost_upper_bound(text) == expected


@given(JSON_VALUES, st.text(alphabet='(){}[]*+?|\\,01a\n:="#', max_size=30))
def test_any_value_has_a_cost(value: object, text: str) -> None:
    """Any value in place of a schema has a cost, and raises nothing."""
    assert cost(value) >= 0
    assert pattern_cost(text) >= 0
    assert grammar_cost(text) >= 0
