"""The catalogue in SQLite: the asynchronous shell over ``snapshot`` (reading) and ``rows`` (writing).

Writes never run on the event loop's thread: they wait for the disk and for other processes. Knows nothing of what a
model is used for.
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
from gglib.core.name_rules import renamed
from gglib.core.names import find_model
from gglib.core.ports.catalog import EditModel
from gglib.core.ports.profiles import EditProfile
from gglib.core.profile_rules import check_profile
from gglib.core.profiles import Profile, ProfiledModel
from gglib.db.connections import prepare, reading, truncate_wal, with_reserve, writing
from gglib.db.home_paths import HomePaths
from gglib.db.peak_store import SqlitePeakStore
from gglib.db.profile_rows import delete_profile, load_profile, store_profile
from gglib.db.rows import (
    delete_model,
    find_by_id,
    insert_model,
    load_model,
    load_models,
    record_uses,
    replace_backend,
    replace_content,
    replace_names,
    replace_settings,
    replace_tags,
)
from gglib.db.snapshot import Snapshot, SnapshotCache
from gglib.db.sqlite_errors import map_sqlite_errors
from gglib.db.validation import (
    check_files,
    check_new,
    check_settings,
    check_tags,
)
from gglib.db.version_store import SqliteVersionStore
from gglib.system.threads import run_to_completion

T = TypeVar("T")
K = TypeVar("K")


class SqliteCatalog(SqliteVersionStore, SqlitePeakStore):
    """The models of this machine, in one SQLite file; implements ``HomeStorePort`` and ``MemoryPeakStorePort``.

    Any number of processes may use the file at the same time. A process sees its own writes with its next read, others
    see them within ``FRESH_S``. A write is durable when it returns. A cancelled write may still take place; it has
    ended when the cancel reaches its caller, which may hold locks for it.
    """

    def __init__(
        self, path: Path, *, home: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """``home`` is the base of stored paths; None: the directory of ``path``."""
        self._path = path
        self._home_path = path.parent if home is None else home
        self._home = HomePaths(self._home_path)
        self._clock = clock
        self._cache: SnapshotCache | None = None
        self._read_only_reason: str | None = None

    def set_read_only(self, reason: str) -> None:
        """Refuse every further write with a ``CatalogError`` whose message is ``reason``."""
        self._read_only_reason = reason

    async def open(self) -> None:
        """Create the file if it is missing, migrate an older one, and read it; no effect if it is open.

        Raises ``CatalogError`` if it cannot be used: damaged, of a newer gglib, or in a read-only directory.
        """
        if self._cache is None:
            self._cache = await asyncio.to_thread(self._open)

    async def close(self) -> None:
        """Close the file; no effect if it is closed."""
        if self._cache is not None:
            cache, self._cache = self._cache, None
            await cache.close()
            await asyncio.to_thread(truncate_wal, self._path)

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
        """Return the model that ``name`` means; None if it is unknown or ambiguous."""
        snapshot = self._fresh() or await self._snapshot()
        return snapshot.find(name)

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs to load the model; does not check that its file exists."""
        snapshot = self._fresh() or await self._snapshot()
        return snapshot.spec(name)

    async def add_model(self, model: NewModel) -> ModelSummary:
        """Store a model; the row is durable when this returns.

        Raises ``ModelExistsError`` if a name, an alias or a file is taken, ``InvalidSettingError`` if the model itself
        is invalid.
        """
        check_new(model)

        def add(connection: sqlite3.Connection) -> ModelSummary:
            model_id = insert_model(connection, self._home, model, added_at=self._now())
            return load_model(connection, self._home, model_id)

        return await self._write(add)

    async def remove_model(self, name: str) -> ModelSummary | None:
        """Delete a model and return it; its files and their version stay. None if there is no such model."""

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
            _apply(connection, model, _edited(model, edit))
            return load_model(connection, self._home, model.id)

        try:
            return await self._write(change)
        except _EditFailedError as failure:
            raise failure.reason from None

    async def replace_model(
        self, name: str, model: NewModel, *, seen: ModelSummary | None = None
    ) -> ModelSummary | None:
        """Replace the files and facts of a model; see ``ModelStorePort``."""
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
        """Record when models were last used; unknown ids are ignored.

        Costs a write to the disk, and each process that reads the catalogue a read of the small table of uses, no more
        (see ``snapshot``). Nothing is written if every time is recorded already.
        """
        known = {model.id: model.last_used_at for model in (await self._snapshot()).models}
        news = {model_id: at for model_id, at in used_at.items() if known.get(model_id, at) != at}
        if news:
            await self._write(lambda connection: record_uses(connection, news))

    async def list_profiles(self) -> list[Profile]:
        """Return all profiles, in the order in which they were added."""
        return list((await self._snapshot()).profiles)

    async def resolve_profile(self, name: str) -> ProfiledModel | None:
        """Return what ``model:profile`` resolves to; see ``ProfilePort``."""
        snapshot = self._fresh() or await self._snapshot()
        return snapshot.find_profiled(name)

    async def edit_profile(self, name: str, model_id: int | None, edit: EditProfile) -> Profile | None:
        """Add or change a profile; see ``ProfileStorePort``."""

        def change(connection: sqlite3.Connection) -> Profile | None:
            if model_id is not None and find_by_id(connection, self._home, model_id) is None:
                return None
            profile = _edited(load_profile(connection, name, model_id), edit)
            profile = replace(profile, name=name, model_id=model_id)
            check_profile(profile)
            store_profile(connection, profile)
            return profile

        try:
            return await self._write(change)
        except _EditFailedError as failure:
            raise failure.reason from None

    async def remove_profile(self, name: str, model_id: int | None) -> Profile | None:
        """Remove a profile and return it; None if there is none."""

        def remove(connection: sqlite3.Connection) -> Profile | None:
            profile = load_profile(connection, name, model_id)
            if profile is not None:
                delete_profile(connection, name, model_id)
            return profile

        return await self._write(remove)

    def _open(self) -> SnapshotCache:
        def open_now(_: bool) -> SnapshotCache:  # noqa: FBT001 - called by position
            prepare(self._path, home=self._home_path)
            return SnapshotCache(self._path, self._home)

        with map_sqlite_errors(self._path):
            return with_reserve(self._path, open_now)

    def _now(self) -> int:
        return int(self._clock())

    def _fresh(self) -> Snapshot | None:
        return None if self._cache is None else self._cache.fresh()

    async def _snapshot(self) -> Snapshot:
        if self._cache is None:
            raise CatalogError("The catalogue is not open: call open() before using it.")
        with map_sqlite_errors(self._path):
            return await self._cache.latest()

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._cache is None:
            raise CatalogError("The catalogue is not open: call open() before using it.")
        return await asyncio.to_thread(self._read_sync, work)

    def _read_sync(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with map_sqlite_errors(self._path), reading(self._path) as connection:
            return work(connection)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._cache is None:
            raise CatalogError("The catalogue is not open: call open() before using it.")
        if self._read_only_reason is not None:
            raise CatalogError(self._read_only_reason)
        try:
            return await run_to_completion(self._write_sync, work)
        finally:
            self._cache.invalidate()

    def _write_sync(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def write(checkpoints_first: bool) -> T:  # noqa: FBT001 - called by position
            with writing(self._path, home=self._home_path, checkpoints_first=checkpoints_first) as connection:
                return work(connection)

        with map_sqlite_errors(self._path):
            return with_reserve(self._path, write)


class _EditFailedError(Exception):
    """Carries what an edit raised past ``map_sqlite_errors``, which would treat it as a database failure."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason
        super().__init__(str(reason))


def _edited(known: K, edit: Callable[[K], T]) -> T:
    try:
        return edit(known)
    except Exception as error:
        raise _EditFailedError(error) from error


def _apply(connection: sqlite3.Connection, model: ModelSummary, edit: ModelEdit) -> None:
    """Apply only what differs: an unchanged model makes no reader reload."""
    name, aliases = renamed(model, edit)
    if (name, aliases) != (model.name, model.aliases):
        replace_names(connection, model.id, name, aliases)
    if edit.tags is not None and edit.tags != model.tags:
        check_tags(edit.tags)
        replace_tags(connection, model.id, edit.tags)
    if edit.settings is not None and edit.settings != model.settings:
        check_settings(edit.settings)
        replace_settings(connection, model.id, edit.settings)
    if edit.backend is not None and edit.backend != model.backend:
        replace_backend(connection, model.id, edit.backend)
