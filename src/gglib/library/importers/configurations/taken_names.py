"""The names that models have, before and during an import. Pure."""

from collections.abc import Iterable, Sequence

from gglib.core.models import ModelSummary
from gglib.core.name_rules import is_name
from gglib.library.importers.configurations.plan import Leftover


class TakenNames:
    """The names and aliases of all models, ignoring case."""

    def __init__(self, models: Sequence[ModelSummary]) -> None:
        self._owners: dict[str, str] = {}
        for model in models:
            self.take(model.name, (model.name, *model.aliases))

    def take(self, owner: str, names: Iterable[str]) -> None:
        """Remember that the model ``owner`` has these names."""
        for name in names:
            self._owners.setdefault(name.casefold(), owner)

    def owner(self, name: str) -> str | None:
        """Return the model that has a name; None if it is free."""
        return self._owners.get(name.casefold())

    def free(
        self, where: str, names: Iterable[str], own: Iterable[str]
    ) -> tuple[tuple[str, ...], list[Leftover]]:
        """Return the names that may become aliases of a model, each once, and why the others may not.

        ``own`` are the names that the model has.
        """
        seen = {name.casefold() for name in own}
        free: list[str] = []
        leftovers: list[Leftover] = []
        for name in names:
            if name.casefold() in seen:
                continue
            seen.add(name.casefold())
            owner = self.owner(name)
            if not is_name(name):
                leftovers.append(Leftover(where, f"the name {name!a} cannot be used"))
            elif owner is not None:
                leftovers.append(Leftover(where, f"'{name}' is a name of '{owner}'"))
            else:
                free.append(name)
        return tuple(free), leftovers
