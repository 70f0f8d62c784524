"""A reserve file whose disk space a write may use on a full disk: after a checkpoint, the log has none.

A model can then still be removed on a full disk, which frees space. A file beside the database, of allocated blocks.
"""

import os
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 256 * 1024
"""The index of the log takes 32 KiB, a transaction of one model about 80 KiB of log."""

SUFFIX = ".reserve"


def keep_reserve(path: Path) -> None:
    """Create the reserve of the database at ``path``; no effect if there is no space for it."""
    reserve = _reserve_path(path)
    with suppress(OSError):
        if reserve.exists():
            return
        descriptor = os.open(reserve, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Not zeros, for which a file system may allocate no blocks.
            is_whole = os.write(descriptor, os.urandom(RESERVE_BYTES)) == RESERVE_BYTES
        except OSError:
            is_whole = False
        finally:
            os.close(descriptor)
        if not is_whole:
            reserve.unlink()


def release_reserve(path: Path) -> bool:
    """Delete the reserve; return whether there was one."""
    try:
        _reserve_path(path).unlink()
    except OSError:
        return False
    return True


def _reserve_path(path: Path) -> Path:
    real = path.resolve()
    return real.with_name(real.name + SUFFIX)
