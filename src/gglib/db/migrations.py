"""The migrations that create and change the tables. A released migration is never edited: append a new one."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from gglib.core.errors import CatalogError
from gglib.db.home_paths import HomePaths, StoredPath
from gglib.db.wal_identity import NO_COMMIT, STAMP_PREFIX

# 1: names and aliases share one table because they share one namespace: ``folded`` is the case-folded spelling,
# and position 0 is the name. AUTOINCREMENT, because clients may keep using the id of a removed model.
# In the tables without a rowid the key's columns come first: otherwise integrity_check of SQLite 3.40
# reports NULLs that do not exist.
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

# 2: the source of a downloaded model, and when a model was used. A projector is no row of model_paths: quantizations
# of one repository share one. Before this format gglib downloaded only the starter: it has a hash and no repository.
# ``edition`` (the revision of the models) changes with every change except those in ``uses``: readers reload the
# models for the former, and one small table for the latter, which change once a minute. A random number, because a
# counter could repeat a known value after a backup was restored and changed. Triggers, so that no writer can omit it.
MODEL_TRIGGERS = "".join(
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
{MODEL_TRIGGERS}
"""  # noqa: S608 - constants

# 3: rerankers, and the kind that the user sets for a model. ``pooling`` of older rows is NULL: unknown, so the engine
# reads it from the header.
KEEP_KINDS = """
ALTER TABLE models ADD COLUMN can_rerank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE models ADD COLUMN pooling TEXT; -- mean, cls, last or rank
ALTER TABLE models ADD COLUMN kind TEXT; -- chat, embedding or rerank; NULL: as the header says
"""

# 4: versions, the files that gglib wrote, and unfinished pulls. From here on paths below the home are stored relative
# to it (``home_paths``); older rows are converted here. OR IGNORE, because a home that is reached through a link could
# have one file under two spellings: the second row keeps its own. Paths of files may repeat, because quantizations
# share a projector in homes of older formats. Devices and inodes are TEXT: on some file systems they are unsigned
# 64-bit numbers, and INTEGER holds 63 bits. ``is_downloaded`` of ``models`` is set by older gglibs on rows without a
# version. Pulls and the home do not affect models: they have no triggers.
VERSION_TRIGGERS = "".join(
    f"CREATE TRIGGER {table}_{verb} AFTER {verb} ON {table} BEGIN UPDATE edition SET number = random(); END;"  # noqa: S608 - constants
    for table in ("versions", "version_files")
    for verb in ("insert", "update", "delete")
)
KEEP_VERSIONS = f"""
CREATE TABLE home (
    id TEXT NOT NULL,
    device TEXT NOT NULL,
    inode TEXT NOT NULL,
    models_device TEXT NOT NULL,
    models_inode TEXT NOT NULL
);
CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    directory, -- TEXT or BLOB, as of paths; NULL: the files lie among others
    source TEXT NOT NULL, -- a JSON object, as of ``ModelSource``
    created_at INTEGER NOT NULL, -- Unix time in seconds
    is_retired INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE version_files (
    version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path NOT NULL, -- TEXT, or a BLOB where the path is not valid Unicode
    role TEXT NOT NULL, -- model or projector
    name NOT NULL, -- TEXT or BLOB, as of paths
    device TEXT, -- NULL, as the inode: not known any more
    inode TEXT,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER,
    sha256 TEXT,
    validator TEXT,
    PRIMARY KEY (version_id, position)
) WITHOUT ROWID;
CREATE INDEX version_files_path ON version_files (path);
CREATE TABLE pulls (
    key TEXT PRIMARY KEY,
    job TEXT NOT NULL -- a JSON object, as of ``PullJob``
) WITHOUT ROWID;
ALTER TABLE models ADD COLUMN version_id INTEGER REFERENCES versions ON DELETE SET NULL;
ALTER TABLE models ADD COLUMN source_asked_revision TEXT;
ALTER TABLE models ADD COLUMN source_url TEXT;
CREATE INDEX models_version ON models (version_id);
UPDATE OR IGNORE model_paths SET path = stored_path(path);
UPDATE models SET projector = stored_path(projector) WHERE projector IS NOT NULL;
{VERSION_TRIGGERS}
"""  # noqa: S608 - constants

# 5: every transaction writes a new random id and the previous one (see ``wal_identity``), of fixed length: the page of
# this table proves that a log belongs to a database file. ``STAMP_COMMIT`` is not a trigger: a transaction of several
# statements would write ids that no database file ever had. The trigger makes changes of other programs write the
# page, too, with the stamp unchanged.
KEEP_COMMIT_ID = f"""
CREATE TABLE state (stamp TEXT NOT NULL, touched TEXT NOT NULL);
INSERT INTO state VALUES ('{STAMP_PREFIX}' || hex(randomblob(8)) || ' {NO_COMMIT}', hex(randomblob(8)));
CREATE TRIGGER edition_update AFTER UPDATE ON edition BEGIN UPDATE state SET touched = hex(randomblob(8)); END;
"""  # noqa: S608 - constants
STAMP_COMMIT = f"""
UPDATE state
SET stamp = '{STAMP_PREFIX}' || hex(randomblob(8)) || ' ' || substr(stamp, {len(STAMP_PREFIX) + 1}, {len(NO_COMMIT)})
"""  # noqa: S608 - constants

