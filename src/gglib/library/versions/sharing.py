"""Gives a file a second place: a hard link, else a clone, else a copy. Nothing that is in the place is replaced."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from gglib.core.versions import FileIdentity, OwnFile
from gglib.library.versions.ownership import (
    identity_from,
    is_own_as_seen,
    is_same,
    status_of,
)
from gglib.library.versions.storing import check_free
from gglib.system.files.durable import sync
from gglib.system.files.locks import flock_if_possible
from gglib.system.files.small_files import open_regular

Placed = Literal["linked", "cloned", "copied"]
COPY_SUFFIX = re.compile(r"(?P<target>.+)\.copy-[0-9a-f]{8}", re.DOTALL)
"""Of a copy that is not whole yet; its writer has it locked."""
COPY_CHUNK_BYTES = 64 * 1024 * 1024
"""Less than a second of most disks: progress is reported that often."""
OWN_MODE = 0o444
"""Of every file of a version: programs that write in place are refused."""
_NO_LINK = frozenset((errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS))
_NO_RANGE = frozenset(
    (errno.EXDEV, errno.EPERM, errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
)
_FICLONE = 0x40049409
"""``linux/fs.h``: both files then have the same blocks, until one is written to."""
_PLAIN_CHUNK_BYTES = 1024 * 1024

_REPLACED = "it is another file by now, or was changed"

Tell = Callable[[int], None]
"""Called with the bytes copied so far; may raise."""


class SourceError(OSError):
    """A file that was to get another place is gone, or is another one than the one that was looked at."""


def share(file: OwnFile, target: Path, tell: Tell = lambda _: None) -> Placed | None:
    """Give a file that gglib wrote another place; None, and nothing is there, where it is not that file any more.

    Raises OSError; ``FileExistsError`` where something is in the place.
    """
    status = status_of(file.path)
    if status is None or not is_own_as_seen(file, status):
        return None
    try:
        return place(file.path, target, identity=identity_from(status), tell=tell)
    except SourceError:
        return None


def place(
    source: Path, target: Path, *, identity: FileIdentity | None = None, tell: Tell = lambda _: None
) -> Placed:
    """Give a regular file another place, and say how. A copy is whole, durable and read-only before it has its name.

    With ``identity``, only the very file that has it. Raises OSError and leaves nothing; ``FileExistsError`` where
    something is in the place, ``SourceError`` where the source is gone or another file.
    """
    descriptor = _open_source(source)
    try:
        status = os.fstat(descriptor)
        if identity is not None:
            _check_same(identity, status)
        if _link(source, target, status):
            return "linked"
        check_free(target)
        return _copy(descriptor, target, tell)
    finally:
        os.close(descriptor)


def take(source: Path, target: Path, *, identity: FileIdentity) -> Literal["linked", "moved"]:
    """Give a file a place in a draft: a link, or the file itself where the file system has no links.

    A copy would take the room of another model. Raises OSError and leaves nothing; ``FileExistsError`` where something
    is in the place, ``SourceError`` where the source is gone or another file.
    """
    descriptor = _open_source(source)
    try:
        status = os.fstat(descriptor)
        _check_same(identity, status)
        if _link(source, target, status):
            return "linked"
        check_free(target)
        source.rename(target)
        if os.path.samestat(target.lstat(), status):
            return "moved"
        if not os.path.lexists(source):
            target.rename(source)
        raise SourceError(errno.ESTALE, _REPLACED, str(source))
    finally:
        os.close(descriptor)


def make_read_only(descriptor: int) -> None:
    """Take the right to write from a file that gglib made; nothing where the file system has no rights."""
    with contextlib.suppress(PermissionError):
        os.fchmod(descriptor, OWN_MODE)


def _open_source(source: Path) -> int:
    try:
        return open_regular(source)
    except OSError as error:
        raise SourceError(error.errno, error.strerror, str(source)) from error


def _check_same(identity: FileIdentity, status: os.stat_result) -> None:
    if not is_same(identity, status):
        raise SourceError(errno.ESTALE, _REPLACED)


def _link(source: Path, target: Path, status: os.stat_result) -> bool:
    """Make a hard link; False where the file system has none between the two."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINK:
            return False
        if error.errno == errno.ENOENT and target.parent.is_dir():
            raise SourceError(error.errno, error.strerror, str(source)) from error
        raise
    if os.path.samestat(target.lstat(), status):
        return True
    target.unlink()  # the name that was just made, of a file that was put in the source's place
    raise SourceError(errno.ESTALE, _REPLACED, str(source))


def _copy(source: int, target: Path, tell: Tell) -> Placed:
    draft, descriptor = _open_draft(target)
    try:
        before = os.fstat(source)
        how: Placed = "cloned" if _clone(source, descriptor) else "copied"
        if how == "copied":
            _copy_bytes(source, descriptor, before.st_size, tell)
        make_read_only(descriptor)
        os.fsync(descriptor)
        _check_same(identity_from(before), os.fstat(source))
        check_free(target)
        draft.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    finally:
        os.close(descriptor)
    sync(target.parent)
    return how


def _open_draft(target: Path) -> tuple[Path, int]:
    """Open a new file beside the target and lock it: what sweeps drafts leaves it alone."""
    while True:
        draft = target.with_name(f"{target.name}.copy-{secrets.token_hex(4)}")
        descriptor = open_regular(draft, flags=os.O_RDWR | os.O_CREAT | os.O_EXCL)
        flock_if_possible(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return draft, descriptor
        os.close(descriptor)  # it was swept before it was locked


def _clone(source: int, target: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _copy_bytes(source: int, target: int, size_bytes: int, tell: Tell) -> None:
    done = 0
    while done < size_bytes and (count := _copy_range(source, target, done, size_bytes)):
        done += count
        tell(done)
    while done < size_bytes:
        block = memoryview(os.pread(source, min(_PLAIN_CHUNK_BYTES, size_bytes - done), done))
        if not block:
            raise SourceError(errno.ESTALE, _REPLACED)
        while block:
            written = os.pwrite(target, block, done)
            block, done = block[written:], done + written
        tell(done)


def _copy_range(source: int, target: int, offset: int, size_bytes: int) -> int:
    """Have the kernel copy; return how many bytes it did, 0 where it does not."""
    if not hasattr(os, "copy_file_range"):
        return 0
    count = min(COPY_CHUNK_BYTES, size_bytes - offset)
    try:
        return os.copy_file_range(source, target, count, offset, offset)
    except OSError as error:
        if error.errno in _NO_RANGE:
            return 0
        raise
