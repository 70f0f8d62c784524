"""Rules for the fields of a configuration: what becomes of each. Pure.

The tables of ``docs/import.md`` are made from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gglib.library.importers.configurations.files.documents import Fields, Scalar, json_value
from gglib.library.importers.configurations.plan import Leftover

UNKNOWN = "it is an unknown field"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """What becomes of a field."""

    becomes: str | None = None
    """For the documentation, in Markdown; None: the field has no counterpart, and ``reason`` is set."""
    reason: str | None = None
    """Why it has no counterpart, as a phrase."""
    instead: str | None = None
    """What to use instead; ``{value}`` is the field's value, ``{model}`` the name of its model."""
    default: Any = None
    """The value that is the same as leaving the field out: it is not listed."""


FieldRules = Mapping[str, FieldRule]
"""By the name of the field."""


def becomes(text: str) -> FieldRule:
    """Return the rule of a field that is imported."""
    return FieldRule(becomes=text)


def lacks(reason: str, instead: str | None = None, *, default: Any = None) -> FieldRule:  # noqa: ANN401 - any JSON value
    """Return the rule of a field without a counterpart."""
    return FieldRule(reason=reason, instead=instead, default=default)


def leftovers_of(fields: Fields, rules: FieldRules, *, model: str = "") -> list[Leftover]:
    """Return the fields of a mapping that are not imported; ``model`` is the name of its model."""
    found: list[Leftover] = []
    for name, node in fields.nodes.items():
        rule = rules.get(name)
        if rule is None:
            found.append(Leftover(fields.path(name), UNKNOWN))
            continue
        if rule.reason is None or json_value(node) == rule.default or json_value(node) is None:
            continue
        value = fields.expand(node.value.text) if isinstance(node.value, Scalar) else ""
        instead = None if rule.instead is None else rule.instead.format(value=value, model=model)
        found.append(Leftover(fields.path(name), rule.reason, instead))
    return found
