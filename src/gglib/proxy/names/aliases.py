"""Alias lists: one name for several models, of which the first that can run serves a request. Pure.

Names of the catalogue take precedence over an alias of the same spelling.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gglib.core.models import ModelSummary
from gglib.core.names import find_model

_NO_ID = -1
"""Not the id of a model: names are digits at most, without a sign."""


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
        self._lists = {alias: tuple(names) for alias, names in lists.items()}
        self._entries = tuple(ModelSummary(id=_NO_ID, name=alias) for alias in self._lists)
        """A model with the name of each alias, for ``find_model``."""

    def find(self, name: str) -> tuple[str, ...]:
        """Return the models of the alias that ``name`` resolves to, by the rules of model names; empty without one."""
        entry = find_model(name, self._entries)
        return () if entry is None else self._lists[entry.name]

    def models_of(self, name: str, models: Sequence[ModelSummary]) -> tuple[ModelSummary, ...]:
        """Return the models of ``models`` that ``name`` means: one, those of an alias, or none."""
        own = find_model(name, models)
        if own is not None:
            return (own,)
        return tuple(filter(None, (find_model(member, models) for member in self.find(name))))

    def listed(self, models: Sequence[ModelSummary]) -> tuple[Alias, ...]:
        """Return the aliases that resolve to a model of ``models`` and to no name of theirs."""
        found = (
            Alias(alias, self.models_of(alias, models))
            for alias in self._lists
            if find_model(alias, models) is None
        )
        return tuple(alias for alias in found if alias.members)

    def suggested(self, models: Sequence[ModelSummary]) -> list[ModelSummary]:
        """Return ``models`` and the listed aliases, for errors that suggest similar names."""
        return [*models, *(alias.as_model() for alias in self.listed(models))]

    def find_listed(self, name: str, models: Sequence[ModelSummary]) -> Alias | None:
        """Return the alias of ``listed`` that ``name`` resolves to, None without one."""
        entry = find_model(name, self._entries)
        return next((alias for alias in self.listed(models) if entry and alias.name == entry.name), None)
