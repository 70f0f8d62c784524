"""Room on the disk that a write may take when there is no other: an empty log has none.

So a model can still be removed on a full disk, which makes room again. A file beside the database, of real blocks.
"""

import os
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 256 * 1024
"""The index of the log takes 32 KiB, a transaction of one model some 80 KiB of log."""

SUFFIX = ".reserve"


def keep_reserve(path: Path) -> None:
    """Have the reserve of the database at ``path``; nothing where there is no room for it."""
    reserve = _reserve_of(path)
    with suppress(OSError):
        if reserve.exists():
            return
        descriptor = os.open(reserve, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Not zeros, which a file system may keep without any blocks.
            is_whole = os.write(descriptor, os.urandom(RESERVE_BYTES)) == RESERVE_BYTES
        except OSError:
            is_whole = False
        finally:
            os.close(descriptor)
        if not is_whole:
            reserve.unlink()


def release_reserve(path: Path) -> bool:
    """Give the room back to the disk; return whether there was any."""
    try:
        _reserve_of(path).unlink()
    except OSError:
        return False
    return True


def _reserve_of(path: Path) -> Path:
    real = path.resolve()
    return real.with_name(real.name + SUFFIX)
