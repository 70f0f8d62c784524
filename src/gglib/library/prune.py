"""Frees what lies below ``models/`` and no model uses. Knows the core and the file system only.

Only what gglib wrote is deleted: versions that no model has, as long as their files are the recorded ones; incoming
files and drafts of no pull; parts that an older gglib left; directories that are empty. Links are neither followed nor
deleted. What is in use, by whatever path, stays, and so does everything of a pull that did not end.
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

FETCHED_NOW = "it is being fetched now"
OTHER_HOMES = "another home that has the same models/ keeps files in it until they are whole"
KEPT_NAMES = frozenset((".home", ".written", ".pulls", ".removals"))
"""At the top of ``models/``: what says whose it is, and the notes of older gglibs, which the migration reads."""
STARTER_LOCK = "starter"
"""Held while the starter model is fetched."""
MAX_DEPTH = 32
"""Files are at most 16 directories down (``file_names.MAX_PARTS``)."""

IsPartManifest = Callable[[bytes], bool]
"""Whether a file's content is a note of gglib's on a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What no model uses."""

    deletable: tuple[DeletableFile, ...]
    retained: tuple[RetainedFile, ...]
    """What no model uses and stays all the same; what a model uses is not in it."""
    directories: tuple[Path, ...] = ()
    """Empty ones, the deepest first."""
    versions: tuple[int, ...] = ()
    """The ids of the versions that no model has."""
    leftovers: frozenset[Path] = frozenset()
    """Of the files that go those that no record names: parts of an older gglib, and of the starter's download."""

    @property
    def freed_bytes(self) -> int:
        """What the disk gets back."""
        return sum(file.freed_bytes for file in self.deletable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What became of a plan."""

    deleted: tuple[Path, ...]
    freed_bytes: int
    undeleted: tuple[RetainedFile, ...]
    waiting: tuple[Path, ...] = ()
    """Files that are in use: they go when nothing uses them any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the catalogue knows of files below ``models/``."""

    models: Sequence[ModelSummary]
    versions: Sequence[Version]
    jobs: Sequence[PullJob]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Frees what one ``models/`` directory has too much."""

    models_dir: Path
    locks: HomeLocks
    is_part_manifest: IsPartManifest
    work_name: str
    """Of the directory below ``models/`` in which the starter model is fetched."""

    async def plan(self, store: HomeStorePort) -> PrunePlan:
        """Return what can be freed. Looks at files and changes nothing."""
        known = Known(
            models=await store.list_models(),
            versions=await store.list_versions(),
            jobs=await store.list_pulls(),
        )
        return await asyncio.to_thread(self._plan, known)

    async def prune(self, confirmed: PrunePlan, store: HomeStorePort) -> Pruned:
        """Delete what was confirmed and is still unused; what has got a user since the plan stays."""
        plan = await self.plan(store)
        retired = await store.retire_unused([one for one in plan.versions if one in confirmed.versions])
        deletions = await collect_retired(store, self.models_dir)
        reasons = {path: reason for deletion in deletions for path, reason in deletion.kept}
        await sweep_incoming(store, self.models_dir)
        wanted = {file.path for file in confirmed.deletable}
        going = [file for file in plan.deletable if file.path in wanted]
        return await asyncio.to_thread(self._finish, plan, going, retired, reasons)

    def _plan(self, known: Known) -> PrunePlan:
        look = _Look(self, known)
        if self.models_dir.is_dir():
            look.into(self.models_dir, 0)
        return PrunePlan(
            deletable=deletable_files(look.deletable),
            retained=tuple(look.retained),
            directories=tuple(look.directories),
            versions=tuple(look.unused),
            leftovers=frozenset(look.leftovers),
        )

    def _finish(
        self,
        plan: PrunePlan,
        going: Sequence[DeletableFile],
        retired: Sequence[Version],
        reasons: dict[Path, str],
    ) -> Pruned:
        """Delete what no record names, and return what became of all of it."""
        incoming = incoming_directory(self.models_dir)
        for path in plan.leftovers.intersection(file.path for file in going):
            # Of what is a version's, or incoming, others decide: they look whose it is directly before.
            reasons.update(self._delete(path))
        for directory in plan.directories:
            _remove_if_empty(directory)
        deleted = [file for file in going if not is_there(file.path)]
        left = [file.path for file in going if is_there(file.path)]
        reasons = {**{path: NOT_OURS for path in left if incoming in path.parents}, **reasons}
        held = {file.path for version in retired for file in version.files}
        return Pruned(
            deleted=tuple(file.path for file in deleted),
            freed_bytes=sum(file.freed_bytes for file in deleted),
            undeleted=tuple(
                RetainedFile(path=path, reason=reasons[path]) for path in left if path in reasons
            ),
            waiting=tuple(path for path in left if path in held and path not in reasons),
        )

    def _delete(self, path: Path) -> dict[Path, str]:
        """Delete a file that an older gglib or the starter's download left, unless it is something else by now."""
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                return {path: "it is no file"}
            path.unlink()
        except FileNotFoundError:
            return {}
        except OSError as error:
            return {path: error.strerror or str(error)}
        _remove_if_empty(path.parent)
        return {}


class _Look:
    """One look through the directory."""

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
            one.id
            for one in known.versions
            if one.id not in has_model and not one.is_retired and one.directory not in publishing
        ]
        """The ids of versions that no model has."""
        self._files = _files_of(known.versions)
        self._versions = {one.id: one for one in known.versions}
        self._manifests = {
            one.directory / MANIFEST_NAME: one for one in known.versions if one.directory is not None
        }
        self._busy = publishing | {parent for path in publishing for parent in path.parents}

    def into(self, directory: Path, depth: int) -> bool:
        """Look at all that is in a directory; return whether nothing of it will be left."""
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            self._spare(directory, f"it cannot be looked at ({error.strerror or error})")
            return False
        is_left = False
        for entry in entries:
            path = directory / entry.name
            if depth == 0 and entry.name in KEPT_NAMES:
                continue
            if entry.is_symlink():
                self._spare(path, IS_LINK)
                is_left = True
            elif depth == 0 and entry.name == self._pruner.work_name and entry.is_dir():
                self._take_work(path)
            elif depth == 0 and entry.name.startswith(INCOMING_NAME) and entry.is_dir():
                self._take_incoming(path)
            elif entry.is_dir(follow_symlinks=False):
                is_gone = depth < MAX_DEPTH and self.into(path, depth + 1)
                if is_gone and path not in self._busy:
                    self.directories.append(path)
                is_left |= not is_gone
            else:
                is_left |= not self._goes(path)
        return not is_left

    def _take_work(self, directory: Path) -> None:
        """Take what a gglib that was killed left of the starter model's download."""
        is_busy = self._is_shared or self._pruner.locks.are_held(STARTER_LOCK)
        for path in _files_below(directory):
            if is_busy:
                self._spare(path, FETCHED_NOW)
            else:
                self.leftovers.add(path)
                self._doom(path)

    def _take_incoming(self, directory: Path) -> None:
        """Take what pulls left that are over: incoming files, and drafts of versions."""
        if directory != incoming_directory(self._pruner.models_dir):
            self._spare(directory, OTHER_HOMES)
            return
        by_key = {file.key: job for job in self._jobs for file in job.files}
        by_key |= {job.key: job for job in self._jobs}
        is_busy = self._pruner.locks.are_held(PULL_PREFIX)
        try:
            paths = sorted(directory.iterdir())
        except OSError as error:
            self._spare(directory, f"it cannot be looked at ({error.strerror or error})")
            return
        for path in paths:
            key = _incoming_key_of(path.name)
            if path.is_symlink():
                self._spare(path, IS_LINK)
            elif key is None:
                self._spare(path, NOT_OURS)
            elif (job := by_key.get(key)) is not None:
                self._spare(path, self._why_of_job(job))
            elif is_busy:
                self._spare(path, FETCHED_NOW)  # a pull that is under way may be about to share it
            elif path.is_dir():
                for file in _files_below(path):
                    self._doom(file)
            else:
                self._doom(path)

    def _why_of_job(self, job: PullJob) -> str:
        if self._pruner.locks.are_held(f"{PULL_PREFIX}{job.key}"):
            return FETCHED_NOW
        return f"the pull of '{job.name}' did not end: 'gglib pull' lists how to go on or give it up"

    def _goes(self, path: Path) -> bool:
        """Decide about one file; return whether it goes."""
        if not is_there(path):
            return True  # gone already
        if self._is_used(path):
            return False
        reason = self._why_spared(path)
        if reason is not None:
            self._spare(path, reason)
        else:
            self._doom(path)
        return reason is None

    def _is_used(self, path: Path) -> bool:
        """Whether a model has the file, or the version whose file it is."""
        if self._uses.user_of(path) is not None:
            return True
        ids = self._owners_of(path)
        return any(one not in self.unused and not self._versions[one].is_retired for one in ids)

    def _owners_of(self, path: Path) -> list[int]:
        """Return the versions that a file belongs to, by its record or as their manifest."""
        manifest = self._manifests.get(path)
        return [version for version, _ in self._files.get(path, ())] + ([manifest.id] if manifest else [])

    def _why_spared(self, path: Path) -> str | None:
        recorded = self._files.get(path, ())
        if any(self._versions[one].is_retired for one in self._owners_of(path)):
            kept = next((reason for _, file in recorded if (reason := why_kept(file)) is not None), None)
            return kept or IN_USE
        if recorded:
            return next((reason for _, file in recorded if (reason := why_kept(file)) is not None), None)
        if path in self._manifests:
            return None
        if not stat.S_ISREG(path.lstat().st_mode):
            return "it is no file"
        target = _target_of(path)
        if target == path or self._is_shared or not self._has_note(target):
            return NOT_OURS
        self.leftovers.add(path)
        return None

    def _has_note(self, target: Path) -> bool:
        try:
            return self._pruner.is_part_manifest(read_small(part_manifest_path(target)))
        except OSError:
            return False

    def _spare(self, path: Path, reason: str) -> None:
        self.retained.append(RetainedFile(path=path, reason=reason))

    def _doom(self, path: Path) -> None:
        self.deletable.append(path)


