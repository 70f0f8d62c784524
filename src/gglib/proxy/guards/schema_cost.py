"""What a schema, a tool or a grammar costs the engine that samples by it, estimated before the engine sees it. Pure.

llama.cpp turns schemas into a grammar and, for each token, tries every token of the vocabulary against every branch of
the grammar that is still open, in the one thread that computes for all requests of the model. So what costs is how many
branches are open at one place, not how long the schema is: 20,000 plain properties are nothing, an enum of 20,000
values stopped a model for a minute, and so did the pattern ``^(.{0,40}){0,40}$``.

The unit is one value of an enum: 1 to 2 ms of a core for an answer's first tokens (SmolLM2, 49,152 tokens in the
vocabulary, xllamacpp 2026.10.11549), up to three times as much with the largest vocabularies. The weights are fitted to
what that engine took for each construct alone; places that follow one another are not added up, because one of them is
open at a time.
"""

import json
import re
from collections.abc import Iterator
from math import inf
from typing import Any

DEFAULT_MAX_COST = 2_000
DEFAULT_MAX_BYTES = 1024 * 1024
MAX_PARTS = 100_000
"""Commas and brackets of what is built: 50 ms, in which no other request is answered."""

_CONST_BRANCH = 4
_BRANCH = 5
"""A branch of ``anyOf`` or ``oneOf``: it becomes rules of its own, and white space in objects opens more."""
_ALL_OF = 3
"""An enum value below an ``allOf`` of several, whose enums are intersected."""
_OPTIONALS_SQUARED = 64
"""After each optional property any later one may follow: a grammar of their number squared."""
_PATTERN = 3
"""The square of a pattern's branches for one unit."""
_BRANCHES = frozenset(("anyOf", "oneOf"))

_QUANTIFIER = r"[?*+]|\{[0-9]*,?[0-9]*\}"
_PATTERN_TOKENS = re.compile(rf"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]?|\(\?:|[()]|{_QUANTIFIER}|.", re.DOTALL)
_GRAMMAR_TOKENS = re.compile(
    rf'"(?:\\.|[^"\\])*+"?|\[(?:\\.|[^\]\\])*+\]?|#[^\r\n]*+|::=|[()|]|{_QUANTIFIER}|[^\s"\[#()|?*+{{:]++|\S',
    re.DOTALL,
)
_COUNTS = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
_LONGEST_COUNT = 6

_parse = json.JSONDecoder(object_pairs_hook=tuple).decode
"""Objects become tuples of their members: of a duplicate key each value counts, whichever the engine takes."""


class TooManyPartsError(Exception):
    """A schema is made of more parts than are looked at."""


def schema_cost(value: bytes) -> int:
    """Return the cost of the dearest place in ``value``, which is sound JSON: schemas, tools, or what holds them.

    Raises ``TooManyPartsError``.
    """
    if value.count(b",") + value.count(b"[") + value.count(b"{") > MAX_PARTS:
        raise TooManyPartsError
    return parsed_cost(_parse(value.decode()))


def cost_upper_bound(text: str) -> float:
    """Return a cost that no schema in ``text`` exceeds, JSON whose keys are spelled out; infinite where unsure.

    A value costs ``_BRANCH`` at most, and optional properties the square of their number: the sum over branches is no
    more than that of all values together. ``parsed_cost`` takes some microseconds for each tool, this does not.
    """
    if '"pattern"' in text:
        return inf
    values = text.count(",") + text.count("[") + text.count("{")
    return _BRANCH * values + values * values / _OPTIONALS_SQUARED


def parsed_cost(node: Any) -> int:  # noqa: ANN401 - JSON
    """Return what ``schema_cost`` does of JSON that is built already, its objects as tuples of their members."""
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
        cost = max(cost, (properties - required) ** 2 // _OPTIONALS_SQUARED)
    return cost


def _cost_of_list(key: str, items: list[Any], enum_weight: int) -> int:
    if key == "enum":
        return len(items) * enum_weight
    if key in _BRANCHES:
        return sum(_branch_cost(branch, enum_weight) for branch in items)
    if key == "allOf" and len(items) > 1:
        return sum(_cost(part, _ALL_OF) for part in items)
    return _cost(items, enum_weight)


def _branch_cost(branch: Any, enum_weight: int) -> int:  # noqa: ANN401 - JSON
    is_const = type(branch) is tuple and any(key in {"const", "enum"} for key, _ in branch)
    return max(_cost(branch, enum_weight), _CONST_BRANCH if is_const else _BRANCH)


def pattern_cost(pattern: str) -> int:
    """Return the cost of a regular expression: of its quantifiers without a fixed count, times their repetitions."""
    parts = (match[0] for match in _PATTERN_TOKENS.finditer(pattern))
    return _quantified_cost(parts, ("(", "(?:"))


def grammar_cost(grammar: str) -> int:
    """Return the cost of the dearest rule of a GBNF grammar: of its alternatives and its quantifiers."""
    cost, rule = 0, list[str]()
    for part in (*(match[0] for match in _GRAMMAR_TOKENS.finditer(grammar)), "::="):
        if part != "::=":
            rule.append(part)
            continue
        cost = max(cost, rule.count("|"), _quantified_cost(iter(rule), ("(",)))
        rule = []
    return cost


def _quantified_cost(parts: Iterator[str], openers: tuple[str, ...]) -> int:
    """Return the quantifiers without a fixed count, times all repetitions, each as often as its groups repeat it."""
    groups: list[tuple[int, int]] = []
    variables = repetitions = 0  # of the group that is open
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
    return variables * repetitions // _PATTERN


def _times(quantifier: str) -> tuple[int, bool]:
    """Return how often a quantifier writes its item out, and whether that is not fixed."""
    counts = _COUNTS.fullmatch(quantifier)
    if counts is None:
        return 1, True
    least, comma, most = counts.groups()
    low, high = int(least[:_LONGEST_COUNT] or 0), int(most[:_LONGEST_COUNT] or 0)
    return max(low, high, 1), bool(comma) and low != high
