"""Versions and pulls in SQLite: the asynchronous shell over ``version_rows``.

Stores what is recorded about files and does not access them.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

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
from gglib.db.transactions import SqliteTransactions
from gglib.db.validation import check_entered, check_version


class SqliteVersionStore(VersionStorePort, SqliteTransactions):
    """Implements ``VersionStorePort`` on top of abstract reads and writes."""

    _home: HomePaths

    async def list_versions(self) -> list[Version]:
        """Return every version, including retired ones, in insertion order."""
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
            version_id = self._enter(connection, version)
            if before is None:
                model_id, refused = self._insert(connection, model, version_id)
            else:
                model_id, refused = before.id, self._move(connection, before, model, version_id)
            if job_key is not None:
                version_rows.delete_pulls(connection, job_key)
            return InstalledVersion(
                model=rows.load_model(connection, self._home, model_id),
                version=version_rows.load_version(connection, self._home, version_id),
                replaced=self._retire_previous(connection, before, version_id),
                refused_aliases=refused,
            )

        return await self._write(enter)

    async def add_version(self, version: NewVersion) -> Version:
        """Record a version without a model; a version that is known already is returned unchanged."""
        check_version(version)

        def add(connection: sqlite3.Connection) -> Version:
            version_id = version_rows.find_same_version(connection, self._home, version)
            if version_id is None:
                version_id = version_rows.insert_version(
                    connection, self._home, version, created_at=self._now()
                )
            return version_rows.load_version(connection, self._home, version_id)

        return await self._write(add)

    async def assign_version(self, model_id: int, version_id: int) -> ModelSummary | None:
        """Assign a version to a model whose row has its files already; see ``VersionStorePort``."""

        def assign(connection: sqlite3.Connection) -> ModelSummary | None:
            model = rows.find_by_id(connection, self._home, model_id)
            version = version_rows.find_version(connection, self._home, version_id)
            if model is None or version is None or model.version_id is not None:
                return model
            if self._home.stored(model.paths[0]) not in {
                self._home.stored(file.path) for file in version.files
            }:
                return model
            rows.set_version(connection, model_id, version_id)
            version_rows.unretire_version(connection, version_id)
            return rows.load_model(connection, self._home, model_id)

        return await self._write(assign)

    async def retire_unused(self, version_ids: Collection[int]) -> list[Version]:
        """Retire the given versions that no model has; return them."""

        def retire(connection: sqlite3.Connection) -> list[Version]:
            known = version_rows.existing_versions(connection, version_ids)
            unused = [known_id for known_id in known if version_rows.retire_if_unused(connection, known_id)]
            return [version_rows.load_version(connection, self._home, unused_id) for unused_id in unused]

        return await self._write(retire)

    async def remove_with_version(self, model_id: int) -> tuple[ModelSummary, Version | None] | None:
        """Delete a model, and retire its version if no other model has it; return both as they were."""

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
        """Delete the records of removed files of a retired version, and the version with the last of them."""
        await self._write(
            lambda connection: version_rows.delete_files(connection, self._home, version_id, paths)
        )

    async def update_identities(self, identities: Mapping[Path, FileIdentity]) -> None:
        """Record the current identities of files by path, in every version that has them."""
        if identities:
            await self._write(
                lambda connection: version_rows.update_identities(connection, self._home, identities)
            )

    async def begin_pull(self, job: PullJob) -> None:
        """Record a pull before its first byte; replaces a record with the same key."""
        await self._write(lambda connection: version_rows.upsert_pull(connection, self._home, job))

    async def list_pulls(self) -> list[PullJob]:
        """Return the unfinished pulls, by name."""
        return await self._read(lambda connection: version_rows.load_pulls(connection, self._home))

    async def end_pull(self, key: str) -> None:
        """Delete the record of a pull; no effect if there is none."""
        await self._write(lambda connection: version_rows.delete_pulls(connection, key))

    async def read_home(self) -> HomeIdentity | None:
        """Return the recorded identity of the home; None before the first use."""
        return await self._read(version_rows.load_home)

    async def record_home(
        self, identity: HomeIdentity, *, resets_identities: bool, keeps_pulls: bool = False
    ) -> None:
        """Record the home's identity; in another place, delete devices, inodes and pulls."""

        def record(connection: sqlite3.Connection) -> None:
            version_rows.replace_home(connection, identity)
            if resets_identities:
                version_rows.forget_identities(connection)
                if not keeps_pulls:
                    version_rows.delete_pulls(connection)

        await self._write(record)

    def _enter(self, connection: sqlite3.Connection, version: NewVersion) -> int:
        known = version_rows.find_same_version(connection, self._home, version)
        if known is None:
            return version_rows.insert_version(connection, self._home, version, created_at=self._now())
        version_rows.renew_version(connection, self._home, known, version)
        return known

    def _insert(
        self, connection: sqlite3.Connection, model: NewModel, version_id: int
    ) -> tuple[int, tuple[str, ...]]:
        """Store a new model without the aliases that other models have; return its id and those aliases."""
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
        """Move a model's row to the version; return the aliases that other models have."""
        rows.replace_content(connection, self._home, before.id, model, version_id=version_id)
        wanted = names_not_in((before.name, *before.aliases), model.aliases)
        free = rows.free_names(connection, wanted, model_id=before.id)
        if free:
            rows.replace_aliases(connection, before.id, (*before.aliases, *free))
        return tuple(alias for alias in wanted if alias not in free)

    def _retire_previous(
        self, connection: sqlite3.Connection, before: ModelSummary | None, version_id: int
    ) -> Version | None:
        """Retire the row's previous version if it is unused now, and return it."""
        if before is None or before.version_id in (None, version_id):
            return None
        version_rows.retire_if_unused(connection, before.version_id)
        return version_rows.find_version(connection, self._home, before.version_id)
