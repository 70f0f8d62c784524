"""Incoming files: ``models/.incoming/KEY``, with ``KEY.part`` and ``KEY.part.note`` while a download is incomplete.

Keys are content-addressed, so a file that several pulls need is downloaded once. Other names, and anything that is no
regular file, belong to the user and are not touched.
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
"""Lock that is held briefly: while a pull is recorded, and while incoming files are deleted by the list of pulls."""
SWEEP_LOCK_TIMEOUT_S = 10.0
"""How long a sweep waits for that lock; every command that opens a home sweeps."""
_OF_KEY = re.compile(
    rf"(?P<key>{KEY.pattern})(?:{re.escape(PART_SUFFIX)}|{re.escape(PART_MANIFEST_SUFFIX)})?"
)


class Incoming:
    """The incoming files of one ``models/`` directory; safe for concurrent processes."""

    def __init__(self, models_dir: Path) -> None:
        self.models_dir = models_dir
        self.directory = incoming_directory(models_dir)

    def prepare(self) -> None:
        """Create the directory. Raises ``StorageError`` and ``DiskFullError``."""
        with storing(self.directory):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def is_empty(self) -> bool:
        """Whether the directory is empty, missing or unreadable."""
        return not self._names()

    def path(self, key: str) -> Path:
        """Return the path of a complete file."""
        if not KEY.fullmatch(key):
            raise ValueError(f"no incoming file has the key {key!r}")
        return self.directory / key

    def bytes_here(self, keys: Collection[str]) -> int:
        """Return the bytes of the files that are on the disk, each counted once."""
        paths = [self.path(key) for key in set(keys)]
        return sum(max(_bytes_on_disk(path), _bytes_on_disk(part_path(path))) for path in paths)

    def discard(self, keys: Collection[str], in_use: Collection[str]) -> int:
        """Delete complete and partial files, except those in use or being downloaded; return the bytes freed.

        ``in_use`` are the keys of all unfinished pulls and of their files. The key of a pull in ``keys`` selects its
        draft; the caller holds its lock.
        """
        unused = set(keys).difference(in_use)
        for name in self._names():
            if job_of_draft(name) in unused:
                clear_draft(self.directory / name)
        return sum(self._discard(self.path(key)) for key in unused if not JOB_KEY.fullmatch(key))

    def restore(self, job_key: str) -> None:
        """Move back the files that a killed ``publish`` of a pull moved; the caller holds its lock."""
        for name in self._names():
            if job_of_draft(name) == job_key:
                clear_draft(self.directory / name)

    def sweep(self, in_use: Collection[str]) -> int:
        """Delete files that no pull names and no process is using; return the bytes freed.

        ``in_use`` are the keys of all unfinished pulls and of their files. Stops early while a pull is running: it may
        be about to use existing files.
        """
        self._sweep_all(in_use, is_draft=True)  # drafts first: their moved files are moved back
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
        manifest = part_manifest_path(path)
        if not any(map(os.path.lexists, (path, part_path(path), manifest))):
            return 0
        try:
            with _locked(manifest):
                return sum(map(_unlink, (path, part_path(path), manifest)))
        except OSError:  # it is being downloaded, or the manifest is not gglib's
            return 0


async def sweep_incoming(
    store: VersionStorePort, models_dir: Path, *, timeout_s: float = SWEEP_LOCK_TIMEOUT_S
) -> int:
    """Delete the leftovers and locks of ended or unrecorded pulls; return the bytes freed.

    Holds ``SWEEP_LOCK``, so that a pull that begins meanwhile is recorded, and checks for existing files, afterwards.
    If the lock is not free within ``timeout_s`` seconds (its holder is suspended), a later call sweeps.
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
    """Return the keys of pulls and of their files."""
    return {key for pull in pulls for key in (pull.key, *(file.key for file in pull.files))}


@contextmanager
def _locked(manifest: Path) -> Iterator[None]:
    """Hold the lock of a download. Raises OSError if another process holds it."""
    try:
        descriptor = lock_file(manifest)
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:
            raise
        descriptor = (
            None  # on a full disk the manifest cannot be created, so nothing is being downloaded either
        )
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
    """Return the bytes that a file takes on the disk: less than its size if it is sparse."""
    status = status_of(path)
    return 0 if status is None else min(status.st_size, status.st_blocks * BLOCK_BYTES)
