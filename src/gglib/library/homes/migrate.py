"""Migrates the home of gglib 0.1 to the catalogue: its JSON records become versions, pulls and removals.

Model files are not moved; they become versions without a directory. Only files that no model uses are renamed: those
of unfinished pulls. Each item is one transaction, or repeatable renames, and its record is deleted afterwards, so that
after a kill the next open finishes the migration. Pulls of a running older gglib are skipped until they end.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from gglib.core.errors import GglibError, InvalidGgufError
from gglib.core.models import ModelSource, ModelSummary, NewModel
from gglib.core.plain_text import escape_line
from gglib.core.ports.store import HomeStorePort
from gglib.core.shell_quoting import quoted_command
from gglib.core.versions import FileRole, NewVersion, OwnFile
from gglib.library.add import ModelReader
from gglib.library.homes.legacy_files import LegacyFiles, has_not_changed_since, source_of
from gglib.library.homes.legacy_pulls import (
    LegacyPulls,
    MigratedPull,
    PartManifests,
    files_of,
    moved_here,
)
from gglib.library.homes.legacy_records import (
    PULLS,
    REMOVALS,
    WRITTEN,
    LegacyFileRecord,
    read_removal,
    read_written,
)
from gglib.library.homes.location import Home
from gglib.library.versions.ownership import identity_of
from gglib.system.files.locks import flock_if_possible
from gglib.system.files.small_files import (
    open_regular,
    parse_json,
    read_open,
    read_small,
    warn_skipped_once,
)
from gglib.system.threads import run_to_completion

RECORD_DIRECTORIES = (WRITTEN, PULLS, REMOVALS)
_DRAFTS = ("*.draft", "*.json.*", "*.lock")
_log = logging.getLogger("gglib")


def has_legacy_records(models_dir: Path) -> bool:
    """Whether an older gglib left records; checks three paths."""
    return any(os.path.lexists(models_dir / name) for name in RECORD_DIRECTORIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeMigration:
    """Migrates one home; the caller holds its lock."""

    home: Home
    store: HomeStorePort
    read_model: ModelReader
    part_manifests: PartManifests
    pinned: Sequence[LegacyFileRecord] = ()
    """Records of files that every gglib knows, for homes without records."""

    @property
    def _pulls(self) -> LegacyPulls:
        return LegacyPulls(home=self.home, part_manifests=self.part_manifests)

    async def run(self) -> None:
        """Migrate everything that can be migrated now. Raises ``CatalogError`` and OSError."""
        models = await self.store.list_models()
        pulls = await asyncio.to_thread(self._pulls.read)
        records = await asyncio.to_thread(self._records)
        old = LegacyFiles(models_dir=self.home.models_dir, records=records)
        known = await asyncio.to_thread(old.unchanged)
        verified = {pull.record: await asyncio.to_thread(self._pulls.verified, pull, known) for pull in pulls}
        hash_of_path = {path: sha256 for hashes in verified.values() for path, sha256 in hashes.items()}
        old = replace(old, verified=hash_of_path)
        for model in models:
            if model.version_id is None:
                await self._migrate_model(model, old)
        models = await self.store.list_models()
        pulls = [pull.updating(models) for pull in pulls]
        coming = {target for pull in pulls for target in pull.targets}
        retired = await self._migrate_removals(old, models, coming)
        await self._migrate_leftovers(old, models, coming | retired)
        left = [pull for pull in pulls if not await self._migrate_pull(pull, verified[pull.record], models)]
        kept = {target for pull in left for target in pull.targets}
        await run_to_completion(self._delete_records, kept)

    async def _migrate_model(self, model: ModelSummary, old: LegacyFiles) -> None:
        """Assign a version to a model if gglib wrote its first file."""
        files_now = await asyncio.to_thread(self._files_of, model)
        files = await asyncio.to_thread(old.of_model, model, files_now.paths, files_now.projector)
        source = source_of(model, self.home.models_dir, files_now.paths)
        is_as_it_was = files_now.paths == model.paths and files_now.projector == model.projector
        if is_as_it_was and source == model.source:
            if files and files[0].path == model.paths[0]:
                installed = await self.store.add_version(
                    NewVersion(directory=None, source=source, files=files)
                )
                await self.store.assign_version(model.id, installed.id)
            return
        changed = await asyncio.to_thread(self._changed, model, files_now, source)
        if changed is None:
            return
        if files_now.paths == tuple(file.path for file in files if file.role is FileRole.MODEL):
            version = NewVersion(directory=None, source=source, files=files)
            await self.store.install_version(version, changed, updates=model.id)
        elif not is_as_it_was:
            await self.store.replace_model(model.name, changed, seen=model)

    def _files_of(self, model: ModelSummary) -> "_Files":
        """Return the current paths of a model's files, also after the home was moved."""
        if not model.is_downloaded or all(_is_below(path, self.home) for path in model.paths):
            return _Files(model.paths, model.projector)
        try:
            paths = tuple(_here(path, self.home) for path in model.paths)
            projector = None if model.projector is None else _here(model.projector, self.home)
        except ValueError:
            return _Files(model.paths, model.projector)
        is_there = all(identity_of(path) is not None for path in paths)
        return _Files(paths, projector) if is_there else _Files(model.paths, model.projector)

    def _changed(self, model: ModelSummary, files_now: "_Files", source: ModelSource) -> NewModel | None:
        """Return the row of a model with its current paths and source; None if its header cannot be read."""
        try:
            files = self.read_model(files_now.paths[0])
        except InvalidGgufError:
            return None
        if files.paths != files_now.paths:
            return None
        return NewModel(
            name=model.name,
            aliases=model.aliases,
            paths=files_now.paths,
            size_bytes=files.size_bytes,
            description=model.description,
            facts=files.facts if files_now.projector is None else files.facts.with_vision(),
            tags=model.tags,
            settings=model.settings,
            source=source,
            hashes=model.hashes,
            projector=files_now.projector,
            projector_sha256=model.projector_sha256,
            is_downloaded=model.is_downloaded,
        )

    async def _migrate_leftovers(
        self, old: LegacyFiles, models: Sequence[ModelSummary], but: Iterable[Path]
    ) -> None:
        """Record files of gglib without a model: a pull of the same files uses them, and prune deletes them."""
        used = {path for model in models for path in model.all_files} | set(but)
        for version in await asyncio.to_thread(old.leftovers, used):
            await self.store.add_version(version)

    async def _migrate_pull(
        self, pull: MigratedPull, verified: Mapping[Path, str], models: Sequence[ModelSummary]
    ) -> bool:
        """Migrate a pull and its files, and delete its record; False while an older gglib is running it."""
        try:
            with self._pulls.locked(pull) as is_locked:
                if not is_locked:
                    return False
                if not pull.is_copy and not _is_installed(pull, models):
                    await self._record(pull)
                used = await asyncio.to_thread(files_of, models)
                is_whole = await run_to_completion(self._pulls.transfer, pull, verified, used)
                if is_whole and pull.was_fetched and await self._has(pull.job.key):
                    await self.store.begin_pull(pull.fetched_job(self.home.models_dir))
                await run_to_completion(partial(pull.record.unlink, missing_ok=True))
            if pull.job.updates is not None and verified and not pull.was_fetched:
                _warn_of_mix(pull)
        except (OSError, GglibError) as error:
            _warn(pull.record, error)
            return False
        return True

    async def _record(self, pull: MigratedPull) -> None:
        if not await self._has(pull.job.key):
            await self.store.begin_pull(pull.job)

    async def _has(self, key: str) -> bool:
        return any(job.key == key for job in await self.store.list_pulls())

    async def _migrate_removals(
        self, old: LegacyFiles, models: Sequence[ModelSummary], coming: Iterable[Path]
    ) -> set[Path]:
        """Retire the files of removals that no model uses; return their paths."""
        used = {path for model in models for path in model.all_files} | set(coming)
        found: set[Path] = set()
        for record in sorted((self.home.models_dir / REMOVALS).glob("*.json")):
            with _locked(record) as descriptor:
                if descriptor is not None:
                    found |= await self._migrate_removal(record, descriptor, old, used)
        return found

    async def _migrate_removal(
        self, record: Path, descriptor: int, old: LegacyFiles, used: set[Path]
    ) -> set[Path]:
        try:
            paths = read_removal(parse_json(read_open(descriptor)))
        except (
            OSError,
            ValueError,
        ) as error:  # torn: it was written before its row was deleted, so it deletes nothing
            warn_skipped_once(record, error)
            return set()
        recorded_ns = os.fstat(descriptor).st_mtime_ns
        version = await asyncio.to_thread(self._removed, paths, recorded_ns, old, used)
        if version is not None:
            installed = await self.store.add_version(version)
            await self.store.retire_unused([installed.id])
        await run_to_completion(partial(record.unlink, missing_ok=True))
        return set() if version is None else {file.path for file in version.files}

    def _removed(
        self, paths: Iterable[Path], recorded_ns: int, old: LegacyFiles, used: set[Path]
    ) -> NewVersion | None:
        """Return the remaining files of a removal: they match their record, or are unchanged since the removal."""
        files, source = [], ModelSource()
        for path in paths:
            try:
                here = _here(path, self.home)
            except ValueError:
                continue
            known = old.known(here)
            if here in used:
                continue
            if known is not None:
                files.append(known[0])
                source = known[1]
            elif has_not_changed_since(here, recorded_ns) and (identity := identity_of(here)) is not None:
                files.append(
                    OwnFile(path=here, role=FileRole.MODEL, name=here.name, identity=identity, sha256=None)
                )
        return NewVersion(directory=None, source=source, files=tuple(files)) if files else None

    def _records(self) -> dict[PurePosixPath, LegacyFileRecord]:
        """Return the records of files by name; invalid ones are skipped with a warning."""
        records = {record.name: record for record in self.pinned}
        for path in sorted((self.home.models_dir / WRITTEN).glob("*.json")):
            try:
                record = read_written(parse_json(read_small(path)))
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                warn_skipped_once(path, error)
                continue
            records[record.name] = record
        return records

    def _delete_records(self, kept: set[Path]) -> None:
        """Delete the migrated records of files, except those of pulls that are still running."""
        for path in sorted((self.home.models_dir / WRITTEN).glob("*.json")):
            with contextlib.suppress(OSError, ValueError):
                record = read_written(parse_json(read_small(path)))
                if self.home.models_dir / record.name not in kept:
                    path.unlink()
        for name in RECORD_DIRECTORIES:
            directory = self.home.models_dir / name
            for draft in (path for pattern in _DRAFTS for path in sorted(directory.glob(pattern))):
                with _locked(draft) as descriptor:
                    if descriptor is not None:
                        draft.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                directory.rmdir()  # only when it is empty


