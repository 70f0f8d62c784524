"""Replaces small files as a whole: atomically, with their mode and owner, as an editor does."""

import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gglib.system.files.durable import sync
from gglib.system.files.locks import lock_path
from gglib.system.files.small_files import read_small

LOCK_WAIT_S = 5.0
"""Longest wait for another change; one takes milliseconds."""
_WAIT_STEP_S = 0.01


@contextmanager
def exclusive_change(path: Path, *, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Exclude other changes of the same file in such blocks, so that none is lost between reading and replacing it.

    The lock is on the directory, because the file is replaced; blocks if another process holds it. Raises OSError, and
    after ``wait_s`` BlockingIOError. A directory that cannot be opened is not locked.
    """
    descriptor = _lock_directory(path.parent, time.monotonic() + wait_s)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock_directory(directory: Path, deadline: float) -> int | None:
    while True:
        try:
            return lock_path(directory, fcntl.LOCK_EX)
        except PermissionError:
            return None
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise BlockingIOError(error.errno, "another process is changing it") from None
            time.sleep(_WAIT_STEP_S)


def read_writable(path: Path) -> tuple[bytes, os.stat_result | None]:
    """Return content and state of a file that may be replaced; nothing and None if it does not exist.

    Raises OSError, also for a file that is read-only: a rename would replace it all the same.
    """
    try:
        content = read_small(path)
    except FileNotFoundError:
        return b"", None
    found = path.stat()
    if not (found.st_mode & stat.S_IWUSR and os.access(path, os.W_OK)):
        raise OSError(errno.EACCES, "it is read-only")
    return content, found


def replace_file(
    path: Path, content: bytes, found: os.stat_result | None, *, forbidden_mode: int = 0
) -> None:
    """Write the file beside the old one, with its mode and owner, and rename it over the old one.

    Without an old one (``found`` is None) only the owner gets access. The bits of ``forbidden_mode`` are not copied.
    Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if found is not None:
                os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & ~forbidden_mode)
                with suppress(OSError):  # only root may give a file away
                    os.fchown(descriptor, found.st_uid, found.st_gid)
        sync(Path(name))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)
