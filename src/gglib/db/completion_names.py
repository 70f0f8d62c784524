"""Reads the names that a shell completes, without ever writing or creating a file."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gglib.db.sqlite_connection import connect
from gglib.db.wal_repair import wal_path

BUSY_TIMEOUT_S = 0.1
"""A user who pressed TAB waits."""
_NAMES = "SELECT spelling, position FROM names ORDER BY model_id, position"
_REPOSITORIES = "SELECT DISTINCT source_repo FROM models WHERE source_repo IS NOT NULL ORDER BY id"
_PROFILES = """
    SELECT profiles.name, names.spelling FROM profiles
    LEFT JOIN names ON names.model_id = profiles.model_id AND names.position = 0
    ORDER BY profiles.folded
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionNames:
    """The names in a catalogue."""

    names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    profiles: tuple[tuple[str, str | None], ...] = ()
    """Name of the profile, and of its model; None: of all models."""
    repositories: tuple[str, ...] = ()


def read_completion_names(database: Path) -> CompletionNames:
    """Return the names in a database, also of an older or a newer gglib as far as it has them; empty if unreadable."""
    if not database.is_file():
        return CompletionNames()
    # A reader of a database in WAL mode creates a log, and cannot remove it. Without a log nothing is being written.
    is_immutable = not wal_path(database).exists()
    try:
        with closing(
            connect(database, mode="ro", busy_timeout_s=BUSY_TIMEOUT_S, is_immutable=is_immutable)
        ) as connection:
            spellings = _rows(connection, _NAMES)
            return CompletionNames(
                names=tuple(name for name, position in spellings if position == 0),
                aliases=tuple(name for name, position in spellings if position != 0),
                profiles=tuple((name, model) for name, model in _rows(connection, _PROFILES)),
                repositories=tuple(repository for (repository,) in _rows(connection, _REPOSITORIES)),
            )
    except sqlite3.Error:
        return CompletionNames()


def _rows(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """Return the rows; none if a table is missing."""
    with suppress(sqlite3.Error):
        return connection.execute(query).fetchall()
    return []
