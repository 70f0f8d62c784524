"""Converts between values and the rows of versions, pulls and the home.

Every function runs inside a transaction of its caller, and opens none.
"""

import os
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gglib.core.versions import (
    FileIdentity,
    FileRole,
    HomeIdentity,
    NewVersion,
    OwnFile,
    PullJob,
    Version,
)
from gglib.db.home_paths import HomePaths, StoredPath, encoded
from gglib.db.records import job_from_json, job_to_json, source_from_json, source_to_json
from gglib.db.sqlite_errors import map_row_errors

# Each takes one parameter: the id of a version, or NULL for all.
SELECT_VERSIONS = """
    SELECT id, directory, source, created_at, is_retired FROM versions WHERE ?1 IS NULL OR id = ?1 ORDER BY id
"""
SELECT_FILES = """
    SELECT version_id, path, role, name, device, inode, size_bytes, modified_ns, sha256, validator FROM version_files
    WHERE ?1 IS NULL OR version_id = ?1 ORDER BY version_id, position
"""
SELECT_LOCK_PATHS = """
    SELECT models.version_id, coalesce(versions.directory,
        (SELECT path FROM version_files WHERE version_id = versions.id ORDER BY position LIMIT 1))
    FROM models JOIN versions ON versions.id = models.version_id
"""
HAS_MODEL = "SELECT 1 FROM models WHERE version_id = ? LIMIT 1"


def load_versions(connection: sqlite3.Connection, home: HomePaths) -> list[Version]:
    """Return every version in insertion order."""
    return _load(connection, home, None)


def find_version(connection: sqlite3.Connection, home: HomePaths, version_id: int) -> Version | None:
    """Return one version; None if it does not exist."""
    found = _load(connection, home, version_id)
    return found[0] if found else None


def load_version(connection: sqlite3.Connection, home: HomePaths, version_id: int) -> Version:
    """Return one version, which must exist."""
    return _load(connection, home, version_id)[0]


def load_lock_paths(connection: sqlite3.Connection) -> dict[int, StoredPath]:
    """Return the ``hold_path`` of each version that a model has, in stored form, by the version's id."""
    return dict(connection.execute(SELECT_LOCK_PATHS))


def find_same_version(connection: sqlite3.Connection, home: HomePaths, version: NewVersion) -> int | None:
    """Return the id of the version with the same directory, else with the same files in any order."""
    if version.directory is not None:
        for spelling in home.spellings(version.directory):
            row = connection.execute("SELECT id FROM versions WHERE directory = ?", (spelling,)).fetchone()
            if row is not None:
                return int(row[0])
        return None
    paths = {home.stored(file.path) for file in version.files}
    candidates: set[int] = set()
    for spelling in home.spellings(version.files[0].path):
        candidates.update(
            row[0]
            for row in connection.execute(
                "SELECT version_id FROM version_files JOIN versions ON versions.id = version_id"
                " WHERE path = ? AND directory IS NULL",
                (spelling,),
            )
        )
    for version_id in sorted(candidates):
        known = load_version(connection, home, version_id)
        if {home.stored(file.path) for file in known.files} == paths:
            return version_id
    return None


def insert_version(
    connection: sqlite3.Connection, home: HomePaths, version: NewVersion, *, created_at: int
) -> int:
    """Store a version with its files and return its id."""
    directory = None if version.directory is None else home.stored(version.directory)
    connection.execute(
        "INSERT INTO versions (directory, source, created_at) VALUES (?, ?, ?)",
        (directory, source_to_json(version.source), created_at),
    )
    version_id: int = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    _insert_files(connection, home, version_id, version.files)
    return version_id


def renew_version(
    connection: sqlite3.Connection, home: HomePaths, version_id: int, version: NewVersion
) -> None:
    """Replace the files and the source of a known version by those of ``version``; it is no longer retired."""
    connection.execute(
        "UPDATE versions SET source = ?, is_retired = 0 WHERE id = ?",
        (source_to_json(version.source), version_id),
    )
    connection.execute("DELETE FROM version_files WHERE version_id = ?", (version_id,))
    _insert_files(connection, home, version_id, version.files)


def retire_if_unused(connection: sqlite3.Connection, version_id: int) -> bool:
    """Retire a version that no model has; return whether it is unused."""
    if connection.execute(HAS_MODEL, (version_id,)).fetchone() is not None:
        return False
    connection.execute("UPDATE versions SET is_retired = 1 WHERE id = ? AND NOT is_retired", (version_id,))
    return True


def unretire_version(connection: sqlite3.Connection, version_id: int) -> None:
    """Undo the retirement of a version."""
    connection.execute("UPDATE versions SET is_retired = 0 WHERE id = ? AND is_retired", (version_id,))