def _files_of(versions: Sequence[Version]) -> Mapping[Path, list[tuple[int, OwnFile]]]:
    """Return by path which versions have a file: more than one where an older gglib shared it."""
    files: dict[Path, list[tuple[int, OwnFile]]] = {}
    for version in versions:
        for file in version.files:
            files.setdefault(file.path, []).append((version.id, file))
    return files


def _incoming_key_of(name: str) -> str | None:
    """Return the key of an incoming file, or of the pull whose draft it is; None for a name of the user's."""
    if (job_key := job_of_draft(name)) is not None:
        return job_key
    copy = COPY_SUFFIX.fullmatch(name)
    target = name if copy is None else copy["target"]
    for suffix in (PART_MANIFEST_SUFFIX, PART_SUFFIX):
        target = target.removesuffix(suffix)
    return target if KEY.fullmatch(target) else None


def _target_of(path: Path) -> Path:
    """Return the file that a part or the note of one belongs to; any other file itself."""
    for suffix in (PART_MANIFEST_SUFFIX, PART_SUFFIX):
        if path.name.endswith(suffix) and path.name != suffix:
            return path.with_name(path.name[: -len(suffix)])
    return path


def _files_below(directory: Path) -> Iterator[Path]:
    for where, _, names in os.walk(directory):  # follows no links
        yield from (Path(where, name) for name in sorted(names))


def _remove_if_empty(directory: Path) -> None:
    with suppress(OSError):  # gone with its last file, or another program has put something in
        directory.rmdir()
