"""How the database is opened, to read and to write. Knows nothing of what the tables mean.

Readers and writers never wait for one another: that is what WAL mode gives. What readers need for it:

- ``mode=ro``: a reader can neither write nor checkpoint, not even when it is the last one to close. Only
  writers checkpoint, and they are one at a time (see ``lock``).
- Its read transactions last for one reload, so that no checkpoint is held up for long.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from gglib.core.errors import CatalogError
from gglib.db.lock import exclusive, lock_path
from gglib.db.migrations import STAMP, is_current, migrate, require_current
from gglib.db.opening import BUSY_TIMEOUT_S, WRITER_PRAGMAS, checkpoint, connect
from gglib.db.replaced import log_path, settle, settle_held
from gglib.db.reserve import keep_reserve, release_reserve
from gglib.db.sqlite_errors import primary_code

T = TypeVar("T")

NO_ROOM_CODES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
"""What SQLite raises on a full disk: of the log, of its index in shared memory, of either where it is new."""

TIDY_PATIENCE_S = 1.0
"""How long the end of a process waits for another one that writes, which leaves the log empty itself."""


def prepare(path: Path, *, home: Path | None = None) -> None:
    """Create the directory and the database and bring its tables up to date; only look when all is there.

    ``home`` is as of ``writing``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    settle(path, home=home)
    if not _is_prepared(path):
        with writing(path, home=home):
            pass


def with_reserve(path: Path, work: Callable[[bool], T]) -> T:
    """Return ``work(False)``; where that finds no room on the disk, ``work(True)`` with the room of the reserve."""
    try:
        return work(False)
    except sqlite3.Error as error:
        if primary_code(error) not in NO_ROOM_CODES or not release_reserve(path):
            raise
    return work(True)


def tidy(path: Path) -> None:
    """Empty the log and remove it, where no other process has the database open; call this when it is closed here.

    Readers cannot: a log that a command wrote beside a server is left when the server ends, and would be applied to a
    backup that is copied over the database. Never raises: the rows are safe in the log.
    """
    with suppress(OSError, sqlite3.Error, CatalogError):
        if log_path(path).exists():
            with exclusive(lock_path(path), wait_s=TIDY_PATIENCE_S):
                _empty_log(path)
    keep_reserve(path)


def _empty_log(path: Path) -> None:
    settle_held(path)
    with closing(connect(path, mode="rw")) as connection:
        for pragma in WRITER_PRAGMAS:
            connection.execute(pragma)
        _use_wal(connection)  # also of a backup that was made without a log
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # opens it
        checkpoint(connection)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection inside a transaction that sees one moment of the database and cannot change it."""
    with closing(open_reader(path)) as connection:
        connection.execute("BEGIN")
        require_current(connection)
        yield connection


def open_reader(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Return a connection that cannot change anything and that any thread may use, one at a time."""
    return connect(path, mode="ro", busy_timeout_s=busy_timeout_s, is_immutable=_is_sealed(path))


@contextmanager
def writing(
    path: Path, *, home: Path | None = None, reuses_log: bool = False
) -> Iterator[sqlite3.Connection]:
    """Yield a connection inside a transaction that is on the disk when the block ends, or undone if it raised.

    Blocks the calling thread while another process writes; raises ``CatalogError`` when that takes too long.
    ``home`` is what paths of an older format become relative to when it is migrated; None: the directory of ``path``.
    ``reuses_log`` is for a full disk: what is in the log is copied into the database first, which takes no room, and
    the log is then written from its beginning (https://sqlite.org/wal.html#ckpt).
    """
    with exclusive(lock_path(path)):
        settle_held(path, home=home)
        with closing(connect(path, mode="rwc")) as connection:
            _use_wal(connection)
            for pragma in WRITER_PRAGMAS:
                connection.execute(pragma)
            migrate(connection, home=home or path.parent)
            if reuses_log:
                checkpoint(connection)
            with _transaction(connection):
                changes = connection.total_changes
                yield connection
                if connection.total_changes != changes:
                    connection.execute(STAMP)
            # Closing, when nothing reads, removes the log.
            checkpoint(connection)


def _is_sealed(path: Path) -> bool:
    """Whether a database without a log lies where this user may not make one: SQLite would refuse to read it.

    (https://sqlite.org/wal.html#readonly) As long as there is no log, no other process is writing.
    """
    return not os.access(path.parent, os.W_OK) and path.is_file() and not log_path(path).exists()


def _is_prepared(path: Path) -> bool:
    if not path.exists():
        return False
    if not path.is_file():  # SQLite would wait for a FIFO's writer
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    try:
        with closing(open_reader(path)) as connection:
            return is_current(connection)
    except sqlite3.OperationalError:
        return False  # killed while it was created, or not readable: the writer repairs it or says why not


def _use_wal(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise CatalogError(
            "The catalogue needs a file system with shared memory: put GGLIB_HOME on a local disk."
        )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has ended it itself after some failures, a full disk for one
            connection.rollback()
        raise
