"""The files of the history: created for their owner only, measured, moved aside when damaged."""

import os
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from gglib.core.errors import HistoryError
from gglib.db.history.schema import migrate, version_of
from gglib.db.sqlite_connection import connect
from gglib.db.wal_repair import wal_path

OWNER_ONLY = 0o600
KEPT_DAMAGED = 2
"""Damaged files that are kept beside the history; older ones are deleted, so that a failing disk does not fill up."""

WAL_LIMIT_BYTES = 4 << 20

WRITER_PRAGMAS = (
    # Freed pages are reused; a lower limit returns them to the file system in small steps (``pruning``).
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA synchronous = NORMAL",  # a commit waits for no disk; a power cut loses those since the last checkpoint
    f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}",
    # KiB. Rows are appended: 100,000 of them are written as quickly as with 4 MiB, which fill up in hours.
    "PRAGMA cache_size = -256",
)


def open_writer(path: Path) -> sqlite3.Connection:
    """Create the file if it is missing, migrate its tables, and return the one connection that writes.

    Raises HistoryError for a file of another program or a newer gglib, which stays unchanged; sqlite3.Error, OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY))
    with suppress(OSError):  # of another owner
        path.chmod(OWNER_ONLY)  # the log inherits it
    connection = connect(path, mode="rw")
    try:
        version_of(connection)
        for pragma in WRITER_PRAGMAS:
            connection.execute(pragma)
        _use_wal(connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise HistoryError(
            "The request history needs a file system with shared memory: put GGLIB_HOME on a local disk."
        )


def open_reader(path: Path) -> sqlite3.Connection | None:
    """Return a connection that only reads; None if there is no history yet. Raises HistoryError, sqlite3.Error."""
    if not path.is_file():
        return None
    is_sealed = not os.access(path.parent, os.W_OK) and not wal_path(path).exists()
    connection = connect(path, mode="ro", is_immutable=is_sealed)
    try:
        if version_of(connection) == 0:
            connection.close()
            return None
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def close_writer(connection: sqlite3.Connection) -> None:
    """Copy the log into the file, remove it, and close."""
    with closing(connection), suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def file_id(path: Path) -> tuple[int, int] | None:
    """Return the device and the number of the file; None if there is none, or it cannot be examined."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def size_bytes(path: Path) -> int:
    """Return the size of the file and its log; 0 if there are none."""
    total = 0
    for file in (path, wal_path(path)):
        with suppress(OSError):
            total += file.stat().st_size
    return total


def move_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged history and its log, delete older damaged ones, and return the new path. Raises OSError."""
    target = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}")
    older = sorted(path.parent.glob(f"{path.name}.damaged-*[0-9]"))
    for file in older[: len(older) - KEPT_DAMAGED + 1]:
        _remove(file)
        _remove(wal_path(file))
    path.replace(target)
    with suppress(FileNotFoundError):
        wal_path(path).replace(wal_path(target))
    _remove(path.with_name(f"{path.name}-shm"))
    return target


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
