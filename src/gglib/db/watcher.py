"""Detects changes of the catalogue without reading it. Knows nothing of models."""

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from gglib.db.connections import open_reader
from gglib.db.sqlite_errors import is_busy


class Revision(NamedTuple):
    """Identifies one state of the catalogue: the file, and its number of changes."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    """With the size: a backup that is copied over the file does not change ``data_version``."""
    opening: int
    """Counts the connections of the watcher: each one counts versions from its own start."""
    data_version: int


class ChangeWatcher:
    """Owns a connection that reads nothing but ``PRAGMA data_version``.

    A check costs that and a ``stat``: some microseconds without blocking, because in WAL mode a reader never waits for
    a writer. It can therefore run on the event loop's thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._revision = Revision(0, 0, 0, 0, 0, 0)

    def revision(self) -> Revision:
        """Return the current revision, or the last known one while the file is locked.

        Another file in its place, such as a restored backup, is another revision, and so is an unreadable file: reading
        it reports why. The connection is reopened whenever the file changes: its kind may have changed. A missing file
        raises ``OSError``.
        """
        status = os.stat(self._path)  # noqa: PTH116 - twice as fast as Path.stat, and done for each request
        file = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        opening = self._revision.opening
        try:
            if self._connection is None or file != self._revision[:4]:
                self.close()
                opening += 1
                self._connection = open_reader(self._path, busy_timeout_s=0)
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if is_busy(error):
                return self._revision
            self.close()
            version = -1
        self._revision = Revision(*file, opening, version)
        return self._revision

    def close(self) -> None:
        """Close the file; closing a reader changes nothing on the disk."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
