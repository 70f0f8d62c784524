"""Turns errors of SQLite and the file system into one sentence that says what to do. Pure."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from gglib.core.errors import HistoryError
from gglib.db.sqlite_errors import primary_code

DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_DISK_FULL = "the disk is full: free some space"
_NOT_WRITABLE = "history.db cannot be opened: check that gglib's home directory and the file are writable"
_REASONS = {
    sqlite3.SQLITE_FULL: _DISK_FULL,
    sqlite3.SQLITE_IOERR: "history.db cannot be read or written: check that its disk is neither full nor failing",
    sqlite3.SQLITE_CANTOPEN: _NOT_WRITABLE,
    sqlite3.SQLITE_READONLY: _NOT_WRITABLE,
    sqlite3.SQLITE_PERM: _NOT_WRITABLE,
    sqlite3.SQLITE_BUSY: "history.db is locked by another program: end that program",
    sqlite3.SQLITE_LOCKED: "history.db is locked by another program: end that program",
    sqlite3.SQLITE_CORRUPT: "history.db is damaged: move it away, gglib begins a new one",
    sqlite3.SQLITE_NOTADB: "history.db is damaged: move it away, gglib begins a new one",
}


def is_damage(error: BaseException) -> bool:
    """Whether the error means that the file is damaged."""
    return isinstance(error, sqlite3.Error) and primary_code(error) in DAMAGE_CODES


def reason_of(error: Exception) -> str:
    """Return why the history cannot be used, without a final full stop."""
    if isinstance(error, HistoryError):
        return str(error).rstrip(".")
    if isinstance(error, sqlite3.Error):
        return _REASONS.get(primary_code(error), f"history.db: {error}")
    if isinstance(error, OSError) and error.strerror:
        return f"history.db cannot be used ({error.strerror}): check that gglib's home directory is writable"
    return f"{type(error).__name__}: {error}"


@contextmanager
def map_read_errors() -> Iterator[None]:
    """Turn errors of reading into a ``HistoryError``."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise HistoryError(f"The request history cannot be read: {reason_of(error)}.") from error
