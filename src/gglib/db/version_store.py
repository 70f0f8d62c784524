"""The records of versions and pulls in SQLite: the asynchronous shell over ``version_rows``.

Knows nothing of files: what is recorded of them it keeps.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from gglib.core.models import ModelSummary, NewModel
from gglib.core.name_rules import names_not_in
from gglib.core.ports.versions import VersionStorePort
from gglib.core.versions import (
    FileIdentity,
    HomeIdentity,
    InstalledVersion,
    NewVersion,
    PullJob,
    Version,
)
from gglib.db import rows, version_rows
from gglib.db.home_paths import HomePaths
from gglib.db.validation import check_entered, check_version

T = TypeVar("T")


class SqliteVersionStore(VersionStorePort, ABC):
    """Implements ``VersionStorePort`` on what reads and writes the database."""

    _home: HomePaths

    @abstractmethod
    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in a transaction that sees all that was committed before, off the event loop."""

    @abstractmethod
    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in a transaction that is on the disk when this returns, off the event loop."""

    @abstractmethod
    def _now(self) -> int:
        """Return the time, as it is stored."""

    async def list_versions(self) -> list[Version]:
        """Return every version, retired ones included, in the order in which they were installed."""
        return await self._read(lambda connection: version_rows.load_versions(connection, self._home))

    async def install_version(
        self,
        version: NewVersion,
        model: NewModel,
        *,
        updates: int | None = None,
        job_key: str | None = None,
        moved_aliases: Collection[tuple[int, str]] = (),
    ) -> InstalledVersion:
        """Record a version and move a model's row to it; see ``VersionStorePort``."""
        check_version(version, model)
        check_entered(model)

        def enter(connection: sqlite3.Connection) -> InstalledVersion:
            for model_id, alias in moved_aliases:
                rows.delete_alias(connection, model_id, alias)
            before = None if updates is None else rows.find_by_id(connection, self._home, updates)
            version_id = self._entered(connection, version)
            if before is None:
                model_id, refused = self._insert(connection, model, version_id)
            else:
                model_id, refused = before.id, self._move(connection, before, model, version_id)
            if job_key is not None:
                version_rows.delete_pulls(connection, job_key)
            return InstalledVersion(
                model=rows.load_model(connection, self._home, model_id),
                version=version_rows.load_version(connection, self._home, version_id),
                replaced=self._retired(connection, before, version_id),
                refused_aliases=refused,
            )

        return await self._write(enter)

    async def add_version(self, version: NewVersion) -> Version:
        """Record a version that no model has yet; one that is known already is returned as it is."""
        check_version(version)

        def add(connection: sqlite3.Connection) -> Version:
            version_id = version_rows.same_version(connection, self._home, version)
            if version_id is None:
                version_id = version_rows.insert_version(
                    connection, self._home, version, created_at=self._now()
                )
            return version_rows.load_version(connection, self._home, version_id)

        return await self._write(add)

    async def assign_version(self, model_id: int, version_id: int) -> ModelSummary | None:
        """Record that a model has a version whose files its row names already; see ``VersionStorePort``."""

        def assign(connection: sqlite3.Connection) -> ModelSummary | None:
            model = rows.find_by_id(connection, self._home, model_id)
            version = version_rows.find_version(connection, self._home, version_id)
            if model is None or version is None or model.version_id is not None:
                return model
            if self._home.stored(model.paths[0]) not in {
                self._home.stored(one.path) for one in version.files
            }:
                return model
            rows.set_version(connection, model_id, version_id)
            version_rows.keep_version(connection, version_id)
            return rows.load_model(connection, self._home, model_id)

        return await self._write(assign)

    async def retire_unused(self, version_ids: Collection[int]) -> list[Version]:
        """Retire those of the versions that no model has; return them."""

        def retire(connection: sqlite3.Connection) -> list[Version]:
            known = version_rows.existing(connection, version_ids)
            unused = [one for one in known if version_rows.retire_if_unused(connection, one)]
            return [version_rows.load_version(connection, self._home, one) for one in unused]

        return await self._write(retire)

    async def remove_with_version(self, model_id: int) -> tuple[ModelSummary, Version | None] | None:
        """Forget a model, and retire its version where no other model has it; return both as they were."""

        def remove(connection: sqlite3.Connection) -> tuple[ModelSummary, Version | None] | None:
            model = rows.find_by_id(connection, self._home, model_id)
            if model is None:
                return None
            rows.delete_model(connection, model_id)
            if model.version_id is None:
                return model, None
            version = version_rows.find_version(connection, self._home, model.version_id)
            is_unused = version_rows.retire_if_unused(connection, model.version_id)
            return model, version if is_unused else None

        return await self._write(remove)

    async def forget_files(self, version_id: int, paths: Sequence[Path]) -> None:
        """Forget files of a retired version that are deleted, and the version with the last of them."""
        await self._write(
            lambda connection: version_rows.delete_files(connection, self._home, version_id, paths)
        )

    async def update_identities(self, identities: Mapping[Path, FileIdentity]) -> None:
        """Record how files are known now, by their paths, in every version that has them."""
        if identities:
            await self._write(
                lambda connection: version_rows.note_identities(connection, self._home, identities)
            )

    async def begin_pull(self, job: PullJob) -> None:
        """Record a pull before its first byte, in the place of an older record of its key."""
        await self._write(lambda connection: version_rows.put_pull(connection, self._home, job))

    async def list_pulls(self) -> list[PullJob]:
        """Return the pulls that have not ended, by name."""
        return await self._read(lambda connection: version_rows.load_pulls(connection, self._home))

    async def end_pull(self, key: str) -> None:
        """Forget a pull; nothing where it is forgotten already."""
        await self._write(lambda connection: version_rows.delete_pulls(connection, key))

    async def read_home(self) -> HomeIdentity | None:
        """Return what the catalogue was last used as; None before the first time."""
        return await self._read(version_rows.load_home)

    async def record_home(
        self, identity: HomeIdentity, *, resets_identities: bool, keeps_pulls: bool = False
    ) -> None:
        """Record the home's identity; in another place, forget devices, inodes and pulls."""

        def settle(connection: sqlite3.Connection) -> None:
            version_rows.replace_home(connection, identity)
            if resets_identities:
                version_rows.forget_identities(connection)
                if not keeps_pulls:
                    version_rows.delete_pulls(connection)

        await self._write(settle)

    def _entered(self, connection: sqlite3.Connection, version: NewVersion) -> int:
        known = version_rows.same_version(connection, self._home, version)
        if known is None:
            return version_rows.insert_version(connection, self._home, version, created_at=self._now())
        version_rows.renew_version(connection, self._home, known, version)
        return known

    def _insert(
        self, connection: sqlite3.Connection, model: NewModel, version_id: int
    ) -> tuple[int, tuple[str, ...]]:
        """Store a new model without the aliases that others have; return its id and those aliases."""
        wanted = names_not_in((model.name,), model.aliases)
        free = rows.free_names(connection, wanted)
        model_id = rows.insert_model(
            connection,
            self._home,
            replace(model, aliases=tuple(free)),
            added_at=self._now(),
            version_id=version_id,
        )
        return model_id, tuple(alias for alias in wanted if alias not in free)

    def _move(
        self, connection: sqlite3.Connection, before: ModelSummary, model: NewModel, version_id: int
    ) -> tuple[str, ...]:
        """Move a model's row to the version; return the aliases that others have."""
        rows.replace_content(connection, self._home, before.id, model, version_id=version_id)
        wanted = names_not_in((before.name, *before.aliases), model.aliases)
        free = rows.free_names(connection, wanted, model_id=before.id)
        if free:
            rows.replace_aliases(connection, before.id, (*before.aliases, *free))
        return tuple(alias for alias in wanted if alias not in free)

    def _retired(
        self, connection: sqlite3.Connection, before: ModelSummary | None, version_id: int
    ) -> Version | None:
        """Retire what the row had before where nothing has it now, and return it as it is now."""
        if before is None or before.version_id in (None, version_id):
            return None
        version_rows.retire_if_unused(connection, before.version_id)
        return version_rows.find_version(connection, self._home, before.version_id)