@dataclass(frozen=True, slots=True)
class _Files:
    """The paths of a model's files."""

    paths: tuple[Path, ...]
    projector: Path | None


def _is_installed(pull: MigratedPull, models: Iterable[ModelSummary]) -> bool:
    """Whether a pull was installed, but its record was not deleted: its model has exactly its files."""
    hashes = tuple(file.sha256 for file in pull.job.files if file.role is FileRole.MODEL)
    targets = pull.targets[: len(hashes)]
    return pull.was_fetched and any(model.paths == targets and model.hashes == hashes for model in models)


def _is_below(path: Path, home: Home) -> bool:
    return path.is_relative_to(home.directory)


def _here(path: Path, home: Home) -> Path:
    """Return the path of a file in this home. Raises ValueError if it is outside."""
    return path if path.is_relative_to(home.models_dir) else moved_here(path, home)[0]


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """Lock a record and yield its descriptor; None if another process has it, or if it is no regular file."""
    try:
        descriptor = open_regular(path)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            warn_skipped_once(path, error)
        yield None
        return
    try:
        try:
            flock_if_possible(descriptor, fcntl.LOCK_EX)
            is_locked = True
        except OSError:
            is_locked = False
        yield descriptor if is_locked else None
    finally:
        os.close(descriptor)


def _warn_of_mix(pull: MigratedPull) -> None:
    """Warn that an update by an older gglib, which replaced files one by one, was interrupted."""
    _log.warning(
        "'%s' has files of two versions, because an update was interrupted: %s completes it.",
        escape_line(pull.job.name),
        quoted_command("pull", pull.job.asked),
    )


def _warn(record: Path, error: Exception) -> None:
    _log.warning(
        "%s could not be migrated and is retried later: %s", escape_line(str(record)), escape_line(str(error))
    )
