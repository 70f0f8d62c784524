"""Connects to the database and checkpoints its log. Knows nothing of what the tables mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BUSY_TIMEOUT_S = 5.0
"""How long to wait for another program, or for the checkpoint of the last writer to close."""

CHECKPOINT_WAIT_MS = 250
"""How long a checkpoint waits for readers. A read of gglib takes about 15 ms."""

WRITER_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # acknowledged rows survive a power cut
    "PRAGMA fullfsync = ON",  # macOS only: its fsync leaves the data in the drive's own cache
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 0",  # only ``checkpoint`` does it
)


def connect(
    path: Path, *, mode: str, busy_timeout_s: float = BUSY_TIMEOUT_S, is_immutable: bool = False
) -> sqlite3.Connection:
    """Return a connection that any thread may use, one at a time. ``is_immutable`` ignores the log."""
    # as_uri quotes '?', '#', '%' and blanks
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if is_immutable else ''}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,  # every BEGIN is explicit
        check_same_thread=False,
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does or, if it raises, roll it back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite rolls back itself after some failures, such as a full disk
            connection.rollback()
        raise


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the log into the database and truncate it, as far as readers allow.

    A remaining log would be applied to a backup that is copied over the database later. The rows are safe in the log,
    so a checkpoint that fails (full disk) is not an error.
    """
    with suppress(sqlite3.Error):
        connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
