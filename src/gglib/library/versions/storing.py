"""What the system says about files and directories, as errors that a user understands."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.core.errors import DiskFullError, StorageError

DISK_FULL_ERRNOS = frozenset((errno.ENOSPC, errno.EDQUOT))
BLOCK_BYTES = 512
"""What ``st_blocks`` counts, whatever the file system's own blocks are (POSIX, ``sys/stat.h``)."""


@contextmanager
def storing(place: Path) -> Iterator[None]:
    """Turn an OSError inside the block into a ``StorageError`` or a ``DiskFullError`` about ``place``."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise DiskFullError(
                f"The disk of {place} is full: free some and run the same command again, which goes on where this "
                "one ended."
            ) from error
        raise StorageError(
            f"{error.filename or place} cannot be used ({error.strerror or error}): move what is there, make it "
            "writable, or name another home with --home."
        ) from error


def check_free(path: Path) -> None:
    """Raise ``FileExistsError`` where something, whatever it is, has the name."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def freed_by_unlink(status: os.stat_result) -> int:
    """Return the bytes that the disk gets back for one name of a file: nothing while it has another one."""
    return status.st_blocks * BLOCK_BYTES if status.st_nlink == 1 else 0
