"""What deleting files frees, and why files stay. Values, and a look at single files."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gglib.core.versions import OwnFile
from gglib.library.versions.deleting import CHANGED
from gglib.library.versions.ownership import is_own
from gglib.library.versions.storing import BLOCK_BYTES

IN_USE = "it is in use now, and is deleted when nothing uses it any more"
IS_LINK = "it is a link"
NOT_OURS = "gglib did not write it"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletableFile:
    """A file that is deleted."""

    path: Path
    size_bytes: int
    freed_bytes: int
    """What its disk gets back: its blocks, or nothing where the file has a name that stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainedFile:
    """A file that stays, and why: a phrase."""

    path: Path
    reason: str


def deletable_files(paths: Iterable[Path]) -> tuple[DeletableFile, ...]:
    """Return what deleting files frees, of those that are there: a file with several names goes with its last one."""
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
    """Return why a file that gglib wrote is not deleted, as a phrase; None where it may be, or is gone already.

    May read the file, where only its content can tell.
    """
    try:
        mode = file.path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"it cannot be looked at ({error.strerror or error})"
    if stat.S_ISLNK(mode):
        return IS_LINK
    if not stat.S_ISREG(mode):
        return "it is no file"
    return None if is_own(file) else CHANGED


def is_there(path: Path) -> bool:
    """Whether there is anything in a place, a link that leads nowhere included."""
    return os.path.lexists(path)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (OSError, ValueError):
        return None
