"""Files to delete with the bytes that they free, and files to retain with the reason."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gglib.core.versions import OwnFile
from gglib.library.versions.deleting import CHANGED
from gglib.library.versions.ownership import is_own
from gglib.library.versions.storing import BLOCK_BYTES

IN_USE = "it is in use, and is deleted as soon as it is unused"
IS_LINK = "it is a link"
NOT_OURS = "gglib did not write it"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletableFile:
    """A file that can be deleted."""

    path: Path
    size_bytes: int
    freed_bytes: int
    """The bytes freed: its blocks, or 0 if another hard link remains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainedFile:
    """A file that is not deleted, and the reason as a phrase."""

    path: Path
    reason: str


def deletable_files(paths: Iterable[Path]) -> tuple[DeletableFile, ...]:
    """Return the existing files and what deleting them frees: a file's blocks count for its last hard link."""
    statuses = {path: status for path in paths if (status := _status(path)) is not None}
    names_left = {(status.st_dev, status.st_ino): status.st_nlink for status in statuses.values()}
    deletable = []
    for path, status in statuses.items():
        key = (status.st_dev, status.st_ino)
        names_left[key] -= 1
        deletable.append(
            DeletableFile(
                path=path,
                size_bytes=status.st_size,
                freed_bytes=0 if names_left[key] else status.st_blocks * BLOCK_BYTES,
            )
        )
    return tuple(deletable)


def why_kept(file: OwnFile) -> str | None:
    """Return why a file that gglib wrote must be kept, as a phrase; None if it may be deleted, or is already gone.

    May read the whole file if its content decides.
    """
    try:
        mode = file.path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    if stat.S_ISLNK(mode):
        return IS_LINK
    if not stat.S_ISREG(mode):
        return "it is not a regular file"
    return None if is_own(file) else CHANGED


def is_there(path: Path) -> bool:
    """Whether a path exists, broken links included."""
    return os.path.lexists(path)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (OSError, ValueError):
        return None
