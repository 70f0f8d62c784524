"""Locks a home for one server, and opens its catalogue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gglib.app.models.catalog import open_catalog
from gglib.app.serving.instance import InstanceLock, lock_instance
from gglib.app.settings import Settings, prepare_home
from gglib.db import SqliteCatalog


@dataclass(frozen=True, slots=True)
class OpenHome:
    """A locked home and its open catalogue."""

    lock: InstanceLock
    """The lock that prevents a second server."""
    catalog: SqliteCatalog
    """Open while the home is locked."""


@asynccontextmanager
async def open_home(settings: Settings, *, is_private: bool = False) -> AsyncIterator[OpenHome]:
    """Lock ``settings.home`` for one server for the duration of the block, and open its catalogue.

    ``is_private`` is whether that server is for one chat only, and ends with it.

    Creates the home if it does not exist, and runs its maintenance (``app.models.home_maintenance``). Raises
    ``AlreadyRunningError`` with the address of the other server, and ``CatalogError`` if the home or its catalogue
    cannot be used.
    """
    prepare_home(settings)
    with lock_instance(settings.run_dir, is_private=is_private) as instance_lock:
        async with open_catalog(settings) as catalog:
            yield OpenHome(instance_lock, catalog)
