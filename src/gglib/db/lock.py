"""One writer at a time, by a lock of the operating system on a file beside the database.

SQLite has locks of its own; this one is there because its versions 3.7.0 to 3.51.2 can damage a database in WAL
mode when two connections write or checkpoint at the same instant. The kernel drops the lock when its holder
dies, however it dies. The file is never removed: whoever waits for a removed file would lock another one than
the next.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.core.errors import CatalogError

WAIT_S = 10.0
"""A write takes some ten milliseconds: whoever waits this long waits for a process that hangs."""

LOCK_SUFFIX = ".lock"
FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05

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
    """Return the lock file of the database at ``path``; of a link, that of the file that it leads to."""
    real = path.resolve()
    return real.with_name(real.name + LOCK_SUFFIX)


@contextmanager
def exclusive(path: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock file at ``path``, against other processes and other threads alike.

    Blocks the calling thread for up to ``wait_s`` seconds, then raises ``CatalogError``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for(descriptor, wait_s)
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def _wait_for(descriptor: int, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    pause_s = FIRST_PAUSE_S
    while not _try_lock(descriptor):
        if time.monotonic() >= deadline:
            raise CatalogError(
                "Another gglib is writing to the catalogue and does not finish: "
                "end that process, or try again in a moment."
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
