"""One writer at a time, by a lock of the operating system on a file beside the database.

SQLite has its own locks; this one exists because SQLite 3.7.0 to 3.51.2 can damage a database in WAL mode when two
connections write or checkpoint at the same instant. The kernel releases the lock when its process dies. The file is
never deleted: a process that waits for a deleted file would lock another file than the next one.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.core.errors import CatalogError

WAIT_S = 10.0
"""A write takes about ten milliseconds: after this long, the other process hangs."""

LOCK_SUFFIX = ".lock"
FIRST_PAUSE_S = 0.001
MAX_PAUSE_S = 0.05

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def lock_path(path: Path) -> Path:
    """Return the lock file of the database at ``path``; symbolic links are resolved."""
    real = path.resolve()
    return real.with_name(real.name + LOCK_SUFFIX)


@contextmanager
def exclusive(path: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock file at ``path``, against other processes and other threads.

    Blocks the calling thread for up to ``wait_s`` seconds, then raises ``CatalogError``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, wait_s)
        yield
    finally:
        os.close(descriptor)  # releases the lock


def _acquire(descriptor: int, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    pause_s = FIRST_PAUSE_S
    while not _try_lock(descriptor):
        if time.monotonic() >= deadline:
            raise CatalogError(
                "Another gglib has locked the catalogue for too long: "
                "end that process, or try again in a moment."
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, MAX_PAUSE_S)
