"""Files while they come: ``models/.incoming/KEY``, with ``.part`` and ``.part.note`` beside it until it is whole.

A key stands for a content, so whatever pull brings a file, it comes once. Names of another form are the user's, and so
is what is no regular file: nothing of that is touched.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.core.part_names import PART_MANIFEST_SUFFIX, PART_SUFFIX, part_manifest_path, part_path
from gglib.core.ports.versions import VersionStorePort
from gglib.core.versions import PullJob
from gglib.library.versions.drafts import clear_draft, job_of_draft
from gglib.library.versions.layout import JOB_KEY, KEY
from gglib.library.versions.locks import PULL_PREFIX, HomeLocks
from gglib.library.versions.ownership import status_of
from gglib.library.versions.shares import incoming_directory
from gglib.library.versions.sharing import COPY_SUFFIX
from gglib.library.versions.storing import (
    BLOCK_BYTES,
    DISK_FULL_ERRNOS,
    freed_by_unlink,
    storing,
)
from gglib.system.files.locks import lock_file, try_exclusive
from gglib.system.threads import run_to_completion

SWEEP_LOCK = "incoming"
"""Lock, held for an instant: while a pull is recorded, and while incoming files of recorded pulls are deleted."""
SWEEP_LOCK_TIMEOUT_S = 10.0
"""Of a sweep for that lock: every command that opens a home sweeps."""
_OF_KEY = re.compile(
    rf"(?P<key>{KEY.pattern})(?:{re.escape(PART_SUFFIX)}|{re.escape(PART_MANIFEST_SUFFIX)})?"
)


class Incoming:
    """The incoming files of one ``models/`` directory. Any number of processes may use it."""

    def __init__(self, models_dir: Path) -> None:
        self.models_dir = models_dir
        self.directory = incoming_directory(models_dir)

    def prepare(self) -> None:
        """Make the directory, which stays. Raises ``StorageError`` and ``DiskFullError``."""
        with storing(self.directory):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def is_empty(self) -> bool:
        """Whether nothing is there; True also where it cannot be seen."""
        return not self._names()

    def path(self, key: str) -> Path:
        """Return where a file is once it is whole."""
        if not KEY.fullmatch(key):
            raise ValueError(f"no incoming file has the key {key!r}")
        return self.directory / key

    def bytes_here(self, keys: Collection[str]) -> int:
        """Return how much of the files is on the disk, each counted once."""
        paths = [self.path(key) for key in set(keys)]
        return sum(max(_bytes_on_disk(path), _bytes_on_disk(part_path(path))) for path in paths)

    def discard(self, keys: Collection[str], in_use: Collection[str]) -> int:
        """Delete files, whole or in parts, but for those in use and those being fetched; return the bytes freed.

        ``in_use`` are the keys of all pulls that have not ended, and of their files. The key of a pull among ``keys``
        stands for what a kill left of its version; the caller holds its lock.
        """
        going = set(keys).difference(in_use)
        for name in self._names():
            if job_of_draft(name) in going:
                clear_draft(self.directory / name)
        return sum(self._discard(self.path(key)) for key in going if not JOB_KEY.fullmatch(key))

    def restore(self, job_key: str) -> None:
        """Put back what a killed ``publish`` of a pull took; the caller holds its lock."""
        for name in self._names():
            if job_of_draft(name) == job_key:
                clear_draft(self.directory / name)

    def sweep(self, in_use: Collection[str]) -> int:
        """Delete what no pull names and no living process is at work on; return the bytes freed.

        ``in_use`` are the keys of all pulls that have not ended, and of their files. Ends early where a pull is under
        way: it may be about to use what is there.
        """
        self._sweep_all(in_use, is_draft=True)  # first: what it took is put back
        return self._sweep_all(in_use, is_draft=False)

    def _sweep_all(self, in_use: Collection[str], *, is_draft: bool) -> int:
        freed, locks = 0, HomeLocks(self.models_dir.parent)
        for name in self._names():
            if (job_of_draft(name) is not None) is is_draft:
                if locks.are_held(PULL_PREFIX):
                    break
                freed += self._sweep(name, in_use)
        return freed

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self.directory.iterdir())
        except OSError:
            return []

    def _sweep(self, name: str, in_use: Collection[str]) -> int:
        path, job_key = self.directory / name, job_of_draft(name)
        if job_key is not None:
            if job_key not in in_use:
                clear_draft(path)
            return 0
        if (match := _OF_KEY.fullmatch(name)) is not None:
            return self.discard([match["key"]], in_use)
        copy = COPY_SUFFIX.fullmatch(name)
        if copy is None or not KEY.fullmatch(copy["target"]):
            return 0
        with try_exclusive(path) as is_free:
            return _unlink(path) if is_free else 0

    def _discard(self, path: Path) -> int:
        note = part_manifest_path(path)
        if not any(map(os.path.lexists, (path, part_path(path), note))):
            return 0
        try:
            with _alone_with(note):
                return sum(map(_unlink, (path, part_path(path), note)))
        except OSError:  # it is being fetched, or the note is none of ours
            return 0


async def sweep_incoming(
    store: VersionStorePort, models_dir: Path, *, timeout_s: float = SWEEP_LOCK_TIMEOUT_S
) -> int:
    """Delete what pulls left that ended, or that the catalogue forgot, and their locks; return the bytes freed.

    Holds ``SWEEP_LOCK``: a pull that begins meanwhile is recorded, and looks for what is here, after it. Where that is
    not to be had within ``timeout_s`` seconds (a process that holds it was stopped), a later call sweeps.
    """
    locks = HomeLocks(models_dir.parent)
    await run_to_completion(locks.sweep)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s) as limit, locks.hold(SWEEP_LOCK):
            limit.reschedule(None)
            in_use = keys_of(await store.list_pulls())
            return await run_to_completion(Incoming(models_dir).sweep, in_use)
    return 0


def keys_of(pulls: Iterable[PullJob]) -> set[str]:
    """Return the keys of pulls, which name their drafts, and of their files."""
    return {key for pull in pulls for key in (pull.key, *(file.key for file in pull.files))}


@contextmanager
def _alone_with(note: Path) -> Iterator[None]:
    """Hold the lock that a fetch holds. Raises OSError where another process does."""
    try:
        descriptor = lock_file(note)
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:
            raise
        descriptor = None  # a full disk has no room for a note; then none is being fetched either
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _unlink(path: Path) -> int:
    """Delete a regular file; return the bytes freed."""
    status = status_of(path)
    if status is None:
        return 0
    with contextlib.suppress(OSError):
        path.unlink()
        return freed_by_unlink(status)
    return 0


def _bytes_on_disk(path: Path) -> int:
    """Return what a file takes on the disk: less than its size while parts of it are holes."""
    status = status_of(path)
    return 0 if status is None else min(status.st_size, status.st_blocks * BLOCK_BYTES)
