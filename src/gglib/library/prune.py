"""Deletes files below ``models/`` that no model uses, and saved conversations of models that are gone.

Only files that gglib wrote are deleted: versions without a model whose files are unchanged; incoming files and drafts
without a pull; part files of an older gglib; empty directories. Links are neither followed nor deleted. Files that are
in use through any path stay, and so does everything of an unfinished pull.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gglib.core.models import ModelSummary
from gglib.core.part_names import PART_MANIFEST_SUFFIX, PART_SUFFIX, part_manifest_path
from gglib.core.ports.store import HomeStorePort
from gglib.core.versions import OwnFile, PullJob, Version
from gglib.library.file_uses import FileUses
from gglib.library.versions.deletable_files import (
    IN_USE,
    IS_LINK,
    NOT_OURS,
    DeletableFile,
    RetainedFile,
    deletable_files,
    is_there,
    why_kept,
)
from gglib.library.versions.deleting import collect_retired
from gglib.library.versions.drafts import job_of_draft
from gglib.library.versions.incoming import sweep_incoming
from gglib.library.versions.layout import INCOMING_NAME, KEY, MANIFEST_NAME
from gglib.library.versions.locks import PULL_PREFIX, HomeLocks
from gglib.library.versions.shares import incoming_directory, is_shared
from gglib.library.versions.sharing import COPY_SUFFIX
from gglib.system.files.small_files import read_small

FETCHED_NOW = "it is being downloaded now"
OTHER_HOMES = "another home that shares models/ keeps incomplete downloads in it"
KEPT_NAMES = frozenset((".home", ".written", ".pulls", ".removals"))
"""Entries at the top of ``models/`` that stay: the home's mark, and the records of gglib 0.1 for the migration."""
STARTER_LOCK = "starter"
"""Held while the starter model is downloaded."""
MAX_DEPTH = 32
"""Files are at most 16 directories deep (``file_names.MAX_PARTS``)."""