def delete_files(
    connection: sqlite3.Connection, home: HomePaths, version_id: int, paths: Iterable[Path]
) -> None:
    """Delete files of a version, and the version with the last of them."""
    connection.executemany(
        "DELETE FROM version_files WHERE version_id = ? AND path = ?",
        [(version_id, spelling) for path in paths for spelling in home.spellings(path)],
    )
    connection.execute(
        "DELETE FROM versions WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM version_files WHERE version_id = ?1)",
        (version_id,),
    )


def update_identities(
    connection: sqlite3.Connection, home: HomePaths, identities: Mapping[Path, FileIdentity]
) -> None:
    """Record the current identities of files, in every version that has them."""
    connection.executemany(
        "UPDATE version_files SET device = ?, inode = ?, size_bytes = ?, modified_ns = ? WHERE path = ?",
        [
            (*_identity_columns(identity), spelling)
            for path, identity in identities.items()
            for spelling in home.spellings(path)
        ],
    )


def forget_identities(connection: sqlite3.Connection) -> None:
    """Delete every device and inode: they belong to another file system."""
    connection.execute("UPDATE version_files SET device = NULL, inode = NULL")


def load_pulls(connection: sqlite3.Connection, home: HomePaths) -> list[PullJob]:
    """Return the unfinished pulls, by name."""
    with map_row_errors():
        jobs = [job_from_json(text, home) for (text,) in connection.execute("SELECT job FROM pulls")]
    return sorted(jobs, key=lambda job: (job.name, job.key))


def upsert_pull(connection: sqlite3.Connection, home: HomePaths, job: PullJob) -> None:
    """Record a pull; replaces a record with the same key."""
    connection.execute(
        "INSERT OR REPLACE INTO pulls (key, job) VALUES (?, ?)", (job.key, job_to_json(job, home))
    )


def delete_pulls(connection: sqlite3.Connection, key: str | None = None) -> None:
    """Delete the record of a pull; None: of all."""
    connection.execute("DELETE FROM pulls WHERE ?1 IS NULL OR key = ?1", (key,))


def load_home(connection: sqlite3.Connection) -> HomeIdentity | None:
    """Return the recorded identity of the home."""
    row = connection.execute("SELECT id, device, inode, models_device, models_inode FROM home").fetchone()
    if row is None:
        return None
    device, inode, models_device, models_inode = map(int, row[1:])
    return HomeIdentity(
        id=row[0], device=device, inode=inode, models_device=models_device, models_inode=models_inode
    )


def replace_home(connection: sqlite3.Connection, home: HomeIdentity) -> None:
    """Record the identity of the home."""
    connection.execute("DELETE FROM home")
    connection.execute(
        "INSERT INTO home (id, device, inode, models_device, models_inode) VALUES (?, ?, ?, ?, ?)",
        (home.id, str(home.device), str(home.inode), str(home.models_device), str(home.models_inode)),
    )


def existing_versions(connection: sqlite3.Connection, version_ids: Collection[int]) -> list[int]:
    """Return the ids that are versions, in order."""
    known = {row[0] for row in connection.execute("SELECT id FROM versions")}
    return sorted(known.intersection(version_ids))


def _load(connection: sqlite3.Connection, home: HomePaths, version_id: int | None) -> list[Version]:
    rows = connection.execute(SELECT_VERSIONS, (version_id,)).fetchall()
    files: dict[int, list[OwnFile]] = {row[0]: [] for row in rows}
    with map_row_errors():
        for owner_id, *columns in connection.execute(SELECT_FILES, (version_id,)):
            files[owner_id].append(_file(columns, home))
        return [
            Version(
                id=row[0],
                directory=home.optional_path(row[1]),
                source=source_from_json(row[2]),
                created_at=row[3],
                is_retired=bool(row[4]),
                files=tuple(files[row[0]]),
            )
            for row in rows
        ]


def _file(columns: Sequence[Any], home: HomePaths) -> OwnFile:
    path, role, name, device, inode, size_bytes, modified_ns, sha256, validator = columns
    return OwnFile(
        path=home.path(path),
        role=FileRole(role),
        name=os.fsdecode(name),
        identity=FileIdentity(
            device=None if device is None else int(device),
            inode=None if inode is None else int(inode),
            size_bytes=size_bytes,
            modified_ns=modified_ns,
        ),
        sha256=sha256,
        validator=validator,
    )


def _insert_files(
    connection: sqlite3.Connection, home: HomePaths, version_id: int, files: Sequence[OwnFile]
) -> None:
    connection.executemany(
        "INSERT INTO version_files (version_id, position, path, role, name, device, inode, size_bytes, modified_ns,"
        " sha256, validator) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                version_id,
                position,
                home.stored(file.path),
                file.role.value,
                encoded(file.name),
                *_identity_columns(file.identity),
                file.sha256,
                file.validator,
            )
            for position, file in enumerate(files)
        ],
    )


def _identity_columns(identity: FileIdentity) -> tuple[str | None, str | None, int, int | None]:
    return (
        None if identity.device is None else str(identity.device),
        None if identity.inode is None else str(identity.inode),
        identity.size_bytes,
        identity.modified_ns,
    )
