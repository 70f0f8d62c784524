"""Lists all aliases with their models: those of the catalogue, of the settings, and the built-in one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gglib.core.defaults import IN_MEMORY_ALIAS
from gglib.core.models import ModelSummary
from gglib.core.names import find_model
from gglib.proxy.names.aliases import AliasEntry, AliasLists, members_of
from gglib.proxy.names.patterns import is_pattern

AliasSource = Literal["catalogue", "config", "built-in"]
"""Where an alias is from: the row of its model, the setting ``aliases``, or ``IN_MEMORY_ALIAS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasRow:
    """An alias and its models."""

    name: str
    """A name, or a pattern."""
    models: tuple[str, ...]
    """Names of models in the order of preference; empty for the built-in alias, whose model is the one in memory."""
    missing: tuple[str, ...] = ()
    """Those of ``models`` that are not in the catalogue."""
    source: AliasSource
    is_ignored: bool = False
    """Whether no request resolves by it, because the catalogue has the name."""


def alias_table(models: Sequence[ModelSummary], lists: AliasLists) -> list[AliasRow]:
    """Return the aliases of the models in their order, those of the settings in theirs, then the built-in one.

    The built-in alias is left out if a pattern of the settings matches all of its names.
    """
    rows = [
        AliasRow(name=alias, models=(model.name,), source="catalogue")
        for model in models
        for alias in model.aliases
    ]
    rows += [_row_of(entry, models) for entry in lists.entries]
    # A pattern that matches the text of another pattern matches all names of that one: only ``*`` can match a ``*``.
    if not lists.matching(IN_MEMORY_ALIAS):
        rows.append(AliasRow(name=IN_MEMORY_ALIAS, models=(), source="built-in"))
    return rows


def lists_by_model(models: Sequence[ModelSummary], lists: AliasLists) -> dict[int, tuple[str, ...]]:
    """Return the lists and patterns of the settings that name each model, by its id, in the order of the setting."""
    found: dict[int, list[str]] = {model.id: [] for model in models}
    for entry in lists.entries:
        if not _is_ignored(entry, models):
            for model_id in {model.id for model in members_of(entry, models)}:
                found[model_id].append(entry.name)
    return {model_id: tuple(names) for model_id, names in found.items()}


def _row_of(entry: AliasEntry, models: Sequence[ModelSummary]) -> AliasRow:
    found = {member: find_model(member, models) for member in entry.members}
    return AliasRow(
        name=entry.name,
        models=tuple(member if model is None else model.name for member, model in found.items()),
        missing=tuple(member for member, model in found.items() if model is None),
        source="config",
        is_ignored=_is_ignored(entry, models),
    )


def _is_ignored(entry: AliasEntry, models: Sequence[ModelSummary]) -> bool:
    return not is_pattern(entry.name) and find_model(entry.name, models) is not None
