"""Checks whether a file is still the one that gglib wrote; called directly before a file is changed or deleted."""

import os
import stat
import time
from pathlib import Path

from gglib.core.versions import FileIdentity, OwnFile
from gglib.system.files.hashing import hash_stream
from gglib.system.files.small_files import open_regular

_MAX_HASHES = 4096
_SETTLED_NS = 2_000_000_000
"""Timestamps have a limited resolution (FAT: 2 s), so a recently changed file may change again undetected."""
_hashes: dict[tuple[int, ...], str] = {}
"""Hashes by stat fingerprint, so that an unchanged file is read once."""


def identity_of(path: Path) -> FileIdentity | None:
    """Return the identity of a regular file; None for a link, for other kinds, and if it is not visible."""
    status = status_of(path)
    return None if status is None else identity_from(status)


def identity_from(status: os.stat_result) -> FileIdentity:
    """Return the identity in a ``stat`` result."""
    return FileIdentity(
        device=status.st_dev,
        inode=status.st_ino,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
    )


def is_same(identity: FileIdentity, status: os.stat_result) -> bool:
    """Whether a ``stat`` result matches a complete identity; False if device or inode are unknown."""
    return stat.S_ISREG(status.st_mode) and identity == identity_from(status)


def is_own(file: OwnFile) -> bool:
    """Whether a file is the one that gglib wrote: inode, size and modification time match the record.

    If device or inode are unknown (a copied home, a restored catalogue), size and content decide; the whole file is
    read, once. A link is never own.
    """
    status = status_of(file.path)
    return status is not None and is_own_as_seen(file, status)


def is_own_as_seen(file: OwnFile, status: os.stat_result) -> bool:
    """Whether a file is the one that gglib wrote, given its ``stat`` result; reads it if its content decides."""
    identity = file.identity
    if is_same(identity, status):
        return True
    if identity.is_complete or not stat.S_ISREG(status.st_mode) or status.st_size != identity.size_bytes:
        return False
    return file.sha256 is not None and hash_of(file.path, status) == file.sha256.lower()


def may_be_own(identity: FileIdentity, status: os.stat_result) -> bool:
    """Whether a ``stat`` result is compatible with the record; never reads the file."""
    if identity.is_complete:
        return is_same(identity, status)
    return identity.size_bytes == status.st_size


def status_of(path: Path) -> os.stat_result | None:
    """Return the ``stat`` result of a regular file; None for a link, for other kinds, and if it is not visible."""
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def hash_of(path: Path, status: os.stat_result) -> str | None:
    """Return the SHA-256 of the file with this ``stat`` result; None if it is unreadable or has changed."""
    fingerprint = _fingerprint(status)
    if fingerprint not in _hashes:
        try:
            digest = _read(path, fingerprint)
        except OSError:
            return None
        if digest is None:
            return None
        if time.time_ns() - max(status.st_ctime_ns, status.st_mtime_ns) < _SETTLED_NS:
            return digest
        if len(_hashes) >= _MAX_HASHES:
            _hashes.clear()
        _hashes[fingerprint] = digest
    return _hashes[fingerprint]


def _read(path: Path, fingerprint: tuple[int, ...]) -> str | None:
    with os.fdopen(open_regular(path), "rb", buffering=0) as file:
        if _fingerprint(os.fstat(file.fileno())) != fingerprint:
            return None
        digest = hash_stream(file, lambda _: None)
        return digest if _fingerprint(os.fstat(file.fileno())) == fingerprint else None


def _fingerprint(status: os.stat_result) -> tuple[int, ...]:
    """Return a tuple that every write changes: programs can set ``st_mtime``, but not ``st_ctime``."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
