"""The catalogue in SQLite: the thin asynchronous shell over ``snapshot`` (reading) and ``rows`` (writing).

Writing never stays on the event loop's thread, because it waits for the disk and for other processes. It must not
know what a model is used for.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from gglib.core.errors import CatalogError
from gglib.core.kinds import launch_spec
from gglib.core.models import ModelLaunchSpec, ModelSettings, ModelSummary, NewModel
from gglib.core.names import find_model
from gglib.core.naming import check_aliases
from gglib.db.border import primary_code, translated
from gglib.db.connections import prepare, writing
from gglib.db.rows import (
    delete_model,
    insert_model,
    load_model,
    load_models,
    note_uses,
    replace_aliases,
    replace_content,
    replace_settings,
    replace_tags,
)
from gglib.db.rules import check_files, check_new, check_settings, check_tags
from gglib.db.snapshot import Snapshot, SnapshotCache

T = TypeVar("T")


class SqliteCatalog:
    """The models of this machine, in one SQLite file; implements ``ModelStorePort``.

    Any number of processes may use the file at the same time: what one has written it sees with its next read, the
    others ``FRESH_S`` later at the latest. A write that is cancelled while it runs may still take place; one that has
    returned is on the disk.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._cache: SnapshotCache | None = None

    async def open(self) -> None:
        """Create the file where there is none, migrate an older one, and read it; nothing when it is open.

        Raises ``CatalogError`` when it cannot be used: damaged, of a newer gglib, or in a read-only place.
        """
        if self._cache is None:
            self._cache = await asyncio.to_thread(self._open)

    async def close(self) -> None:
        """Let go of the file; nothing when it is closed."""
        if self._cache is not None:
            cache, self._cache = self._cache, None
            await cache.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def list_models(self) -> list[ModelSummary]:
        """Return every model, in the order in which they were added."""
        return list((await self._snapshot()).models)

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model that ``name`` means, or None: unknown and ambiguous alike."""
        snapshot = self._fresh() or await self._snapshot()
        return snapshot.find(name)

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs to load the model; whether its file is still there is not looked at."""
        snapshot = self._fresh() or await self._snapshot()
        model = snapshot.find(name)
        if model is None:
            return None
        spec = snapshot.specs.get(model.id)
        if spec is None:
            spec = snapshot.specs[model.id] = launch_spec(model, model.paths[0])
        return spec

    async def add_model(self, model: NewModel) -> ModelSummary:
        """Store a model; when this returns, the row survives a kill and a power cut.

        Raises ``ModelExistsError`` when a name, an alias or a file is taken, ``InvalidSettingError`` when the
        model itself cannot be stored.
        """
        check_new(model)
        added_at = int(self._clock())

        def add(connection: sqlite3.Connection) -> ModelSummary:
            model_id = insert_model(connection, model, added_at=added_at)
            return load_model(connection, model_id)

        return await self._write(add)

    async def remove_model(self, name: str) -> ModelSummary | None:
        """Forget a model and return what it was; its files stay. None when there is no such model."""

        def remove(connection: sqlite3.Connection) -> ModelSummary | None:
            model = find_model(name, load_models(connection))
            if model is not None:
                delete_model(connection, model.id)
            return model

        return await self._write(remove)

    async def change_model(
        self,
        name: str,
        *,
        aliases: tuple[str, ...] | None = None,
        tags: tuple[str, ...] | None = None,
        settings: ModelSettings | None = None,
    ) -> ModelSummary | None:
        """Replace what is not None and return the model as it is now; None when there is no such model.

        All of it is changed or, when this raises ``ModelExistsError`` or ``InvalidSettingError``, nothing.
        """

        def change(connection: sqlite3.Connection) -> ModelSummary | None:
            model = find_model(name, load_models(connection))
            if model is None:
                return None
            if aliases is not None:
                check_aliases(aliases, name=model.name)
                replace_aliases(connection, model.id, aliases)
            if tags is not None:
                check_tags(tags)
                replace_tags(connection, model.id, tags)
            if settings is not None:
                check_settings(settings)
                replace_settings(connection, model.id, settings)
            return load_model(connection, model.id)

        return await self._write(change)

    async def replace_model(self, name: str, model: NewModel) -> ModelSummary | None:
        """Put other files and facts in the place of a model's; it keeps its id, names, tags, settings and dates.

        None when there is no such model; raises ``ModelExistsError`` when another model has one of the paths.
        """
        check_files(model)

        def replace(connection: sqlite3.Connection) -> ModelSummary | None:
            known = find_model(name, load_models(connection))
            if known is None:
                return None
            replace_content(connection, known.id, model)
            return load_model(connection, known.id)

        return await self._write(replace)

    async def note_use(self, used_at: Mapping[int, int]) -> None:
        """Remember when models were used last; ids that are gone are passed over.

        Costs a write to the disk, and each process that reads the catalogue a look at the small table of uses: not
        more, see ``snapshot``. Nothing at all when it is all known already.
        """
        known = {model.id: model.last_used_at for model in (await self._snapshot()).models}
        news = {model_id: at for model_id, at in used_at.items() if known.get(model_id, at) != at}
        if news:
            await self._write(lambda connection: note_uses(connection, news))

    def _open(self) -> SnapshotCache:
        with translated(self._path):
            prepare(self._path)
            return SnapshotCache(self._path)

    def _fresh(self) -> Snapshot | None:
        return None if self._cache is None else self._cache.fresh()

    async def _snapshot(self) -> Snapshot:
        if self._cache is None:
            raise CatalogError("The catalogue is not open: open it before it is used.")
        with translated(self._path):
            return await self._cache.latest()

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._cache is None:
            raise CatalogError("The catalogue is not open: open it before it is used.")
        try:
            return await asyncio.to_thread(self._write_now, work)
        finally:
            self._cache.expire()

    def _write_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with translated(self._path):
            try:
                with writing(self._path) as connection:
                    return work(connection)
            except sqlite3.Error as error:
                if primary_code(error) != sqlite3.SQLITE_FULL:
                    raise
            with writing(self._path, reuses_log=True) as connection:
                return work(connection)
