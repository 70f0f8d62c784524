"""Whether a file is still the one that gglib wrote. It is asked directly before anything is done to a file."""

import os
import stat
import time
from pathlib import Path

from gglib.core.versions import FileIdentity, OwnFile
from gglib.system.files.hashing import hash_stream
from gglib.system.files.small_files import open_regular

_MAX_HASHES = 4096
_SETTLED_NS = 2_000_000_000
"""File systems date changes to a clock tick, FAT to 2 s: a file that changed just now may change again unseen."""
_hashes: dict[tuple[int, ...], str] = {}
"""Of files as they were looked at: one that did not change since is read once."""


def identity_of(path: Path) -> FileIdentity | None:
    """Return what distinguishes a regular file; None for a link, for what is no file, and for what cannot be seen."""
    status = status_of(path)
    return None if status is None else identity_from(status)


def identity_from(status: os.stat_result) -> FileIdentity:
    """Return the identity of a file that was looked at."""
    return FileIdentity(
        device=status.st_dev,
        inode=status.st_ino,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
    )


def is_same(identity: FileIdentity, status: os.stat_result) -> bool:
    """Whether a file that was looked at is the very one, unchanged; False where device or inode are not known."""
    return stat.S_ISREG(status.st_mode) and identity == identity_from(status)


def is_own(file: OwnFile) -> bool:
    """Whether a file is the one that gglib wrote: its place, size and date are as recorded.

    Where device or inode are not known any more (a copied home, a restored catalogue), the size and the content decide:
    the file is read whole then, once. A link is never own.
    """
    status = status_of(file.path)
    return status is not None and is_own_as_seen(file, status)


def is_own_as_seen(file: OwnFile, status: os.stat_result) -> bool:
    """Whether a file is the one that gglib wrote, by a look at it; reads it where only its content can tell."""
    identity = file.identity
    if is_same(identity, status):
        return True
    if identity.is_complete or not stat.S_ISREG(status.st_mode) or status.st_size != identity.size_bytes:
        return False
    return file.sha256 is not None and hash_of(file.path, status) == file.sha256.lower()


def may_be_own(identity: FileIdentity, status: os.stat_result) -> bool:
    """Whether a file is the recorded one as far as a look at it tells: nothing of it is read."""
    if identity.is_complete:
        return is_same(identity, status)
    return identity.size_bytes == status.st_size


def status_of(path: Path) -> os.stat_result | None:
    """Return what a regular file looks like; None for a link, for what is no file, and for what cannot be seen."""
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def hash_of(path: Path, status: os.stat_result) -> str | None:
    """Return the SHA-256 of a file as it was looked at; None where it cannot be read, or is another one by now."""
    look = _look(status)
    if look not in _hashes:
        try:
            digest = _read(path, look)
        except OSError:
            return None
        if digest is None:
            return None
        if time.time_ns() - max(status.st_ctime_ns, status.st_mtime_ns) < _SETTLED_NS:
            return digest
        if len(_hashes) >= _MAX_HASHES:
            _hashes.clear()
        _hashes[look] = digest
    return _hashes[look]


def _read(path: Path, look: tuple[int, ...]) -> str | None:
    with os.fdopen(open_regular(path), "rb", buffering=0) as file:
        if _look(os.fstat(file.fileno())) != look:
            return None
        digest = hash_stream(file, lambda _: None)
        return digest if _look(os.fstat(file.fileno())) == look else None


def _look(status: os.stat_result) -> tuple[int, ...]:
    """Return what no write leaves as it is; programs can set the date of a file, but not ``st_ctime``."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
