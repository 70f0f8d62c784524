"""How a connection to the database is opened, and how its log is emptied. Knows nothing of what the tables mean."""

import sqlite3
from contextlib import suppress
from pathlib import Path

BUSY_TIMEOUT_S = 5.0
"""How long to wait for a program that is not gglib, or for the last writer to tidy up as it leaves."""

CHECKPOINT_PATIENCE_MS = 250
"""How long a checkpoint waits for readers. One of gglib's reads for some 15 ms."""

WRITER_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a row that was acknowledged survives a power cut
    "PRAGMA fullfsync = ON",  # macOS only: its fsync leaves the data in the drive's own cache
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 0",  # checkpoints happen at one place, below
)


def connect(
    path: Path, *, mode: str, busy_timeout_s: float = BUSY_TIMEOUT_S, is_immutable: bool = False
) -> sqlite3.Connection:
    """Return a connection that any thread may use, one at a time. ``is_immutable`` reads the file without its log."""
    # as_uri quotes '?', '#', '%' and blanks
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if is_immutable else ''}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,  # transactions are begun by us, visibly
        check_same_thread=False,
    )


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the log into the database and empty it, as far as readers allow.

    A log that stays would be applied to a backup that is copied over the database later. The rows are safe in the log
    already, so a checkpoint that cannot be made (the disk is full) fails nothing.
    """
    with suppress(sqlite3.Error):
        connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_PATIENCE_MS}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
