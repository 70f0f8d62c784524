"""How the database is opened, to read and to write. Knows nothing of what the tables mean.

Readers and writers never wait for one another: that is what WAL mode gives. What readers need for it:

- ``mode=ro``: a reader can neither write nor checkpoint, not even when it is the last one to close. Only
  writers checkpoint, and they are one at a time (see ``lock``).
- Its read transactions last for one reload, so that no checkpoint is held up for long.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from gglib.core.errors import CatalogError
from gglib.db.lock import exclusive
from gglib.db.migrations import is_current, migrate, require_current

BUSY_TIMEOUT_S = 5.0
"""How long to wait for a program that is not gglib, or for the last writer to tidy up as it leaves."""

LOCK_SUFFIX = ".lock"

WRITER_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a row that was acknowledged survives a power cut
    "PRAGMA fullfsync = ON",  # macOS only: its fsync leaves the data in the drive's own cache
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 0",  # checkpoints happen at one place, below
)


def prepare(path: Path) -> None:
    """Create the directory and the database and bring its tables up to date; only look when all is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _is_prepared(path):
        with writing(path):
            pass


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection inside a transaction that sees one moment of the database and cannot change it."""
    with closing(open_reader(path)) as connection:
        connection.execute("BEGIN")
        require_current(connection)
        yield connection


def open_reader(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Return a connection that cannot change anything and that any thread may use, one at a time."""
    return _connect(path, mode="ro", busy_timeout_s=busy_timeout_s)


@contextmanager
def writing(path: Path, *, reuses_log: bool = False) -> Iterator[sqlite3.Connection]:
    """Yield a connection inside a transaction that is on the disk when the block ends, or undone if it raised.

    Blocks the calling thread while another process writes; raises ``CatalogError`` when that takes too long.
    ``reuses_log`` is for a full disk: what is in the log is copied into the database first, which takes no room, and
    the log is then written from its beginning (https://sqlite.org/wal.html#ckpt).
    """
    with (
        exclusive(path.with_name(path.name + LOCK_SUFFIX)),
        closing(_connect(path, mode="rwc")) as connection,
    ):
        _use_wal(connection)
        for pragma in WRITER_PRAGMAS:
            connection.execute(pragma)
        migrate(connection)
        if reuses_log:
            _checkpoint(connection)
        with _transaction(connection):
            yield connection
        # Closing, when nobody reads, removes the log.
        _checkpoint(connection)


def _checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the log into the database, as far as readers allow, for whom PASSIVE does not wait.

    The rows are safe in the log already, so a checkpoint that cannot be made (the disk is full) fails nobody.
    """
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


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


def _connect(path: Path, *, mode: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",  # as_uri quotes '?', '#', '%' and blanks
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,  # transactions are begun by us, visibly
        check_same_thread=False,
    )


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
