"""What is being deleted, written down before the model leaves the catalogue, until its files are gone.

A model is removed in this order: note, row, files, note. Killed at any moment, there is never a row without its file,
and the files of a row that is gone are deleted by the next gglib that opens the catalogue. A note whose row is still
there deletes nothing: what a model of the catalogue uses, or a pull is about to, stays. Who removes holds a lock on its
note, which the kernel drops with the process.
"""

import contextlib
import errno
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from gglib.core.errors import StorageError
from gglib.system.small_files import open_regular, parse_json, read_open, warn_of_skipped
from gglib.usecases.pull_journal import opened_in

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))
DIRECTORY_NAME = ".removals"
"""Inside ``models/``: on the same disk, and gone with it."""


@dataclass(frozen=True, slots=True)
class Undeleted:
    """A file that could not be deleted."""

    path: Path
    reason: str


class RemovalJournal:
    """The removals of one ``models/`` directory that have not ended. Any number of processes may use it."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._directory = models_dir / DIRECTORY_NAME

    def is_needed(self) -> bool:
        """Whether there is a note at all, which is rare; cheap to ask."""
        return self._directory.is_dir()

    @contextmanager
    def noted(self, paths: Sequence[Path]) -> Iterator[Callable[[], None]]:
        """Write down that these files are to be deleted; yield what forgets it, once they are.

        Left without that, the note stays for the next gglib. On a full disk there is none. Raises ``StorageError``
        when it cannot be written for another reason.
        """
        path = self._directory / f"{secrets.token_hex(8)}.json"
        descriptor = None
        try:
            descriptor = self._write(path, paths)
        except OSError as error:
            self._forget(path)
            if error.errno not in _NO_ROOM:
                raise _unwritable(self._directory, error) from error
        try:
            yield lambda: self._forget(path)
        finally:
            if descriptor is not None:
                os.close(descriptor)  # and with it the lock

    def _write(self, path: Path, paths: Sequence[Path]) -> int:
        """Write a note; return its open descriptor, which has it locked. Raises OSError and leaves no part of it."""
        draft = path.with_suffix(".draft")
        text = json.dumps([str(file) for file in paths])
        descriptor = None
        try:
            with self._locked_draft(draft.name) as note:
                descriptor = os.dup(note.fileno())
                note.write(text)
            os.fsync(descriptor)
            draft.rename(path)  # it is seen when it is whole and locked, not before
            _sync(self._directory)
        except OSError:
            if descriptor is not None:
                os.close(descriptor)
            self._forget(draft)
            raise
        return descriptor

    def _locked_draft(self, name: str) -> TextIO:
        """Open a draft and lock it; another gglib may have swept it between the two. Raises OSError."""
        while True:
            draft = opened_in(self._directory, name, "x")
            try:
                fcntl.flock(draft, fcntl.LOCK_EX)
                if os.fstat(draft.fileno()).st_nlink:
                    return draft
            except BaseException:
                draft.close()
                raise
            draft.close()

    def finish(self, used: Collection[Path]) -> list[Path]:
        """Delete what a gglib that was killed did not, but for what is ``used``; return what was deleted."""
        deleted = []
        for path in sorted(self._directory.glob("*.json")):
            with _alone_with(path) as note:
                if note is not None:
                    deleted += self._finish_one(path, note, used)
        for path in sorted(self._directory.glob("*.draft")):
            with _alone_with(path) as draft:  # its writer has it locked until it is a note
                if draft is not None:
                    self._forget(path)
        return deleted

    def _finish_one(self, path: Path, note: int, used: Collection[Path]) -> list[Path]:
        try:
            files = self._read(note)
        except OSError as error:
            warn_of_skipped(path, error)
            return []
        except ValueError as error:  # torn: it was written before its row went, and deletes nothing
            warn_of_skipped(path, error)
            files = []
        gone, undeleted = delete_files([file for file in files if file not in used], self._models_dir)
        if not undeleted:
            self._forget(path)
        return gone

    def _read(self, note: int) -> list[Path]:
        """Return the files of a note. Raises OSError for one that is too large, ValueError for one that is torn."""
        texts = parse_json(read_open(note))
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError("it is not a note of a removal")
        return [Path(text) for text in texts if is_inside(Path(text), self._models_dir)]

    def _forget(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):
            self._directory.rmdir()  # only when it is empty


@contextmanager
def _alone_with(path: Path) -> Iterator[int | None]:
    """Yield a note that no living gglib is at work on, locked; None where one is, or where it is no plain file."""
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        warn_of_skipped(path, error)
        yield None
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_alone = True
    except OSError:
        is_alone = False
    try:
        yield descriptor if is_alone else None
    finally:
        os.close(descriptor)


def is_inside(path: Path, directory: Path) -> bool:
    """Whether a file is below ``directory``, also when links on the way to it are followed."""
    try:
        return path.parent.resolve().is_relative_to(directory.resolve()) and path.is_relative_to(directory)
    except (OSError, RuntimeError, ValueError):  # a circle of links, a NUL
        return False


def delete_files(paths: Sequence[Path], models_dir: Path) -> tuple[list[Path], list[Undeleted]]:
    """Delete files, and the directories that are empty then, up to ``models_dir``; return what is gone, and is not."""
    gone, undeleted = [], []
    for path in paths:
        try:
            path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            undeleted.append(Undeleted(path, error.strerror or str(error)))
            continue
        else:
            gone.append(path)
        _remove_empty(path.parent, models_dir)
    return gone, undeleted


def _remove_empty(directory: Path, models_dir: Path) -> None:
    while directory != models_dir and directory.is_relative_to(models_dir):
        try:
            directory.rmdir()
        except FileNotFoundError:
            pass
        except OSError:  # it is not empty
            with contextlib.suppress(OSError):
                _sync(directory)
            return
        directory = directory.parent
    with contextlib.suppress(OSError):
        _sync(directory)


def _sync(directory: Path) -> None:
    """Make what happened to the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(directory: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{directory} cannot be written ({error.strerror or error}): make it writable, or leave --files out."
    )