# 6: the measured memory of launches. It changes no model: there are no triggers.
KEEP_PEAKS = """
CREATE TABLE memory_peaks (
    key TEXT PRIMARY KEY, -- a hash of the content and the launch options
    size TEXT NOT NULL, -- a JSON object: bytes by device
    updated_at INTEGER NOT NULL -- Unix time in seconds
) WITHOUT ROWID;
"""

# 7: pins, and the priority of the requests for a model.
KEEP_PINS_AND_PRIORITIES = """
ALTER TABLE models ADD COLUMN is_pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE models ADD COLUMN priority TEXT; -- interactive or batch; NULL: the default
"""

# 8: profiles of one model, or of all (NULL): UNIQUE takes NULLs as different, so the index replaces it by an id that no
# model has. Readers reload them with the models.
PROFILE_TRIGGERS = "".join(
    f"CREATE TRIGGER profiles_{verb} AFTER {verb} ON profiles BEGIN UPDATE edition SET number = random(); END;"  # noqa: S608 - constants
    for verb in ("insert", "update", "delete")
)
KEEP_PROFILES = f"""
CREATE TABLE profiles (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    folded TEXT NOT NULL, -- the case-folded name
    model_id INTEGER REFERENCES models ON DELETE CASCADE,
    description TEXT NOT NULL,
    system TEXT,
    defaults TEXT NOT NULL, -- a JSON object
    template_kwargs TEXT NOT NULL, -- a JSON object
    strip TEXT NOT NULL -- a JSON array of strings
);
CREATE UNIQUE INDEX profiles_name ON profiles (folded, ifnull(model_id, 0));
CREATE INDEX profiles_model ON profiles (model_id);
{PROFILE_TRIGGERS}
"""

# 9: backends other than llama.cpp, and what only the command line sets for an engine.
KEEP_BACKENDS = """
ALTER TABLE models ADD COLUMN backend TEXT; -- a JSON object (see ``backend_rows``); NULL: llama.cpp
ALTER TABLE models ADD COLUMN environment TEXT NOT NULL DEFAULT '{}'; -- a JSON object
ALTER TABLE models ADD COLUMN extra_args TEXT NOT NULL DEFAULT '[]'; -- a JSON array of strings
"""

# 10: whether the prompts of a model are kept while it is not in memory.
KEEP_CONVERSATIONS = """
ALTER TABLE models ADD COLUMN keep_conversations INTEGER; -- 0 or 1; NULL: the default
"""

MIGRATIONS: tuple[str, ...] = (
    CREATE_CATALOGUE,
    KEEP_SOURCES_AND_USES,
    KEEP_KINDS,
    KEEP_VERSIONS,
    KEEP_COMMIT_ID,
    KEEP_PEAKS,
    KEEP_PINS_AND_PRIORITIES,
    KEEP_PROFILES,
    KEEP_BACKENDS,
    KEEP_CONVERSATIONS,
)


def is_current(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> bool:
    """Whether no migration is missing. Raises ``CatalogError`` for a database of a newer gglib."""
    version = _version(connection)
    if version > len(migrations):
        raise CatalogError(
            f"The catalogue was written by a newer gglib (format {version}; this one knows {len(migrations)}):"
            " upgrade gglib, and restart it if it runs."
        )
    return version == len(migrations)


def require_current(connection: sqlite3.Connection) -> None:
    """Raise ``CatalogError`` for a database that must be migrated first, or is newer."""
    if not is_current(connection):
        raise CatalogError("The catalogue was replaced by one from an older gglib: restart gglib.")


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS, *, home: Path | None = None
) -> None:
    """Apply the missing migrations, each with its number in one transaction.

    ``home`` becomes the base of stored paths; None: they stay unchanged. The connection must be in autocommit mode.
    Raises ``CatalogError`` for a database that is newer, or belongs to another program.
    """
    if is_current(connection, migrations):
        return
    _refuse_foreign(connection)
    converted = _unchanged if home is None else HomePaths(home).converted
    connection.create_function("stored_path", 1, converted, deterministic=True)
    for number, migration in enumerate(migrations, start=1):
        if number > _version(connection):
            _apply(connection, number, migration)


def _unchanged(path: StoredPath | None) -> StoredPath | None:
    return path


def has_stamps(connection: sqlite3.Connection) -> bool:
    """Whether transactions of this database are stamped, as since ``KEEP_COMMIT_ID``."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone() is not None


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _refuse_foreign(connection: sqlite3.Connection) -> None:
    has_tables = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
    if has_tables and _version(connection) == 0:
        raise CatalogError(
            "The catalogue file belongs to another program: move it away, or use another GGLIB_HOME."
        )


def _apply(connection: sqlite3.Connection, number: int, migration: str) -> None:
    stamp = STAMP_COMMIT if has_stamps(connection) else ""
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE; {migration}; {stamp}; PRAGMA user_version = {number}; COMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
