"""Tells whether the catalogue has changed since it was last read, without reading it. Knows nothing of models."""

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from gglib.db.connections import open_reader
from gglib.db.sqlite_errors import is_busy


class Edition(NamedTuple):
    """Names one state of the catalogue: which file it is, and how often that has been changed."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    """With the size: a backup that is copied over the file changes no ``data_version``."""
    opening: int
    """Counts the connections of the watcher: each counts versions anew."""
    data_version: int


class ChangeWatcher:
    """Owns a connection that reads nothing but ``PRAGMA data_version``.

    A look costs that and a ``stat``: some microseconds, and no waiting, because in WAL mode a reader never waits for
    a writer. So it is fit for the event loop's own thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._edition = Edition(0, 0, 0, 0, 0, 0)

    def edition(self) -> Edition:
        """Return the edition as it is now, or as it was last seen when the file is locked at this very moment.

        Another file in its place, such as a backup put back, is another edition, and so is a file that cannot be read:
        reading it says why. The connection is opened anew with each change of the file: it may be of another kind now.
        No file is an ``OSError``.
        """
        status = os.stat(self._path)  # noqa: PTH116 - twice as quick as Path.stat, and done for each request
        file = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        opening = self._edition.opening
        try:
            if self._connection is None or file != self._edition[:4]:
                self.close()
                opening += 1
                self._connection = open_reader(self._path, busy_timeout_s=0)
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if is_busy(error):
                return self._edition
            self.close()
            version = -1
        self._edition = Edition(*file, opening, version)
        return self._edition

    def close(self) -> None:
        """Let go of the file; a reader that closes changes nothing on the disk."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
