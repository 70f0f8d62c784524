"""Directories for files that are not complete yet; a later run deletes those that a kill has left."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIN_AGE_S = 60.0
"""Younger ones are left alone: another process may have created one and not have locked it yet."""


@contextmanager
def staging(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new directory in ``parent`` for this user alone, and delete it afterwards.

    Raises OSError if it cannot be created. ``prefix`` begins its name, and names the leftovers that are deleted first.
    """
    _remove_abandoned(parent, prefix, time.time())
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as name:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield Path(name)
        finally:
            os.close(descriptor)


def _remove_abandoned(parent: Path, prefix: str, now_s: float) -> None:
    for found in parent.iterdir():
        if not found.name.startswith(prefix) or found.is_symlink() or not found.is_dir():
            continue
        with suppress(OSError):
            descriptor = os.open(found, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if now_s - os.fstat(descriptor).st_mtime > MIN_AGE_S:
                    shutil.rmtree(found)
            finally:
                os.close(descriptor)
