"""Opens the database for reading and writing. Knows nothing of what the tables mean.

In WAL mode, readers and writers never wait for each other. Readers meet two conditions for that:

- ``mode=ro``: a reader can neither write nor checkpoint, not even as the last one to close. Only writers checkpoint,
  one at a time (see ``lock``).
- Read transactions last for one reload, so that they do not hold up checkpoints for long.
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
from gglib.db.migrations import STAMP_COMMIT, is_current, migrate, require_current
from gglib.db.reserve import keep_reserve, release_reserve
from gglib.db.sqlite_connection import BUSY_TIMEOUT_S, WRITER_PRAGMAS, checkpoint, connect, transaction
from gglib.db.sqlite_errors import primary_code
from gglib.db.wal_repair import repair, repair_locked, wal_path

T = TypeVar("T")

NO_ROOM_CODES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
"""What SQLite raises on a full disk: for the log, for its index in shared memory, or when creating either."""

TRUNCATE_WAIT_S = 1.0
"""How long a process that exits waits for a writer, which truncates the log itself."""


def prepare(path: Path, *, home: Path | None = None) -> None:
    """Create the directory and the database and migrate the tables; only checks them if they are current.

    ``home`` is as in ``writing``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    repair(path, home=home)
    if not _is_prepared(path):
        with writing(path, home=home):
            pass


def with_reserve(path: Path, work: Callable[[bool], T]) -> T:
    """Return ``work(False)``; if the disk is full, release the reserve and return ``work(True)``."""
    try:
        return work(False)
    except sqlite3.Error as error:
        if primary_code(error) not in NO_ROOM_CODES or not release_reserve(path):
            raise
    return work(True)


def truncate_wal(path: Path) -> None:
    """Checkpoint and remove the log, unless another process has the database open; call this after closing.

    Readers cannot: a log that a command wrote beside a server stays when the server ends, and would be applied to a
    backup that is copied over the database. Never raises: the rows are safe in the log.
    """
    with suppress(OSError, sqlite3.Error, CatalogError):
        if wal_path(path).exists():
            with exclusive(lock_path(path), wait_s=TRUNCATE_WAIT_S):
                _checkpoint_and_remove_wal(path)
    keep_reserve(path)


def _checkpoint_and_remove_wal(path: Path) -> None:
    repair_locked(path)
    with closing(connect(path, mode="rw")) as connection:
        for pragma in WRITER_PRAGMAS:
            connection.execute(pragma)
        _use_wal(connection)  # also for a backup in another journal mode
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # opens the log
        checkpoint(connection)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection inside a read transaction, which sees one state of the database."""
    with closing(open_reader(path)) as connection:
        connection.execute("BEGIN")
        require_current(connection)
        yield connection


def open_reader(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Return a read-only connection that any thread may use, one at a time."""
    return connect(path, mode="ro", busy_timeout_s=busy_timeout_s, is_immutable=_is_sealed(path))


@contextmanager
def writing(
    path: Path, *, home: Path | None = None, checkpoints_first: bool = False
) -> Iterator[sqlite3.Connection]:
    """Yield a connection inside a transaction that is durable when the block ends, or rolled back if it raised.

    Blocks the calling thread while another process writes; raises ``CatalogError`` after the lock's timeout. ``home``
    becomes the base of paths when an older format is migrated; None: the directory of ``path``. ``checkpoints_first``
    is for a full disk: the log is copied into the database first, which takes no space, and then overwritten from its
    beginning (https://sqlite.org/wal.html#ckpt).
    """
    with exclusive(lock_path(path)):
        repair_locked(path, home=home)
        with closing(connect(path, mode="rwc")) as connection:
            _use_wal(connection)
            for pragma in WRITER_PRAGMAS:
                connection.execute(pragma)
            migrate(connection, home=home or path.parent)
            if checkpoints_first:
                checkpoint(connection)
            with transaction(connection):
                changes = connection.total_changes
                yield connection
                if connection.total_changes != changes:
                    connection.execute(STAMP_COMMIT)
            # Closing the last connection removes the log.
            checkpoint(connection)


def _is_sealed(path: Path) -> bool:
    """Whether a database without a log is in a directory where this user cannot create one.

    SQLite would refuse to read it (https://sqlite.org/wal.html#readonly). Without a log, no other process is writing.
    """
    return not os.access(path.parent, os.W_OK) and path.is_file() and not wal_path(path).exists()


def _is_prepared(path: Path) -> bool:
    if not path.exists():
        return False
    if not path.is_file():  # SQLite would wait for a FIFO's writer
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    try:
        with closing(open_reader(path)) as connection:
            return is_current(connection)
    except sqlite3.OperationalError:
        return False  # killed during creation, or not readable: the writer repairs it or reports why not


def _use_wal(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise CatalogError(
            "The catalogue needs a file system with shared memory: put GGLIB_HOME on a local disk."
        )
