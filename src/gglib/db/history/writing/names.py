"""The texts of requests, each stored once, and kept in memory by the writer."""

import sqlite3

MAX_TEXT = 200
MAX_LONG_TEXT = 500
MAX_CACHED = 20_000
"""Names in memory; beyond, the cache is begun anew."""


class NameTable(dict[str | None, int]):
    """Ids by text: ``table[text]`` finds or creates one in the caller's transaction; empty it after a rollback.

    A dictionary, because each request needs eleven lookups.
    """

    def __init__(self, connection: sqlite3.Connection, limit: int = MAX_TEXT) -> None:
        super().__init__()
        self._connection = connection
        self._limit = limit

    def __missing__(self, text: str | None) -> int:
        """Return the id of a text that is not in memory yet; 0 for none."""
        if len(self) >= MAX_CACHED:
            self.clear()
        number = self[text] = self._load(clean(text, self._limit)) if text else 0
        return number

    def _load(self, text: str) -> int:
        found = self._connection.execute("SELECT id FROM names WHERE text = ?", (text,)).fetchone()
        if found:
            return int(found[0])
        self._connection.execute("INSERT INTO names (text) VALUES (?)", (text,))
        number: int = self._connection.execute("SELECT last_insert_rowid()").fetchone()[0]
        return number


def clean(text: str, limit: int) -> str:
    """Return the first ``limit`` characters, without what SQLite's texts cannot have."""
    return text[:limit].encode("utf-8", "replace").decode().replace("\0", "")
