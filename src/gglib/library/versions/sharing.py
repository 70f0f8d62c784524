"""Links, clones or copies a file to a second path, in this order of preference. Existing files are never replaced."""

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
"""Suffix of an incomplete copy; its writer has it locked."""
COPY_CHUNK_BYTES = 64 * 1024 * 1024
"""Less than a second on most disks; progress is reported per chunk."""
OWN_MODE = 0o444
"""Mode of every file of a version, so that programs cannot write in place."""
_NO_LINK = frozenset((errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS))
_NO_RANGE = frozenset(
    (errno.EXDEV, errno.EPERM, errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
)
_FICLONE = 0x40049409
"""``linux/fs.h``: both files share their blocks until one is written to."""
_PLAIN_CHUNK_BYTES = 1024 * 1024

_REPLACED = "it was replaced or modified"

OnCopied = Callable[[int], None]
"""Called with the bytes copied so far; may raise."""


class SourceError(OSError):
    """The source file is gone, or is not the file that was checked."""


def share(file: OwnFile, target: Path, on_copied: OnCopied = lambda _: None) -> Placed | None:
    """Link, clone or copy a file that gglib wrote; None if it was modified, and then nothing is created.

    Raises OSError; ``FileExistsError`` if the target exists.
    """
    status = status_of(file.path)
    if status is None or not is_own_as_seen(file, status):
        return None
    try:
        return link_or_copy(file.path, target, identity=identity_from(status), on_copied=on_copied)
    except SourceError:
        return None


def link_or_copy(
    source: Path, target: Path, *, identity: FileIdentity | None = None, on_copied: OnCopied = lambda _: None
) -> Placed:
    """Link, clone or copy a regular file, and return how. A copy is complete, durable and read-only before its rename.

    With ``identity``, the source must match it. Raises OSError and leaves nothing; ``FileExistsError`` if the target
    exists, ``SourceError`` if the source is gone or another file.
    """
    descriptor = _open_source(source)
    try:
        status = os.fstat(descriptor)
        if identity is not None:
            _check_same(identity, status)
        if _link(source, target, status):
            return "linked"
        check_free(target)
        return _copy(descriptor, target, on_copied)
    finally:
        os.close(descriptor)


def link_or_move(source: Path, target: Path, *, identity: FileIdentity) -> Literal["linked", "moved"]:
    """Link a file into a draft, or move it on file systems without hard links.

    A copy would need the disk space of another model. Raises OSError and leaves nothing; ``FileExistsError`` if the
    target exists, ``SourceError`` if the source is gone or another file.
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
    """Make a file that gglib created read-only, if the file system supports permissions."""
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
    """Create a hard link; return False if the file systems do not support it."""
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
    target.unlink()  # the new link refers to a file that has replaced the source
    raise SourceError(errno.ESTALE, _REPLACED, str(source))


def _copy(source: int, target: Path, on_copied: OnCopied) -> Placed:
    draft, descriptor = _open_draft(target)
    try:
        before = os.fstat(source)
        how: Placed = "cloned" if _clone(source, descriptor) else "copied"
        if how == "copied":
            _copy_bytes(source, descriptor, before.st_size, on_copied)
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
    """Create and lock a new file beside the target; a sweep skips locked files."""
    while True:
        draft = target.with_name(f"{target.name}.copy-{secrets.token_hex(4)}")
        descriptor = open_regular(draft, flags=os.O_RDWR | os.O_CREAT | os.O_EXCL)
        flock_if_possible(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return draft, descriptor
        os.close(descriptor)  # a sweep deleted it before it was locked


def _clone(source: int, target: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _copy_bytes(source: int, target: int, size_bytes: int, on_copied: OnCopied) -> None:
    done = 0
    while done < size_bytes and (count := _copy_range(source, target, done, size_bytes)):
        done += count
        on_copied(done)
    while done < size_bytes:
        block = memoryview(os.pread(source, min(_PLAIN_CHUNK_BYTES, size_bytes - done), done))
        if not block:
            raise SourceError(errno.ESTALE, _REPLACED)
        while block:
            written = os.pwrite(target, block, done)
            block, done = block[written:], done + written
        on_copied(done)


def _copy_range(source: int, target: int, offset: int, size_bytes: int) -> int:
    """Copy in the kernel; return the number of bytes copied, 0 if unsupported."""
    if not hasattr(os, "copy_file_range"):
        return 0
    count = min(COPY_CHUNK_BYTES, size_bytes - offset)
    try:
        return os.copy_file_range(source, target, count, offset, offset)
    except OSError as error:
        if error.errno in _NO_RANGE:
            return 0
        raise
