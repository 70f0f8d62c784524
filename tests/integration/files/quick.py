"""The most frequent operations of the sequences, pull and catalogue read, without a new process or event loop.

Each opens the catalogue anew, as a command does.
"""

import asyncio
from dataclasses import dataclass

from gglib.app.models.catalog import open_catalog
from gglib.app.models.hub import open_hub
from gglib.app.models.pulls import pull_by_name
from gglib.app.settings import Settings
from gglib.core.errors import GglibError
from gglib.core.models import ModelSummary
from gglib.db import SqliteCatalog

from .world import Done, Home


@dataclass(frozen=True, slots=True)
class CatalogState:
    """The catalogue's models and unfinished pulls."""

    rows: dict[str, ModelSummary]
    unfinished: set[str]
    """The targets that resume them."""


class Quick:
    """Runs the operations on one event loop."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def close(self) -> None:
        """Close the loop."""
        self._runner.close()

    def pull(self, home: Home, target: str) -> Done:
        """Pull, as ``gglib pull TARGET`` does."""

        async def pull() -> Done:
            settings = Settings(home=home.path)
            try:
                async with open_catalog(settings) as store, open_hub(home.environment) as hub:
                    await pull_by_name(settings, store, hub, target, lambda _: None)
            except GglibError as error:
                return Done(1, "", str(error))
            return Done(0, "", "")

        return self._runner.run(pull())

    def catalog_state(self, home: Home, *, is_opening: bool) -> CatalogState:
        """Return the catalogue's state, as stored or (``is_opening``) after the recovery that opening performs."""

        async def catalog_state() -> CatalogState:
            settings = Settings(home=home.path)
            if not settings.database.exists():
                return CatalogState({}, set())
            catalog = open_catalog(settings) if is_opening else SqliteCatalog(settings.database)
            async with catalog as store:
                models, jobs = await store.list_models(), await store.list_pulls()
            return CatalogState({model.name: model for model in models}, {job.asked for job in jobs})

        return self._runner.run(catalog_state())
