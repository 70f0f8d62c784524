"""Frees what lies below ``models/`` and no model uses. Knows the core only.

Only what gglib wrote is deleted: files that it has a note of and that are still the ones it wrote, parts of downloads
that no pull will go on with, and directories that are empty. Links are neither followed nor deleted. What is in use, by
its path, through a link or as another name of the same file, stays, and so does everything of a pull that did not end.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gglib.core.models import ModelSummary
from gglib.core.part_names import NOTE_SUFFIX, PART_SUFFIX, note_path, part_path
from gglib.core.ports import ModelStorePort
from gglib.system.small_files import read_small
from gglib.usecases.own_files import DIRECTORY_NAME as WRITTEN
from gglib.usecases.own_files import OwnFile, OwnFiles
from gglib.usecases.pull_journal import DIRECTORY_NAME as PULLS
from gglib.usecases.pull_journal import PullJob, PullJournal
from gglib.usecases.removal_journal import DIRECTORY_NAME as REMOVALS
from gglib.usecases.removal_journal import Undeleted, delete_files, is_inside
from gglib.usecases.remove_model import CHANGED, Doomed, Spared, doomed_file, is_being_fetched

NOT_OURS = "gglib did not write it"
FETCHED_NOW = "it is being fetched now"
IS_LINK = "it is a link"
_NOTES = frozenset((WRITTEN, PULLS, REMOVALS))
"""Directories of notes, which have owners of their own."""
MAX_DEPTH = 32
"""Files are at most 16 directories down (``file_names.MAX_PARTS``)."""

IsPartNote = Callable[[bytes], bool]
"""Whether a file's content is a note of gglib's on a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What no model uses."""

    doomed: tuple[Doomed, ...]
    spared: tuple[Spared, ...]
    """What no model uses and stays all the same; what a model uses is not in it."""
    directories: tuple[Path, ...] = ()
    """Empty ones, the deepest first."""

    @property
    def freed_bytes(self) -> int:
        """What the disk gets back."""
        return sum(file.freed_bytes for file in self.doomed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What became of a plan."""

    deleted: tuple[Path, ...]
    freed_bytes: int
    undeleted: tuple[Undeleted, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Frees what one ``models/`` directory has too much."""

    own: OwnFiles
    journal: PullJournal
    is_part_note: IsPartNote
    work_name: str
    """Of the directory below ``models/`` in which the starter model is fetched."""

    def plan(self, models: Sequence[ModelSummary], *, is_serving: bool) -> PrunePlan:
        """Return what can be freed; ``models`` is the whole catalogue. Looks at files and changes nothing; blocks.

        While a gglib serves this home, it may be fetching the starter model: what belongs to that stays.
        """
        uses = _Uses(models, self.journal.jobs())
        look = _Look(self, uses, self.own.all(), is_serving=is_serving)
        root = self.own.models_dir
        if root.is_dir():
            look.into(root, 0)
        return PrunePlan(
            doomed=tuple(look.doomed), spared=tuple(look.spared), directories=tuple(look.directories)
        )

    async def prune(self, confirmed: PrunePlan, store: ModelStorePort, *, is_serving: bool) -> Pruned:
        """Delete what was confirmed and is still unused; what has got a user since the plan stays."""
        async with self.own.changing():
            plan = await asyncio.to_thread(self.plan, await store.list_models(), is_serving=is_serving)
            return await asyncio.to_thread(self._delete, plan, {file.path for file in confirmed.doomed})

    def _delete(self, plan: PrunePlan, wanted: Collection[Path]) -> Pruned:
        root = self.own.models_dir
        going = [file for file in plan.doomed if file.path in wanted and is_inside(file.path, root)]
        deleted, undeleted = delete_files([file.path for file in going], root)
        self.own.forget(tuple(self.own.all()))  # also those that another program deleted
        for directory in plan.directories:
            _remove_if_empty(directory)
        freed = {file.path: file.freed_bytes for file in going}
        return Pruned(
            deleted=tuple(deleted),
            freed_bytes=sum(freed[path] for path in deleted),
            undeleted=tuple(undeleted),
        )


class _Uses:
    """Which files models use, and which ones pulls are about to."""

    def __init__(self, models: Sequence[ModelSummary], jobs: Sequence[PullJob]) -> None:
        files = [path for model in models for path in model.all_files]
        self._paths = set(files)
        # A file is the same under each of its names: through links, other spellings of a directory, hard links.
        self._identities = set(filter(None, map(_identity, files)))
        targets = {file.target: job for job in jobs for file in job.all_files}
        self.jobs: Mapping[Path, PullJob] = {
            path: job
            for target, job in targets.items()
            for path in (target, part_path(target), note_path(target))
        }
        self.directories = {parent for target in targets for parent in target.parents}

    def has(self, path: Path, status: os.stat_result) -> bool:
        return path in self._paths or (status.st_dev, status.st_ino) in self._identities


@dataclass(slots=True)
class _Look:
    """One look through the directory."""

    pruner: Pruner
    uses: _Uses
    written: Mapping[Path, OwnFile]
    is_serving: bool
    doomed: list[Doomed] = field(default_factory=list)
    spared: list[Spared] = field(default_factory=list)
    directories: list[Path] = field(default_factory=list)

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
            if depth == 0 and entry.name in _NOTES:
                continue
            if depth == 0 and entry.name == self.pruner.work_name and entry.is_dir(follow_symlinks=False):
                self._take_work(path)
            elif entry.is_symlink():
                self._spare(path, IS_LINK)
                is_left = True
            elif entry.is_dir(follow_symlinks=False):
                is_gone = depth < MAX_DEPTH and self.into(path, depth + 1)
                if is_gone and path not in self.uses.directories:
                    self.directories.append(path)
                is_left |= not is_gone
            else:
                is_left |= not self._goes(path)
        return not is_left

    def _take_work(self, directory: Path) -> None:
        """Take what a gglib that was killed left of the starter model's download."""
        for path in _files_below(directory):
            if self.is_serving:
                self._spare(path, FETCHED_NOW)
            else:
                self._doom(path)

    def _goes(self, path: Path) -> bool:
        """Decide about one file; return whether it goes."""
        try:
            status = path.lstat()
        except OSError:
            return True  # gone already
        if self.uses.has(path, status):
            return False
        reason = self._why_spared(path, status)
        if reason is not None:
            self._spare(path, reason)
        else:
            self._doom(path)
        return reason is None

    def _why_spared(self, path: Path, status: os.stat_result) -> str | None:
        job = self.uses.jobs.get(path)
        if job is not None:
            return f"the pull of '{job.name}' did not end: 'gglib pull' lists how to go on or give it up"
        if not stat.S_ISREG(status.st_mode):
            return "it is no file"
        target = _target_of(path)
        if is_being_fetched(target) or (self.is_serving and self._may_be_starter(target)):
            return FETCHED_NOW
        if target != path:
            return None if target in self.written or self._has_note(target) else NOT_OURS
        known = self.written.get(path)
        if known is None:
            return NOT_OURS
        return None if self.pruner.own.is_same(known) else CHANGED

    def _may_be_starter(self, target: Path) -> bool:
        """Whether it may be the starter model just before its row: it has no note yet."""
        known = self.written.get(target)
        return known is not None and known.changed_ns is None and not note_path(target).exists()

    def _has_note(self, target: Path) -> bool:
        try:
            return self.pruner.is_part_note(read_small(note_path(target)))
        except OSError:
            return False

    def _spare(self, path: Path, reason: str) -> None:
        self.spared.append(Spared(path=path, reason=reason))

    def _doom(self, path: Path) -> None:
        file = doomed_file(path)
        if file is not None:
            self.doomed.append(file)


def _target_of(path: Path) -> Path:
    """Return the file that a part or the note of one belongs to; any other file itself."""
    for suffix in (NOTE_SUFFIX, PART_SUFFIX):
        if path.name.endswith(suffix) and path.name != suffix:
            return path.with_name(path.name[: -len(suffix)])
    return path


def _files_below(directory: Path) -> Iterator[Path]:
    for where, _, names in os.walk(directory):  # follows no links
        yield from (Path(where, name) for name in sorted(names))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return  # gone with its last file, or another program has put something in
