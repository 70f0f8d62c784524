"""Alias lists: one name, or a pattern for names, for several models, of which the first that can run serves a request.

Names of the catalogue take precedence over an alias of the same spelling, and ``model:profile`` over a pattern. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from gglib.core.defaults import IN_MEMORY_ALIAS
from gglib.core.models import ModelSummary
from gglib.core.names import find_model
from gglib.proxy.names.patterns import NamePattern, is_pattern

_NO_ID = -1
"""Not the id of a model: names are digits at most, without a sign."""
_IN_MEMORY = NamePattern(IN_MEMORY_ALIAS)


class AliasEntry(NamedTuple):
    """An entry of the setting."""

    name: str
    """A name, or a pattern."""
    members: tuple[str, ...]
    """Names of models in the order of preference."""


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias list whose models, or some of them, are in the catalogue."""

    name: str
    members: tuple[ModelSummary, ...]
    """Its models in the order of preference, without those that are not in the catalogue."""

    def as_model(self) -> ModelSummary:
        """Return the first model under the name of the alias, for lists of models."""
        names = ", ".join(member.name for member in self.members)
        return replace(
            self.members[0],
            id=_NO_ID,
            name=self.name,
            aliases=(),
            description=f"The first that can run of: {names}.",
        )


class AliasLists:
    """The alias lists of one server: names of models by alias, in the order of preference."""

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        self.entries = tuple(AliasEntry(name, tuple(members)) for name, members in lists.items())
        """All entries, in the order of the setting."""
        self._lists = {entry.name: entry for entry in self.entries if not is_pattern(entry.name)}
        self._names = tuple(ModelSummary(id=_NO_ID, name=name) for name in self._lists)
        """A model with the name of each list, for ``find_model``."""
        patterns = [(NamePattern(entry.name), entry) for entry in self.entries if is_pattern(entry.name)]
        self._patterns = sorted(patterns, key=lambda item: -item[0].literals)

    def find(self, name: str) -> AliasEntry | None:
        """Return the list that ``name`` resolves to, by the rules of model names; patterns are no names."""
        found = find_model(name, self._names)
        return None if found is None else self._lists[found.name]

    def matching(self, name: str) -> list[AliasEntry]:
        """Return the entries whose pattern matches: most literal characters first, then the order of the setting."""
        return [entry for pattern, entry in self._patterns if pattern.matches(name)]

    def is_in_memory_alias(self, name: str) -> bool:
        """Whether a name stands for the model in memory (``IN_MEMORY_ALIAS``): no entry is for this name."""
        return _IN_MEMORY.matches(name) and self.find(name) is None and not self.matching(name)

    def listed(self, models: Sequence[ModelSummary]) -> tuple[Alias, ...]:
        """Return the lists that resolve to a model of ``models`` and to no name of theirs."""
        found = (
            Alias(entry.name, members_of(entry, models))
            for entry in self._lists.values()
            if find_model(entry.name, models) is None
        )
        return tuple(alias for alias in found if alias.members)

    def suggested(self, models: Sequence[ModelSummary]) -> list[ModelSummary]:
        """Return ``models`` and the listed aliases, for errors that suggest similar names."""
        return [*models, *(alias.as_model() for alias in self.listed(models))]


def members_of(entry: AliasEntry, models: Sequence[ModelSummary]) -> tuple[ModelSummary, ...]:
    """Return the models of an entry that are in ``models``."""
    return tuple(filter(None, (find_model(member, models) for member in entry.members)))