IsPartManifest = Callable[[bytes], bool]
"""Whether a file's content is the manifest of a part file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """The files that no model uses."""

    deletable: tuple[DeletableFile, ...]
    retained: tuple[RetainedFile, ...]
    """Unused files that are not deleted; files in use by a model are not listed."""
    directories: tuple[Path, ...] = ()
    """Empty directories, the deepest first."""
    versions: tuple[int, ...] = ()
    """The ids of versions without a model."""
    leftovers: frozenset[Path] = frozenset()
    """Deletable files without a record: part files of an older gglib and of the starter's download, and saved
    conversations."""

    @property
    def freed_bytes(self) -> int:
        """The bytes that the disk gets back."""
        return sum(file.freed_bytes for file in self.deletable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """The result of executing a plan."""

    deleted: tuple[Path, ...]
    freed_bytes: int
    undeleted: tuple[RetainedFile, ...]
    waiting: tuple[Path, ...] = ()
    """Files in use: deleted as soon as they are unused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The catalogue's records of files below ``models/``."""

    models: Sequence[ModelSummary]
    versions: Sequence[Version]
    jobs: Sequence[PullJob]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Deletes the unused files of one home."""

    models_dir: Path
    locks: HomeLocks
    is_part_manifest: IsPartManifest
    work_name: str
    """Name of the directory below ``models/`` that the starter model is downloaded to."""
    kept_dir: Path
    """The directory of saved conversations, in a directory for each model by its id."""

    async def plan(self, store: HomeStorePort) -> PrunePlan:
        """Return what can be deleted. Changes nothing."""
        known = Known(
            models=await store.list_models(),
            versions=await store.list_versions(),
            jobs=await store.list_pulls(),
        )
        return await asyncio.to_thread(self._plan, known)

    async def prune(self, confirmed: PrunePlan, store: HomeStorePort) -> Pruned:
        """Delete what was confirmed and is still unused."""
        plan = await self.plan(store)
        retired = await store.retire_unused(
            [version for version in plan.versions if version in confirmed.versions]
        )
        deletions = await collect_retired(store, self.models_dir)
        reasons = {path: reason for deletion in deletions for path, reason in deletion.kept}
        await sweep_incoming(store, self.models_dir)
        wanted = {file.path for file in confirmed.deletable}
        selected = [file for file in plan.deletable if file.path in wanted]
        return await asyncio.to_thread(self._finish, plan, selected, retired, reasons)

    def _plan(self, known: Known) -> PrunePlan:
        scan = _Scan(self, known)
        if self.models_dir.is_dir():
            scan.walk(self.models_dir, 0)
        for path in _conversations_without_model(self.kept_dir, known.models):
            scan.deletable.append(path)
            scan.leftovers.add(path)
        return PrunePlan(
            deletable=deletable_files(scan.deletable),
            retained=tuple(scan.retained),
            directories=tuple(scan.directories),
            versions=tuple(scan.unused),
            leftovers=frozenset(scan.leftovers),
        )

    def _finish(
        self,
        plan: PrunePlan,
        selected: Sequence[DeletableFile],
        retired: Sequence[Version],
        reasons: dict[Path, str],
    ) -> Pruned:
        """Delete the files without a record, and return the result for all files."""
        incoming = incoming_directory(self.models_dir)
        for path in plan.leftovers.intersection(file.path for file in selected):
            # Files of versions and incoming files are deleted elsewhere, with a check directly before.
            reasons.update(self._delete(path))
        for directory in plan.directories:
            _remove_if_empty(directory)
        deleted = [file for file in selected if not is_there(file.path)]
        left = [file.path for file in selected if is_there(file.path)]
        reasons = {**{path: NOT_OURS for path in left if incoming in path.parents}, **reasons}
        retired_paths = {file.path for version in retired for file in version.files}
        return Pruned(
            deleted=tuple(file.path for file in deleted),
            freed_bytes=sum(file.freed_bytes for file in deleted),
            undeleted=tuple(
                RetainedFile(path=path, reason=reasons[path]) for path in left if path in reasons
            ),
            waiting=tuple(path for path in left if path in retired_paths and path not in reasons),
        )

    def _delete(self, path: Path) -> dict[Path, str]:
        """Delete a leftover file if it is still a regular file."""
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                return {path: "it is not a regular file"}
            path.unlink()
        except FileNotFoundError:
            return {}
        except OSError as error:
            return {path: error.strerror or str(error)}
        _remove_if_empty(path.parent)
        return {}


def _conversations_without_model(kept_dir: Path, models: Sequence[ModelSummary]) -> Iterator[Path]:
    """Yield the files of saved conversations whose model is not in the catalogue."""
    known = {str(model.id) for model in models}
    with suppress(OSError):
        for directory in kept_dir.iterdir():
            if directory.name.isdigit() and directory.name not in known and not directory.is_symlink():
                yield from (path for path in directory.iterdir() if not path.is_dir())


class _Scan:
    """One scan of the directory."""

    def __init__(self, pruner: Pruner, known: Known) -> None:
        self.deletable: list[Path] = []
        self.retained: list[RetainedFile] = []
        self.directories: list[Path] = []
        self.leftovers: set[Path] = set()
        self._pruner = pruner
        self._jobs = known.jobs
        self._is_shared = is_shared(pruner.models_dir)
        self._uses = FileUses(known.models)
        has_model = {model.version_id for model in known.models}
        publishing = {job.directory for job in known.jobs if job.directory is not None}
        self.unused = [
            version.id
            for version in known.versions
            if version.id not in has_model and not version.is_retired and version.directory not in publishing
        ]
        """The ids of versions without a model."""
        self._files = _files_of(known.versions)
        self._versions = {version.id: version for version in known.versions}
        self._manifests = {
            version.directory / MANIFEST_NAME: version
            for version in known.versions
            if version.directory is not None
        }
        self._busy = publishing | {parent for path in publishing for parent in path.parents}

    def walk(self, directory: Path, depth: int) -> bool:
        """Scan a directory; return whether it will be empty."""
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            self._retain(directory, f"it cannot be read ({error.strerror or error})")
            return False
        is_left = False
        for entry in entries:
            path = directory / entry.name
            if depth == 0 and entry.name in KEPT_NAMES:
                continue
            if entry.is_symlink():
                self._retain(path, IS_LINK)
                is_left = True
            elif depth == 0 and entry.name == self._pruner.work_name and entry.is_dir():
                self._scan_starter(path)
            elif depth == 0 and entry.name.startswith(INCOMING_NAME) and entry.is_dir():
                self._scan_incoming(path)
            elif entry.is_dir(follow_symlinks=False):
                is_gone = depth < MAX_DEPTH and self.walk(path, depth + 1)
                if is_gone and path not in self._busy:
                    self.directories.append(path)
                is_left |= not is_gone
            else:
                is_left |= not self._is_deletable(path)
        return not is_left

    def _scan_starter(self, directory: Path) -> None:
        """Collect what a killed download of the starter model left."""
        is_busy = self._is_shared or self._pruner.locks.are_held(STARTER_LOCK)
        for path in _files_below(directory):
            if is_busy:
                self._retain(path, FETCHED_NOW)
            else:
                self.leftovers.add(path)
                self._delete_later(path)

    def _scan_incoming(self, directory: Path) -> None:
        """Collect what ended pulls left: incoming files, and drafts of versions."""
        if directory != incoming_directory(self._pruner.models_dir):
            self._retain(directory, OTHER_HOMES)
            return
        by_key = {file.key: job for job in self._jobs for file in job.files}
        by_key |= {job.key: job for job in self._jobs}
        is_busy = self._pruner.locks.are_held(PULL_PREFIX)
        try:
            paths = sorted(directory.iterdir())
        except OSError as error:
            self._retain(directory, f"it cannot be read ({error.strerror or error})")
            return
        for path in paths:
            key = _incoming_key_of(path.name)
            if path.is_symlink():
                self._retain(path, IS_LINK)
            elif key is None:
                self._retain(path, NOT_OURS)
            elif (job := by_key.get(key)) is not None:
                self._retain(path, self._reason_for_job(job))
            elif is_busy:
                self._retain(path, FETCHED_NOW)  # a running pull may be about to share it
            elif path.is_dir():
                for file in _files_below(path):
                    self._delete_later(file)
            else:
                self._delete_later(path)

    def _reason_for_job(self, job: PullJob) -> str:
        if self._pruner.locks.are_held(f"{PULL_PREFIX}{job.key}"):
            return FETCHED_NOW
        return f"the pull of '{job.name}' is unfinished: 'gglib pull' lists how to resume or discard it"

    def _is_deletable(self, path: Path) -> bool:
        """Classify a file; return whether it will be gone."""
        if not is_there(path):
            return True  # gone already
        if self._is_used(path):
            return False
        reason = self._reason_to_retain(path)
        if reason is not None:
            self._retain(path, reason)
        else:
            self._delete_later(path)
        return reason is None

    def _is_used(self, path: Path) -> bool:
        """Whether a model uses the file, directly or through its version."""
        if self._uses.user_of(path) is not None:
            return True
        owners = self._owners_of(path)
        return any(owner not in self.unused and not self._versions[owner].is_retired for owner in owners)

    def _owners_of(self, path: Path) -> list[int]:
        """Return the ids of the versions that a file belongs to, as a recorded file or as the manifest."""
        manifest = self._manifests.get(path)
        return [version for version, _ in self._files.get(path, ())] + ([manifest.id] if manifest else [])

    def _reason_to_retain(self, path: Path) -> str | None:
        recorded = self._files.get(path, ())
        if any(self._versions[owner].is_retired for owner in self._owners_of(path)):
            kept = next((reason for _, file in recorded if (reason := why_kept(file)) is not None), None)
            return kept or IN_USE
        if recorded:
            return next((reason for _, file in recorded if (reason := why_kept(file)) is not None), None)
        if path in self._manifests:
            return None
        if not stat.S_ISREG(path.lstat().st_mode):
            return "it is not a regular file"
        target = _target_of(path)
        if target == path or self._is_shared or not self._has_part_manifest(target):
            return NOT_OURS
        self.leftovers.add(path)
        return None

    def _has_part_manifest(self, target: Path) -> bool:
        try:
            return self._pruner.is_part_manifest(read_small(part_manifest_path(target)))
        except OSError:
            return False

    def _retain(self, path: Path, reason: str) -> None:
        self.retained.append(RetainedFile(path=path, reason=reason))

    def _delete_later(self, path: Path) -> None:
        self.deletable.append(path)


def _files_of(versions: Sequence[Version]) -> Mapping[Path, list[tuple[int, OwnFile]]]:
    """Return the versions of each file by path: more than one if an older gglib shared the file."""
    files: dict[Path, list[tuple[int, OwnFile]]] = {}
    for version in versions:
        for file in version.files:
            files.setdefault(file.path, []).append((version.id, file))
    return files


def _incoming_key_of(name: str) -> str | None:
    """Return the key of an incoming file, or of the pull of a draft; None for other names."""
    if (job_key := job_of_draft(name)) is not None:
        return job_key
    copy = COPY_SUFFIX.fullmatch(name)
    target = name if copy is None else copy["target"]
    for suffix in (PART_MANIFEST_SUFFIX, PART_SUFFIX):
        target = target.removesuffix(suffix)
    return target if KEY.fullmatch(target) else None


def _target_of(path: Path) -> Path:
    """Return the target of a part file or of its manifest; any other path unchanged."""
    for suffix in (PART_MANIFEST_SUFFIX, PART_SUFFIX):
        if path.name.endswith(suffix) and path.name != suffix:
            return path.with_name(path.name[: -len(suffix)])
    return path


def _files_below(directory: Path) -> Iterator[Path]:
    for where, _, names in os.walk(directory):  # follows no links
        yield from (Path(where, name) for name in sorted(names))


def _remove_if_empty(directory: Path) -> None:
    with suppress(OSError):  # already gone, or another program has put something in
        directory.rmdir()
