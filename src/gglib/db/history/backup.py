"""Backup and restore of the request history. A backup is one file without a log."""

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gglib.core.errors import HistoryError
from gglib.db.history.errors import is_damage, map_read_errors, reason_of
from gglib.db.history.files import OWNER_ONLY, close_writer, move_aside, open_reader, open_writer
from gglib.db.history.schema import version_of
from gglib.db.sqlite_connection import connect, transaction
from gglib.system.files.durable import sync
from gglib.system.files.kept_files import unused_path

BEFORE = ".before-restore-"
"""Between the file's name and the date: the history as it was before a restore."""

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"


@dataclass(frozen=True, slots=True)
class HistoryCounts:
    """What is in a history."""

    requests: int
    """Rows: a row may stand for several requests."""
    bodies: int
    """Requests whose prompt and answer are recorded."""


def back_up_history(path: Path, target: Path) -> HistoryCounts | None:
    """Write one state of the history at ``path`` to the new file ``target``; a server may go on writing.

    Returns None, and writes nothing, if there is no history. Raises ``HistoryError``, and OSError for ``target``.
    """
    with map_read_errors():
        connection = open_reader(path)
        if connection is None:
            return None
        with closing(connection):
            _copy(connection, target)
    with closing(connect(target, mode="ro", is_immutable=True)) as copy:
        return _counts(copy)


def check_history(file: Path) -> HistoryCounts:
    """Check a backup of a history, migrate it, and return its counts.

    Raises ``HistoryError``, whose message continues "FILE ...": for a damaged file, and one of another program or of a
    newer gglib.
    """
    try:
        with closing(connect(file, mode="ro", is_immutable=True)) as connection:
            if version_of(connection) == 0:
                raise HistoryError("has no tables")
            if connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                raise HistoryError("is damaged")
        close_writer(open_writer(file))
        with closing(connect(file, mode="ro", is_immutable=True)) as connection:
            return _counts(connection)
    except sqlite3.DatabaseError as error:
        raise HistoryError(f"is damaged ({error})") from error


def restore_history(path: Path, source: Path) -> Path | None:
    """Replace the history at ``path`` by ``source``, which ``check_history`` has accepted, in one transaction.

    No server of this home may run: the caller holds its lock. Returns the file with the previous history, None if there
    was none. Raises ``HistoryError``; then nothing has changed, except that a damaged history was moved aside.
    """
    try:
        return _restore(path, source)
    except (sqlite3.Error, OSError) as error:
        raise HistoryError(f"The request history cannot be restored: {reason_of(error)}.") from error


def _restore(path: Path, source: Path) -> Path | None:
    before = None
    try:
        connection = open_writer(path)
        has_rows = connection.execute("SELECT next_id FROM state").fetchone() != (1,)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        before, has_rows = move_aside(path, datetime.now().astimezone()), False
        connection = open_writer(path)
    try:
        if not has_rows:
            _replace_rows(connection, source)
            return before
        before = unused_path(path, BEFORE)
        _copy(connection, before)
        sync(before)
        try:
            _replace_rows(connection, source)
        except BaseException:
            before.unlink(missing_ok=True)  # nothing was replaced, and the disk may be full
            raise
    finally:
        close_writer(connection)
    return before


def _replace_rows(connection: sqlite3.Connection, source: Path) -> None:
    """Copy every table; both files have the current format. Open readers see the rows before or after it."""
    connection.execute("ATTACH DATABASE ? AS backup", (os.fspath(source),))
    tables = [row[0] for row in connection.execute(_TABLES)]
    with transaction(connection):
        for table in tables:
            connection.execute(f'DELETE FROM main."{table}"')  # noqa: S608 - names of our own schema
            connection.execute(f'INSERT INTO main."{table}" SELECT * FROM backup."{table}"')  # noqa: S608
    connection.execute("DETACH DATABASE backup")


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    """Write what the connection sees to the new file ``target``, readable by its owner only."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY))
    try:
        connection.execute("VACUUM INTO ?", (os.fspath(target),))
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise


def _counts(connection: sqlite3.Connection) -> HistoryCounts:
    return HistoryCounts(
        *(
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - constants
            for table in ("requests", "bodies")
        )
    )
