"""What the tables of versions, pulls and the home mean: rows become values, and values rows.

Every function works inside a transaction that its caller has begun, and opens none.
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
from gglib.db.records import job_of, job_text, source_of, source_text
from gglib.db.sqlite_errors import damaged

# Each takes one parameter: the id of the version that is wanted, or NULL for all.
SELECT_VERSIONS = """
    SELECT id, directory, source, created_at, is_retired FROM versions WHERE ?1 IS NULL OR id = ?1 ORDER BY id
"""
SELECT_FILES = """
    SELECT version_id, path, role, name, device, inode, size_bytes, modified_ns, sha256, validator FROM version_files
    WHERE ?1 IS NULL OR version_id = ?1 ORDER BY version_id, position
"""
SELECT_HOLDS = """
    SELECT models.version_id, coalesce(versions.directory,
        (SELECT path FROM version_files WHERE version_id = versions.id ORDER BY position LIMIT 1))
    FROM models JOIN versions ON versions.id = models.version_id
"""
HAS_MODEL = "SELECT 1 FROM models WHERE version_id = ? LIMIT 1"


def load_versions(connection: sqlite3.Connection, home: HomePaths) -> list[Version]:
    """Return every version in the order in which they were entered."""
    return _load(connection, home, None)


def find_version(connection: sqlite3.Connection, home: HomePaths, version_id: int) -> Version | None:
    """Return one version; None where it is gone."""
    found = _load(connection, home, version_id)
    return found[0] if found else None


def load_version(connection: sqlite3.Connection, home: HomePaths, version_id: int) -> Version:
    """Return one version, which must exist."""
    return _load(connection, home, version_id)[0]


def load_holds(connection: sqlite3.Connection) -> dict[int, StoredPath]:
    """Return the ``hold_path`` of each version that a model has, as it is stored, by the version's id."""
    return dict(connection.execute(SELECT_HOLDS))


def same_version(connection: sqlite3.Connection, home: HomePaths, version: NewVersion) -> int | None:
    """Return the id of the version that is known already: by its directory, else by its files, in any order."""
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
        (directory, source_text(version.source), created_at),
    )
    version_id: int = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    _insert_files(connection, home, version_id, version.files)
    return version_id


def renew_version(
    connection: sqlite3.Connection, home: HomePaths, version_id: int, version: NewVersion
) -> None:
    """Give a known version the files and the source of ``version``; it is not retired any more."""
    connection.execute(
        "UPDATE versions SET source = ?, is_retired = 0 WHERE id = ?",
        (source_text(version.source), version_id),
    )
    connection.execute("DELETE FROM version_files WHERE version_id = ?", (version_id,))
    _insert_files(connection, home, version_id, version.files)


def retire_if_unused(connection: sqlite3.Connection, version_id: int) -> bool:
    """Retire a version that no model has; return whether none has it."""
    if connection.execute(HAS_MODEL, (version_id,)).fetchone() is not None:
        return False
    connection.execute("UPDATE versions SET is_retired = 1 WHERE id = ? AND NOT is_retired", (version_id,))
    return True


def keep_version(connection: sqlite3.Connection, version_id: int) -> None:
    """Take it back that a version was retired."""
    connection.execute("UPDATE versions SET is_retired = 0 WHERE id = ? AND is_retired", (version_id,))


def delete_files(
    connection: sqlite3.Connection, home: HomePaths, version_id: int, paths: Iterable[Path]
) -> None:
    """Forget files of a version, and the version with the last of them."""
    connection.executemany(
        "DELETE FROM version_files WHERE version_id = ? AND path = ?",
        [(version_id, spelling) for path in paths for spelling in home.spellings(path)],
    )
    connection.execute(
        "DELETE FROM versions WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM version_files WHERE version_id = ?1)",
        (version_id,),
    )


def note_identities(
    connection: sqlite3.Connection, home: HomePaths, identities: Mapping[Path, FileIdentity]
) -> None:
    """Record how files are known now, in every version that has them."""
    connection.executemany(
        "UPDATE version_files SET device = ?, inode = ?, size_bytes = ?, modified_ns = ? WHERE path = ?",
        [
            (*_identity_columns(identity), spelling)
            for path, identity in identities.items()
            for spelling in home.spellings(path)
        ],
    )


def forget_identities(connection: sqlite3.Connection) -> None:
    """Forget every device and inode: they are of another place."""
    connection.execute("UPDATE version_files SET device = NULL, inode = NULL")


def load_pulls(connection: sqlite3.Connection, home: HomePaths) -> list[PullJob]:
    """Return the pulls that have not ended, by name."""
    with damaged():
        jobs = [job_of(text, home) for (text,) in connection.execute("SELECT job FROM pulls")]
    return sorted(jobs, key=lambda job: (job.name, job.key))


def put_pull(connection: sqlite3.Connection, home: HomePaths, job: PullJob) -> None:
    """Record a pull in the place of an older record of its key."""
    connection.execute(
        "INSERT OR REPLACE INTO pulls (key, job) VALUES (?, ?)", (job.key, job_text(job, home))
    )


def delete_pulls(connection: sqlite3.Connection, key: str | None = None) -> None:
    """Forget a pull; None: all."""
    connection.execute("DELETE FROM pulls WHERE ?1 IS NULL OR key = ?1", (key,))


def load_home(connection: sqlite3.Connection) -> HomeIdentity | None:
    """Return what the catalogue was last used as."""
    row = connection.execute("SELECT id, device, inode, models_device, models_inode FROM home").fetchone()
    if row is None:
        return None
    device, inode, models_device, models_inode = map(int, row[1:])
    return HomeIdentity(
        id=row[0], device=device, inode=inode, models_device=models_device, models_inode=models_inode
    )


def replace_home(connection: sqlite3.Connection, home: HomeIdentity) -> None:
    """Record what the catalogue is used as."""
    connection.execute("DELETE FROM home")
    connection.execute(
        "INSERT INTO home (id, device, inode, models_device, models_inode) VALUES (?, ?, ?, ?, ?)",
        (home.id, str(home.device), str(home.inode), str(home.models_device), str(home.models_inode)),
    )


def existing(connection: sqlite3.Connection, version_ids: Collection[int]) -> list[int]:
    """Return those of the ids that are versions, in order."""
    known = {row[0] for row in connection.execute("SELECT id FROM versions")}
    return sorted(known.intersection(version_ids))


def _load(connection: sqlite3.Connection, home: HomePaths, version_id: int | None) -> list[Version]:
    rows = connection.execute(SELECT_VERSIONS, (version_id,)).fetchall()
    files: dict[int, list[OwnFile]] = {row[0]: [] for row in rows}
    with damaged():
        for owner_id, *columns in connection.execute(SELECT_FILES, (version_id,)):
            files[owner_id].append(_file(columns, home))
        return [
            Version(
                id=row[0],
                directory=home.optional_path(row[1]),
                source=source_of(row[2]),
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
