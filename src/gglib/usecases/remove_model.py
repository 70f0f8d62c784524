"""Forgets a model together with the files that gglib downloaded for it. Knows the core only.

What is deleted is decided before anything is: only what gglib downloaded, inside ``models/``, reached through no link,
and used by no other model. See ``removal_journal`` for the order.
"""

import asyncio
import fcntl
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.core.models import ModelSummary
from gglib.core.part_names import note_path, part_path
from gglib.core.ports import ModelStorePort
from gglib.system.small_files import open_regular
from gglib.usecases.own_files import OwnFile, OwnFiles
from gglib.usecases.pull_journal import BLOCK_BYTES, PullJournal
from gglib.usecases.removal_journal import RemovalJournal, Undeleted, delete_files, is_inside

CHANGED = "it was changed after gglib wrote it"
"""Why a file stays that has a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """A file that is deleted."""

    path: Path
    size_bytes: int
    freed_bytes: int
    """What its disk gets back: its blocks, or nothing where the file has another name as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """A file that stays, and why: a phrase."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalPlan:
    """What goes with a model; the user may be asked before it goes."""

    model: ModelSummary
    doomed: tuple[Doomed, ...]
    spared: tuple[Spared, ...]

    @property
    def freed_bytes(self) -> int:
        """What the disk gets back in all, once no program has the files open."""
        return sum(file.freed_bytes for file in self.doomed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What became of a plan."""

    deleted: tuple[Path, ...]
    freed_bytes: int
    undeleted: tuple[Undeleted, ...]
    """Tried again by the next gglib that opens the catalogue."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """A model that is removed, and which of its files gglib wrote."""

    model: ModelSummary
    written: frozenset[Path]
    notes: Mapping[Path, OwnFile]


async def forget_model(name: str, store: ModelStorePort, models_dir: Path) -> ModelSummary | None:
    """Forget a model and keep its files; that gglib wrote them stays known. None when there is no such model."""
    model = await store.resolve_model(name)
    if model is not None:
        await asyncio.to_thread(OwnFiles(models_dir).note_model, model)
    return await store.remove_model(name)


def plan_removal(
    model: ModelSummary, models: Sequence[ModelSummary], models_dir: Path, own: OwnFiles | None = None
) -> RemovalPlan:
    """Return what is deleted with ``model``; ``models`` is the whole catalogue. Looks at files, changes nothing.

    A file counts as gglib's own when ``own`` says so: see ``OwnFiles.written_of``.
    """
    own = own or OwnFiles(models_dir)
    holders = _holders(other for other in models if other.id != model.id)
    notes = own.all()
    owner = _Owner(model, own.written_of(model, notes), notes)
    doomed: list[Doomed] = []
    spared: list[Spared] = []
    for path in model.all_files:
        reason = _why_spared(path, owner, holders, own)
        if reason is not None:
            spared.append(Spared(path=path, reason=reason))
        else:
            doomed += filter(None, map(doomed_file, (path, part_path(path), note_path(path))))
    return RemovalPlan(model=model, doomed=tuple(doomed), spared=tuple(spared))


async def remove_with_files(plan: RemovalPlan, store: ModelStorePort, models_dir: Path) -> Removal | None:
    """Forget the model and delete its files; None when it was gone already.

    Raises ``StorageError`` before anything has happened. What ends this in the middle, a later gglib makes good.
    """
    paths = [file.path for file in plan.doomed]
    own = OwnFiles(models_dir)
    async with own.changing():
        return await _remove(plan, paths, store, own)


async def _remove(
    plan: RemovalPlan, paths: Sequence[Path], store: ModelStorePort, own: OwnFiles
) -> Removal | None:
    models_dir = own.models_dir
    with RemovalJournal(models_dir).noted(paths) as forget:
        # By its id, which is never given again: since the plan, its name may have become another one's.
        removed = await store.remove_model(str(plan.model.id))
        used = _used(await store.list_models())
        going = [path for path in paths if path not in used]
        deleted, undeleted = await asyncio.to_thread(delete_files, going, models_dir)
        _end_pulls(going, models_dir)
        own.forget(going)
        if not undeleted:
            forget()
    if removed is None:
        return None
    freed = {file.path: file.freed_bytes for file in plan.doomed}
    return Removal(
        deleted=tuple(deleted),
        freed_bytes=sum(freed[path] for path in deleted),
        undeleted=tuple(undeleted),
    )


async def finish_removals(store: ModelStorePort, models_dir: Path) -> list[Path]:
    """Delete what a gglib that was killed in the middle of a removal did not; return what was deleted."""
    journal = RemovalJournal(models_dir)
    if not journal.is_needed():
        return []
    used = _used(await store.list_models())
    coming = {file.target for job in PullJournal(models_dir).jobs() for file in job.all_files}
    used |= {path for target in coming for path in (target, part_path(target), note_path(target))}
    return await asyncio.to_thread(journal.finish, used)


def _holders(others: Iterator[ModelSummary]) -> dict[Path, str]:
    """Return who uses which file, links resolved: a link to a file needs it as much as its path does."""
    holders = {}
    for other in others:
        for path in _used([other]):
            holders[path] = holders[_resolved(path)] = other.name
    return holders


def _used(models: Sequence[ModelSummary]) -> set[Path]:
    return {path for model in models for path in model.all_files}


def _why_spared(path: Path, owner: _Owner, holders: dict[Path, str], own: OwnFiles) -> str | None:
    if path not in owner.written:
        is_outside = owner.model.is_downloaded and not is_inside(path, own.models_dir)
        return "it is outside of gglib's own directory" if is_outside else "gglib did not download it"
    holder = holders.get(path) or holders.get(_resolved(path))
    if holder is not None:
        return f"model '{holder}' uses it, too"
    if is_being_fetched(path):
        return "it is being fetched now"
    return _why_no_plain_file(path) or _why_changed(path, owner.notes.get(path), own)


def _why_changed(path: Path, note: OwnFile | None, own: OwnFiles) -> str | None:
    is_there = os.path.lexists(path)  # what is gone may have left a part
    return CHANGED if note is not None and is_there and not own.is_same(note) else None


def _why_no_plain_file(path: Path) -> str | None:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None  # gone already; a part of it may be there
    except OSError as error:
        return f"it cannot be looked at ({error.strerror or error})"
    if stat.S_ISLNK(mode):
        return "it is a link, whose file is somebody else's"
    return None if stat.S_ISREG(mode) else "it is no file"


def doomed_file(path: Path) -> Doomed | None:
    """Return what deleting a file frees; None where there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    is_last_name = status.st_nlink == 1
    return Doomed(
        path=path,
        size_bytes=status.st_size,
        freed_bytes=status.st_blocks * BLOCK_BYTES if is_last_name else 0,
    )


def is_being_fetched(path: Path) -> bool:
    """Whether a gglib that lives has the note of a newer version locked, as whoever fetches does."""
    try:
        descriptor = open_regular(note_path(path))
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _end_pulls(paths: Sequence[Path], models_dir: Path) -> None:
    """Forget the pulls of what is gone, so that nobody is told to go on with them."""
    journal = PullJournal(models_dir)
    for job in journal.jobs():
        if {file.target for file in job.files} & set(paths):
            journal.end(job)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a circle of links
        return path
