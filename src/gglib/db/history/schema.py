"""The tables of the history, and the migrations that create them. A released migration is never edited: append one."""

import sqlite3
from collections.abc import Sequence

from gglib.core.errors import HistoryError

APPLICATION_ID = 0x67676C68
"""``gglh``: marks the file as a request history (https://sqlite.org/pragma.html#pragma_application_id)."""

# 1: a row has numbers only; texts are ids of ``names``, where 0 is no text. No index has an entry for each row: random
# inserts into one would cost more than everything else. Instead ``blocks`` has, for some 500 rows, what occurs in them
# (see ``marks``): a search reads all of it, about a megabyte for a million rows, and then the blocks that may have rows
# that fit. The request ids of a block are one text (see ``request_ids``).
# Blocks without their oldest rows begin at ``first_id``. ``state.next_id`` makes numbers unique for good, also when all
# rows are deleted.
CREATE_HISTORY = f"""
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
INSERT INTO names VALUES (0, '');
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    ended_ms INTEGER NOT NULL, -- since the epoch
    duration_us INTEGER NOT NULL,
    status INTEGER NOT NULL, -- 0: none
    is_streamed INTEGER NOT NULL,
    route INTEGER NOT NULL, -- from here to ``node``: ids of names
    model INTEGER NOT NULL,
    requested_model INTEGER NOT NULL,
    profile INTEGER NOT NULL,
    key INTEGER NOT NULL,
    client INTEGER NOT NULL,
    address INTEGER NOT NULL,
    error INTEGER NOT NULL,
    error_message INTEGER NOT NULL,
    swap INTEGER NOT NULL,
    node INTEGER NOT NULL,
    waited_us INTEGER,
    first_byte_us INTEGER,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cached_tokens INTEGER,
    centitokens_per_s INTEGER,
    count INTEGER NOT NULL -- requests that the row stands for
);
CREATE TABLE blocks (
    block INTEGER PRIMARY KEY,
    first_id INTEGER NOT NULL,
    oldest_ms INTEGER NOT NULL,
    newest_ms INTEGER NOT NULL,
    longest_us INTEGER NOT NULL,
    has_capitals INTEGER NOT NULL, -- whether a request id has capital letters
    marks TEXT NOT NULL -- at least what occurs in its rows; a blank before and after each
);
CREATE TABLE block_request_ids (
    block INTEGER PRIMARY KEY,
    prefix BLOB NOT NULL, -- common to all
    lines BLOB NOT NULL -- the rest of each, in UTF-8; a line feed before and after each
);
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY,
    request BLOB NOT NULL, -- zlib
    response BLOB NOT NULL,
    is_request_cut INTEGER NOT NULL,
    is_response_cut INTEGER NOT NULL
);
CREATE TABLE usage (
    hour INTEGER NOT NULL, -- its start in seconds since the epoch
    key INTEGER NOT NULL,
    model INTEGER NOT NULL,
    client INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    busy_us INTEGER NOT NULL,
    PRIMARY KEY (hour, key, model, client)
) WITHOUT ROWID;
CREATE TABLE state (next_id INTEGER NOT NULL);
INSERT INTO state VALUES (1);
"""  # noqa: S608 - constants

MIGRATIONS: tuple[str, ...] = (CREATE_HISTORY,)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the format's number; 0 for an empty file. Raises HistoryError if it is newer or of another program."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    has_tables = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
    if application != APPLICATION_ID and (has_tables or version or application):
        raise HistoryError(
            "The file history.db belongs to another program: move it away, or use another GGLIB_HOME."
        )
    if version > len(MIGRATIONS):
        raise HistoryError(
            f"The request history was written by a newer gglib (format {version}; this one knows "
            f"{len(MIGRATIONS)}): upgrade gglib, or move history.db away."
        )
    return version


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Apply the missing migrations, each with its number in one transaction. The connection is in autocommit mode."""
    for number in range(version_of(connection) + 1, len(migrations) + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {migrations[number - 1]}; PRAGMA user_version = {number}; COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise
