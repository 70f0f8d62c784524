"""Translates system errors about files and directories into gglib's errors."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.core.errors import DiskFullError, StorageError

DISK_FULL_ERRNOS = frozenset((errno.ENOSPC, errno.EDQUOT))
BLOCK_BYTES = 512
"""The unit of ``st_blocks``, independent of the file system's block size (POSIX, ``sys/stat.h``)."""


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn an OSError inside the block into a ``StorageError`` or a ``DiskFullError`` about ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise DiskFullError(
                f"The disk of {path} is full: free some space ('gglib prune' lists what can go) and run the same "
                "command again to resume."
            ) from error
        raise StorageError(
            f"{error.filename or path} cannot be used ({error.strerror or error}): move it away, make it writable, "
            "or use another --home."
        ) from error


def check_free(path: Path) -> None:
    """Raise ``FileExistsError`` if the path exists."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def freed_by_unlink(status: os.stat_result) -> int:
    """Return the bytes that unlinking a name frees: 0 while the file has another one."""
    return status.st_blocks * BLOCK_BYTES if status.st_nlink == 1 else 0
