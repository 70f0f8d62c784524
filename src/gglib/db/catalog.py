"""The catalogue in SQLite: the thin asynchronous shell over ``snapshot`` (reading) and ``rows`` (writing).

Writing never stays on the event loop's thread, because it waits for the disk and for other processes. It must not
know what a model is used for.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from gglib.core.errors import CatalogError
from gglib.core.models import ModelEdit, ModelLaunchSpec, ModelSummary, NewModel, is_same_content
from gglib.core.name_rules import check_aliases
from gglib.core.names import find_model
from gglib.core.ports.catalog import EditModel
from gglib.db.connections import prepare, reading, tidy, with_reserve, writing
from gglib.db.home_paths import HomePaths
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
from gglib.db.snapshot import Snapshot, SnapshotCache
from gglib.db.sqlite_errors import translated
from gglib.db.validation import (
    check_files,
    check_new,
    check_settings,
    check_tags,
)
from gglib.db.version_store import SqliteVersionStore
from gglib.system.threads import to_its_end

T = TypeVar("T")


class SqliteCatalog(SqliteVersionStore):
    """The models of this machine, in one SQLite file; implements ``ModelStorePort`` and ``VersionStorePort``.

    Any number of processes may use the file at the same time: what one has written it sees with its next read, the
    others ``FRESH_S`` later at the latest. A write that has returned is on the disk. One that is cancelled while it
    runs may still take place, and has ended when the cancel reaches its caller, which may hold locks for it.
    """

    def __init__(
        self, path: Path, *, home: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """``home`` is what stored paths are relative to; None: the directory of ``path``."""
        self._path = path
        self._home_path = path.parent if home is None else home
        self._home = HomePaths(self._home_path)
        self._clock = clock
        self._cache: SnapshotCache | None = None
        self._frozen: str | None = None

    def freeze(self, reason: str) -> None:
        """Refuse every change from here on, with ``reason`` as the sentence of the ``CatalogError``."""
        self._frozen = reason

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
            await asyncio.to_thread(tidy, self._path)

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
        return snapshot.spec(name)

    async def add_model(self, model: NewModel) -> ModelSummary:
        """Store a model; when this returns, the row survives a kill and a power cut.

        Raises ``ModelExistsError`` when a name, an alias or a file is taken, ``InvalidSettingError`` when the
        model itself cannot be stored.
        """
        check_new(model)

        def add(connection: sqlite3.Connection) -> ModelSummary:
            model_id = insert_model(connection, self._home, model, added_at=self._now())
            return load_model(connection, self._home, model_id)

        return await self._write(add)

    async def remove_model(self, name: str) -> ModelSummary | None:
        """Forget a model and return what it was; its files and their version stay. None when there is no such model."""

        def remove(connection: sqlite3.Connection) -> ModelSummary | None:
            model = find_model(name, load_models(connection, self._home))
            if model is not None:
                delete_model(connection, model.id)
            return model

        return await self._write(remove)

    async def edit_model(self, name: str, edit: EditModel) -> ModelSummary | None:
        """Apply ``edit`` to the model as it is now, in one transaction; see ``ModelStorePort``."""

        def change(connection: sqlite3.Connection) -> ModelSummary | None:
            model = find_model(name, load_models(connection, self._home))
            if model is None:
                return None
            _apply(connection, model, _edit_of(model, edit))
            return load_model(connection, self._home, model.id)

        try:
            return await self._write(change)
        except _EditFailedError as failure:
            raise failure.reason from None

    async def replace_model(
        self, name: str, model: NewModel, *, seen: ModelSummary | None = None
    ) -> ModelSummary | None:
        """Put other files and facts in the place of a model's; see ``ModelStorePort``."""
        check_files(model)

        def put(connection: sqlite3.Connection) -> ModelSummary | None:
            known = find_model(name, load_models(connection, self._home))
            if known is None or (seen is not None and not is_same_content(known, seen)):
                return None
            stays = [*map(self._home.stored, known.paths)] == [*map(self._home.stored, model.paths)]
            content = model if known.version_id is None else replace(model, is_downloaded=False)
            version_id = known.version_id if stays else None
            replace_content(connection, self._home, known.id, content, version_id=version_id)
            return load_model(connection, self._home, known.id)

        return await self._write(put)

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
        def open_now(_: bool) -> SnapshotCache:  # noqa: FBT001 - called by position
            prepare(self._path, home=self._home_path)
            return SnapshotCache(self._path, self._home)

        with translated(self._path):
            return with_reserve(self._path, open_now)

    def _now(self) -> int:
        return int(self._clock())

    def _fresh(self) -> Snapshot | None:
        return None if self._cache is None else self._cache.fresh()

    async def _snapshot(self) -> Snapshot:
        if self._cache is None:
            raise CatalogError("The catalogue is not open: open it before it is used.")
        with translated(self._path):
            return await self._cache.latest()

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._cache is None:
            raise CatalogError("The catalogue is not open: open it before it is used.")
        return await asyncio.to_thread(self._read_now, work)

    def _read_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with translated(self._path), reading(self._path) as connection:
            return work(connection)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._cache is None:
            raise CatalogError("The catalogue is not open: open it before it is used.")
        if self._frozen is not None:
            raise CatalogError(self._frozen)
        try:
            return await to_its_end(self._write_now, work)
        finally:
            self._cache.expire()

    def _write_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def write(reuses_log: bool) -> T:  # noqa: FBT001 - called by position
            with writing(self._path, home=self._home_path, reuses_log=reuses_log) as connection:
                return work(connection)

        with translated(self._path):
            return with_reserve(self._path, write)


class _EditFailedError(Exception):
    """Carries what an edit raised past the border, which would take it for a failure of the database."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason
        super().__init__(str(reason))


def _edit_of(model: ModelSummary, edit: EditModel) -> ModelEdit:
    try:
        return edit(model)
    except Exception as error:
        raise _EditFailedError(error) from error


def _apply(connection: sqlite3.Connection, model: ModelSummary, edit: ModelEdit) -> None:
    """Change what is given and not so already: what stays the same makes no reader read."""
    if edit.aliases is not None and edit.aliases != model.aliases:
        check_aliases(edit.aliases, name=model.name)
        replace_aliases(connection, model.id, edit.aliases)
    if edit.tags is not None and edit.tags != model.tags:
        check_tags(edit.tags)
        replace_tags(connection, model.id, edit.tags)
    if edit.settings is not None and edit.settings != model.settings:
        check_settings(edit.settings)
        replace_settings(connection, model.id, edit.settings)
