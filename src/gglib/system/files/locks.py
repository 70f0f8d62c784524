"""Locks (``flock``) on files and directories that others may rename or delete meanwhile; the kernel drops them with us.

A lock is on what is open, not on a name: after it is had, the name must still mean the same. A file system without
locks gives every lock to everyone.
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
"""What ``flock`` says where there are no locks; NFS says EBADF for one on a directory."""
MOST_OPENINGS = 10
"""Of a path that others replace at that very moment."""


@contextmanager
def shared(path: Path) -> Iterator[bool]:
    """Hold a shared lock on a file or directory; yield False where it is gone, or is being deleted.

    One that may not be opened cannot be locked to be deleted either: it counts as held.
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
    """Hold an exclusive lock on a file or directory; yield False, at once, where another process holds any.

    True where it is gone: nothing uses it. False where it may not be opened.
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
    """Return a descriptor that has ``path`` locked. Raises OSError; BlockingIOError where others have it locked."""
    for _ in range(MOST_OPENINGS):
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
    """Return a descriptor that has a regular file locked, which is made where there is none.

    Its holder may delete the file before it lets go of it: then another file is made. ``needs_locks`` refuses a file
    system that has none. Raises OSError; BlockingIOError where others have it locked.
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
    """Take a lock without waiting; nothing where the file system has none. Raises BlockingIOError."""
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
