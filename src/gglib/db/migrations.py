"""How the database came to have its tables. A released migration is never edited: add one behind it."""

import sqlite3
from collections.abc import Sequence

from gglib.core.errors import CatalogError

# 1: names and aliases share one table because they share one namespace: ``folded`` is what ignoring case means,
# and position 0 is the name. AUTOINCREMENT, because a client may go on asking for the id of a removed model.
# In the tables without a rowid the key's columns come first: where they do not, integrity_check of SQLite 3.40
# reports NULLs that are not there.
CREATE_CATALOGUE = """
CREATE TABLE models (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    description TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    parameter_count INTEGER,
    quantization TEXT,
    trained_context INTEGER,
    block_count INTEGER,
    embedding_length INTEGER,
    head_count INTEGER,
    head_count_kv INTEGER,
    key_length INTEGER,
    value_length INTEGER,
    vocabulary_size INTEGER,
    can_chat INTEGER NOT NULL,
    can_use_tools INTEGER NOT NULL,
    can_reason INTEGER NOT NULL,
    can_see INTEGER NOT NULL,
    can_embed INTEGER NOT NULL,
    chat_template_sha256 TEXT,
    source_repo TEXT,
    source_revision TEXT,
    source_file TEXT,
    source_sha256 TEXT,
    context INTEGER,
    engine_args TEXT NOT NULL, -- a JSON array of strings
    idle_ttl_s REAL,
    added_at INTEGER NOT NULL -- Unix time in seconds
);
CREATE TABLE names (
    folded TEXT PRIMARY KEY,
    spelling TEXT NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    UNIQUE (model_id, position)
) WITHOUT ROWID;
CREATE TABLE model_paths (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path NOT NULL UNIQUE, -- TEXT, or a BLOB where the path is not valid Unicode
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
CREATE TABLE tags (
    model_id INTEGER NOT NULL REFERENCES models ON DELETE CASCADE,
    position INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (model_id, position)
) WITHOUT ROWID;
"""

# 2: what a model from a hub brings, and when a model was used. A projector is no row of model_paths: the quantizations
# of one repository share one. Until now gglib downloaded the starter alone: it has a hash and no repository.
# ``edition`` is another number after every change but those in ``uses``: who reads has to read the models again for the
# former, and one small table for the latter, which change once a minute. A random number, because a backup that was put
# back and went its own way must not count up to one that was seen. Triggers, so that no writer can forget it.
NEW_EDITIONS = "".join(
    f"CREATE TRIGGER {table}_{verb} AFTER {verb} ON {table} BEGIN UPDATE edition SET number = random(); END;"  # noqa: S608 - constants
    for table in ("models", "names", "model_paths", "tags")
    for verb in ("insert", "update", "delete")
)
KEEP_SOURCES_AND_USES = f"""
ALTER TABLE models ADD COLUMN source_origin TEXT;
ALTER TABLE models ADD COLUMN projector; -- TEXT, or a BLOB where the path is not valid Unicode
ALTER TABLE models ADD COLUMN projector_sha256 TEXT;
ALTER TABLE models ADD COLUMN is_downloaded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE model_paths ADD COLUMN sha256 TEXT;
UPDATE models SET source_origin = 'starter', is_downloaded = 1
    WHERE source_sha256 IS NOT NULL AND source_repo IS NULL;
UPDATE model_paths SET sha256 = (SELECT source_sha256 FROM models WHERE id = model_id) WHERE position = 0;
CREATE TABLE uses (
    model_id INTEGER PRIMARY KEY REFERENCES models ON DELETE CASCADE,
    used_at INTEGER NOT NULL -- Unix time in seconds
);
CREATE TABLE edition (number INTEGER NOT NULL);
INSERT INTO edition VALUES (random());
{NEW_EDITIONS}
"""  # noqa: S608 - constants

# 3: rerankers, and what a model is served as where the user says it. ``pooling`` of rows written before is NULL: not
# known, so the engine goes by the header.
KEEP_KINDS = """
ALTER TABLE models ADD COLUMN can_rerank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE models ADD COLUMN pooling TEXT; -- mean, cls, last or rank
ALTER TABLE models ADD COLUMN kind TEXT; -- chat, embedding or rerank; NULL: as the header says
"""

MIGRATIONS: tuple[str, ...] = (CREATE_CATALOGUE, KEEP_SOURCES_AND_USES, KEEP_KINDS)


def is_current(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> bool:
    """Whether no migration is missing; raises ``CatalogError`` for a database newer than this program."""
    version = _version(connection)
    if version > len(migrations):
        raise CatalogError(
            f"The catalogue was written by a newer gglib (format {version}; this one knows {len(migrations)}):"
            " upgrade gglib, and restart it if it runs."
        )
    return version == len(migrations)


def require_current(connection: sqlite3.Connection) -> None:
    """Raise ``CatalogError`` for a database that this program cannot read as it is."""
    if not is_current(connection):
        raise CatalogError("The catalogue was replaced by one of an older gglib: restart gglib.")


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Apply what is missing, each migration and its number in one transaction.

    The connection must be in autocommit mode. Raises ``CatalogError`` for a database that is newer, or another's.
    """
    if is_current(connection, migrations):
        return
    _refuse_foreign(connection)
    for number, migration in enumerate(migrations, start=1):
        if number > _version(connection):
            _apply(connection, number, migration)


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _refuse_foreign(connection: sqlite3.Connection) -> None:
    has_tables = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
    if has_tables and _version(connection) == 0:
        raise CatalogError(
            "The catalogue's file belongs to another program: move it away, or use another GGLIB_HOME."
        )


def _apply(connection: sqlite3.Connection, number: int, migration: str) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {migration}; PRAGMA user_version = {number}; COMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
