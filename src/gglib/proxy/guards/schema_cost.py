"""Estimates the cost of constrained sampling by a schema, a tool or a grammar. Pure.

llama.cpp converts schemas to a grammar. For each generated token it matches every vocabulary token against every open
branch of the grammar, in the single thread that computes for all requests of the model. So the cost depends on the
number of branches open at one place, not on the length of the schema: 20,000 plain properties cost nothing, but an enum
of 20,000 values blocked a model for a minute, and so did the pattern ``^(.{0,40}){0,40}$``.

The unit is one enum value: 1 to 2 ms of CPU time for the first tokens of a response (SmolLM2, vocabulary of 49,152
tokens, xllamacpp 2026.10.11549), up to three times as much with the largest vocabularies. The weights are fitted to
measurements of each construct alone. Consecutive places are not summed, because only one is open at a time.
"""

import json
import re
from collections.abc import Iterator
from math import inf
from typing import Any

DEFAULT_MAX_COST = 2_000
DEFAULT_MAX_BYTES = 1024 * 1024
MAX_PARTS = 100_000
"""Maximum number of commas and brackets; parsing them blocks the event loop for 50 ms."""

_COST_OF_CONST_BRANCH = 4
_COST_OF_BRANCH = 5
"""A branch of ``anyOf`` or ``oneOf``: it becomes separate rules, and white space in objects opens more."""
_COST_OF_ALL_OF_VALUE = 3
"""An enum value below an ``allOf`` with several parts, whose enums are intersected."""
_SQUARED_OPTIONALS_PER_UNIT = 64
"""Any later optional property may follow each, so they cost the square of their number, divided by this."""
_SQUARED_BRANCHES_PER_UNIT = 3
"""A pattern costs the square of its branches, divided by this."""
_BRANCHES = frozenset(("anyOf", "oneOf"))

_QUANTIFIER = r"[?*+]|\{[0-9]*,?[0-9]*\}"
_PATTERN_TOKENS = re.compile(rf"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]?|\(\?:|[()]|{_QUANTIFIER}|.", re.DOTALL)
_GRAMMAR_TOKENS = re.compile(
    rf'"(?:\\.|[^"\\])*+"?|\[(?:\\.|[^\]\\])*+\]?|#[^\r\n]*+|::=|[()|]|{_QUANTIFIER}|[^\s"\[#()|?*+{{:]++|\S',
    re.DOTALL,
)
_COUNTS = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
_MAX_COUNT_DIGITS = 6

_parse = json.JSONDecoder(object_pairs_hook=tuple).decode
"""Objects become tuples of their members, so that all values of a duplicate key count."""


class TooManyPartsError(Exception):
    """A schema has more than ``MAX_PARTS`` parts."""


def schema_cost(value: bytes) -> int:
    """Return the cost of the most expensive place in ``value``, valid JSON that contains schemas or tools.

    Raises ``TooManyPartsError``.
    """
    if value.count(b",") + value.count(b"[") + value.count(b"{") > MAX_PARTS:
        raise TooManyPartsError
    return parsed_cost(_parse(value.decode()))


def cost_upper_bound(text: str) -> float:
    """Return an upper bound of the cost of all schemas in JSON ``text`` without escaped keys; infinite if unknown.

    A value costs at most ``_COST_OF_BRANCH``, and optional properties the square of their number; the sum over branches
    is at most that of all values together. Avoids ``parsed_cost``, which takes some microseconds per tool.
    """
    if '"pattern"' in text:
        return inf
    values = text.count(",") + text.count("[") + text.count("{")
    return _COST_OF_BRANCH * values + values * values / _SQUARED_OPTIONALS_PER_UNIT


def parsed_cost(node: Any) -> int:  # noqa: ANN401 - JSON
    """Return the ``schema_cost`` of parsed JSON, with objects as tuples of their members."""
    return _cost(node, 1)


def _cost(node: Any, enum_weight: int) -> int:  # noqa: ANN401 - JSON
    if type(node) is tuple:
        return _cost_of_object(node, enum_weight)
    cost = 0
    if type(node) is list:
        for item in node:
            if type(item) is tuple or type(item) is list:
                cost = max(cost, _cost(item, enum_weight))
    return cost


def _cost_of_object(members: tuple[tuple[str, Any], ...], enum_weight: int) -> int:
    cost = properties = required = 0
    for key, child in members:
        kind = type(child)
        if kind is tuple:
            if key == "properties":
                properties = max(properties, len(child))
            here = _cost_of_object(child, enum_weight)
        elif kind is list:
            if key == "required":
                required = len({name for name in child if type(name) is str})
            here = _cost_of_list(key, child, enum_weight)
        elif key == "pattern" and kind is str:
            here = pattern_cost(child)
        else:
            continue
        cost = max(cost, here)
    if properties > required:
        cost = max(cost, (properties - required) ** 2 // _SQUARED_OPTIONALS_PER_UNIT)
    return cost


def _cost_of_list(key: str, items: list[Any], enum_weight: int) -> int:
    if key == "enum":
        return len(items) * enum_weight
    if key in _BRANCHES:
        return sum(_branch_cost(branch, enum_weight) for branch in items)
    if key == "allOf" and len(items) > 1:
        return sum(_cost(part, _COST_OF_ALL_OF_VALUE) for part in items)
    return _cost(items, enum_weight)


def _branch_cost(branch: Any, enum_weight: int) -> int:  # noqa: ANN401 - JSON
    is_const = type(branch) is tuple and any(key in {"const", "enum"} for key, _ in branch)
    return max(_cost(branch, enum_weight), _COST_OF_CONST_BRANCH if is_const else _COST_OF_BRANCH)


def pattern_cost(pattern: str) -> int:
    """Return the cost of a regular expression: its variable quantifiers times all repetitions."""
    parts = (match[0] for match in _PATTERN_TOKENS.finditer(pattern))
    return _quantified_cost(parts, ("(", "(?:"))


def grammar_cost(grammar: str) -> int:
    """Return the cost of the most expensive rule of a GBNF grammar, by its alternatives and quantifiers."""
    cost, rule = 0, list[str]()
    for part in (*(match[0] for match in _GRAMMAR_TOKENS.finditer(grammar)), "::="):
        if part != "::=":
            rule.append(part)
            continue
        cost = max(cost, rule.count("|"), _quantified_cost(iter(rule), ("(",)))
        rule = []
    return cost


def _quantified_cost(parts: Iterator[str], openers: tuple[str, ...]) -> int:
    """Return the number of variable quantifiers times all repetitions, both multiplied by enclosing repetitions."""
    groups: list[tuple[int, int]] = []
    variables = repetitions = 0  # of the open group
    last = (0, 0)  # of the item before a quantifier
    for part in parts:
        if part in openers:
            groups.append((variables, repetitions))
            variables = repetitions = 0
            last = (0, 0)
        elif part == ")":
            last = (variables, repetitions)
            if groups:
                outer = groups.pop()
                variables, repetitions = variables + outer[0], repetitions + outer[1]
        elif part[0] in "?*+" or (part[0] == "{" and len(part) > 1):
            times, is_variable = _times(part)
            variables += last[0] * (times - 1) + is_variable
            repetitions += last[1] * (times - 1) + times
            last = (0, 0)
        else:
            last = (0, 0)
    return variables * repetitions // _SQUARED_BRANCHES_PER_UNIT


def _times(quantifier: str) -> tuple[int, bool]:
    """Return how often a quantifier expands its item, and whether the count is variable."""
    counts = _COUNTS.fullmatch(quantifier)
    if counts is None:
        return 1, True
    least, comma, most = counts.groups()
    low, high = int(least[:_MAX_COUNT_DIGITS] or 0), int(most[:_MAX_COUNT_DIGITS] or 0)
    return max(low, high, 1), bool(comma) and low != high
