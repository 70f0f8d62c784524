"""Locks (``flock``) on files and directories that other processes may rename or delete.

The kernel releases them when the process exits. A lock belongs to the open file, not to its name: once it is acquired,
the name must still refer to the same file. A file system without locks grants every lock.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.system.files.small_files import open_regular

NO_LOCKS = frozenset((errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL, errno.EBADF))
"""Errors of ``flock`` on file systems without locks; NFS returns EBADF for a directory."""
MAX_ATTEMPTS = 10
"""For a path that is being replaced at that very moment."""


@contextmanager
def shared(path: Path) -> Iterator[bool]:
    """Hold a shared lock on a file or directory; yield False if it is gone, or is being deleted.

    A file that cannot be opened cannot be locked for deletion either: yields True.
    """
    try:
        descriptor = lock_path(path, fcntl.LOCK_SH)
    except (FileNotFoundError, NotADirectoryError, BlockingIOError):
        yield False
        return
    except OSError:
        yield True
        return
    try:
        yield True
    finally:
        os.close(descriptor)


@contextmanager
def try_exclusive(path: Path) -> Iterator[bool]:
    """Hold an exclusive lock on a file or directory; yield False, at once, if another process holds any lock.

    True if it is gone: nothing uses it. False if it cannot be opened.
    """
    try:
        descriptor = lock_path(path, fcntl.LOCK_EX)
    except (FileNotFoundError, NotADirectoryError):
        yield True
        return
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def lock_path(path: Path, operation: int) -> int:
    """Return a descriptor that holds a lock on ``path``. Raises OSError; BlockingIOError if it is locked."""
    for _ in range(MAX_ATTEMPTS):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check_kind(descriptor, path)
            flock_if_possible(descriptor, operation)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise BlockingIOError(errno.EWOULDBLOCK, "it is being replaced", str(path))


def lock_file(path: Path, *, needs_locks: bool = False) -> int:
    """Return a descriptor that holds an exclusive lock on a regular file, which is created if it is missing.

    The holder may delete the file before releasing it: then another file is created. ``needs_locks`` rejects file
    systems without locks. Raises OSError; BlockingIOError if it is locked.
    """
    flock = _flock if needs_locks else flock_if_possible
    while True:
        descriptor = open_regular(path, flags=os.O_RDWR | os.O_CREAT)
        try:
            flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.lstat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def flock_if_possible(descriptor: int, operation: int) -> None:
    """Take a lock without blocking; no effect on a file system without locks. Raises BlockingIOError."""
    try:
        _flock(descriptor, operation)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _flock(descriptor: int, operation: int) -> None:
    fcntl.flock(descriptor, operation | fcntl.LOCK_NB)


def _check_kind(descriptor: int, path: Path) -> None:
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is neither a file nor a directory", str(path))
