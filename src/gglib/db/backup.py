"""Backup and restore of the catalogue, with SQLite's own means, while other processes use it.

A backup is one file without a write-ahead log, with its own commit id. No log ever belonged to the file: if one
lies beside it, where it is copied over a database, the log belongs to the old database (see ``wal_identity``).
"""

import os
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gglib.core.errors import CatalogError
from gglib.core.models import ModelSummary
from gglib.db.connections import open_reader, truncate_wal
from gglib.db.home_paths import HomePaths
from gglib.db.lock import exclusive, lock_path
from gglib.db.migrations import MIGRATIONS, STAMP_COMMIT, has_stamps, migrate
from gglib.db.rows import load_models
from gglib.db.sqlite_connection import connect
from gglib.db.sqlite_errors import (
    MESSAGES,
    MissingRowsError,
    map_sqlite_errors,
    primary_code,
)
from gglib.db.wal_identity import NO_COMMIT, FileKind, WalOrigin, origin_of, parse_wal
from gglib.db.wal_repair import (
    copy_in_memory,
    is_broken_by_wal,
    is_intact,
    load_with_wal,
    load_without_wal,
    read_commit,
    read_file,
    read_wal,
    repair,
    repair_locked,
    wal_path,
    write_image,
    write_new_file,
)
from gglib.system.files.durable import sync
from gglib.system.files.kept_files import date_text, unused_path

OWN_TABLES = frozenset({"models", "names", "model_paths", "tags"})
"""Tables of every format of the catalogue."""

FORMAT_VERSIONS_OFFSET = 18
"""Offset of the read and write versions in the header of a database."""
WAL_FORMAT_VERSIONS = b"\x02\x02"

BEFORE = ".before-restore-"
"""Between the catalogue's name and the date: the catalogue as it was before a restore."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A written backup."""

    path: Path
    models: tuple[str, ...]
    """The names of its models."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored catalogue."""

    models: tuple[ModelSummary, ...]
    before: Path | None
    """The file with the previous catalogue; None if there was none."""


def back_up(path: Path, target: Path, *, is_forced: bool = False) -> Backup:
    """Write the catalogue at ``path`` to the file ``target``, atomically; servers may keep using it.

    Replaces an older backup; any other file only if ``is_forced``. Raises ``CatalogError``.
    """
    if not path.exists():
        raise CatalogError("There is no catalogue to back up: 'gglib up' creates one.", path=path)
    target = writable_target(path, target, is_forced=is_forced)
    with map_sqlite_errors(path):
        repair(path)
        with closing(open_reader(path)) as reader:
            image = copy_in_memory(reader)
        truncate_wal(path)
    with closing(image):
        with map_sqlite_errors(path):
            _require_intact(image)
            names = _names(image)
        with _map_errors_of(target):
            _write_file(image, target)
            return Backup(target, names, target.stat().st_size)


def writable_target(
    path: Path, target: Path, *, is_forced: bool, is_backup: Callable[[Path], bool] = lambda _: False
) -> Path:
    """Return ``target`` without links, if a backup of the catalogue at ``path`` may be written to it.

    ``is_backup`` recognises other backups that may be replaced. Raises ``CatalogError``.
    """
    with _map_errors_of(target):
        target = target.resolve()
        _check_target(path, target, is_forced=is_forced, is_backup=is_backup)
        return target


def check_backup(source: Path, home: Path) -> tuple[ModelSummary, ...]:
    """Return the models of a backup, with paths below ``home``. Raises ``CatalogError`` as ``restore`` does."""
    with _map_errors_of(source):
        image = _read_source(source)
        with closing(image):
            return _require_catalogue(image, source, home)


def restore(path: Path, source: Path) -> Restored:
    """Replace the content of the catalogue at ``path`` by the backup ``source``; running servers see the change.

    The previous catalogue is kept beside it. Raises ``CatalogError``; then nothing has changed.
    """
    with _map_errors_of(source):
        _check_source(path, source)
        image = _read_source(source)
    with closing(image):
        with _map_errors_of(source):
            models = _require_catalogue(image, source, path.parent)
        with map_sqlite_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(lock_path(path)):
                return Restored(models, _restore_image(image, path))


def _restore_image(image: sqlite3.Connection, path: Path) -> Path | None:
    with suppress(sqlite3.DatabaseError, CatalogError):  # a damaged file cannot be repaired, and is replaced
        repair_locked(path)
    try:
        before, previous_id, page_size = _save_current(path)
    except sqlite3.DatabaseError:
        before = _save_damaged(path)
        try:
            write_image(image, path, previous_id=NO_COMMIT)
        except sqlite3.DatabaseError:
            _replace_damaged(image, path)
        return before
    with _with_page_size(image, page_size) as fitting:
        write_image(fitting, path, previous_id=previous_id)
    return before


def _save_current(path: Path) -> tuple[Path | None, str, int]:
    """Save the catalogue beside itself. Return the file, its last commit, and its page size in bytes."""
    if read_file(path).kind is FileKind.EMPTY:
        with closing(connect(path, mode="rwc")) as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            return None, NO_COMMIT, connection.execute("PRAGMA page_size").fetchone()[0]
    with closing(open_reader(path)) as reader:
        commit_id, _ = read_commit(reader)
        page_size: int = reader.execute("PRAGMA page_size").fetchone()[0]
        image = copy_in_memory(reader)
    with closing(image):
        _require_intact(image)
        before = unused_path(path, BEFORE)
        _write_file(image, before)
    return before, commit_id, page_size


def _save_damaged(path: Path) -> Path:
    """Copy the file unchanged. No connection of this process is open, so reading it drops no lock of SQLite."""
    return write_new_file(path, BEFORE + date_text(), path.read_bytes())


def _replace_damaged(image: sqlite3.Connection, path: Path) -> None:
    """Replace a file that SQLite cannot write to, and move its log out of the way."""
    real = path.resolve()
    log = wal_path(path)
    if log.exists():
        log.replace(unused_path(path, "-wal.set-aside-"))
    log.with_name(f"{real.name}-shm").unlink(missing_ok=True)
    _write_file(image, real)


def _check_target(path: Path, target: Path, *, is_forced: bool, is_backup: Callable[[Path], bool]) -> None:
    """Raise ``CatalogError`` if ``target``, which has no links in it, must not be written."""
    real = path.resolve()
    if target == real or target in {
        real.with_name(real.name + end) for end in ("-wal", "-shm", ".lock", ".reserve")
    }:
        raise _file_error(target, "is the catalogue itself: name another file")
    if wal_path(target).exists():
        raise _file_error(
            target,
            f"has a write-ahead log beside it ({wal_path(target).name}): name another file",
        )
    try:
        status = target.lstat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise _file_error(target, "is in a directory that does not exist: create it first") from None
        return
    if not stat.S_ISREG(status.st_mode):
        raise _file_error(target, "is not a regular file: name another file")
    if not is_forced and not _is_catalogue(target) and not is_backup(target):
        raise _file_error(target, "is not a gglib backup: name another file, or overwrite it with --force")


def _check_source(path: Path, source: Path) -> None:
    """Raise ``CatalogError`` if ``source`` cannot be a backup of the catalogue."""
    try:
        status = source.stat()
    except FileNotFoundError:
        raise _file_error(source, "does not exist: name a file that 'gglib backup' wrote") from None
    if not stat.S_ISREG(status.st_mode):
        raise _file_error(source, "is not a regular file: name a file that 'gglib backup' wrote")
    if path.exists() and os.path.samestat(status, path.stat()):
        raise _file_error(source, "is the catalogue itself: name a backup")


def _read_source(source: Path) -> sqlite3.Connection:
    """Return the content of a file, with its own log if it has one; waits for a gglib that uses the file."""
    with ExitStack() as stack:
        if lock_path(source).exists():
            stack.enter_context(exclusive(lock_path(source)))
        file = read_file(source)
        if file.kind is FileKind.EMPTY:
            raise _file_error(source, "is empty: name a file that 'gglib backup' wrote")
        content = read_wal(source) or b""
        log = parse_wal(content)
        origin = origin_of(log, file)
        if log.commits == 0 or origin is WalOrigin.FOREIGN:
            return load_without_wal(source)
        if origin is WalOrigin.UNKNOWN and is_broken_by_wal(source, content):
            return load_without_wal(source)
        return load_with_wal(source, content)


def _require_catalogue(image: sqlite3.Connection, source: Path, home: Path) -> tuple[ModelSummary, ...]:
    """Migrate a copy of ``source`` and return its models. Raises ``CatalogError`` if it is no catalogue."""
    _require_intact(image)
    if not _has_own_tables(image):
        raise _file_error(source, "belongs to another program: name a file that 'gglib backup' wrote")
    version: int = image.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise _file_error(
            source,
            f"was written by a newer gglib (format {version}; this one knows {len(MIGRATIONS)}): "
            "upgrade gglib, then restore it",
        )
    migrate(image, home=home)
    return load_models(image, HomePaths(home))


def _require_intact(image: sqlite3.Connection) -> None:
    """Raise ``sqlite3.DatabaseError`` if SQLite finds damage."""
    if not is_intact(image) or image.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise MissingRowsError("its tables are inconsistent")


def _is_catalogue(file: Path) -> bool:
    try:
        with closing(connect(file, mode="ro", is_immutable=True)) as connection:
            return _has_own_tables(connection)
    except sqlite3.Error:
        return False


def _has_own_tables(connection: sqlite3.Connection) -> bool:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version > 0 and tables >= OWN_TABLES


def _names(image: sqlite3.Connection) -> tuple[str, ...]:
    rows = image.execute("SELECT spelling FROM names WHERE position = 0 ORDER BY model_id")
    return tuple(row[0] for row in rows)


def _write_file(image: sqlite3.Connection, target: Path) -> None:
    """Write a copy to ``target``, atomically, readable by the owner only, with its own commit id."""
    if has_stamps(image):
        image.execute(STAMP_COMMIT)
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        image.execute("VACUUM INTO ?", (os.fspath(part),))
        _set_wal_mode(part)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(target.parent)


def _set_wal_mode(part: Path) -> None:
    """Set WAL mode in the header of the copy and sync it; no connection has it open.

    A database in another mode could not be opened while processes have the old one open in WAL mode
    (https://sqlite.org/fileformat2.html#file_format_version_numbers).
    """
    descriptor = os.open(part, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, WAL_FORMAT_VERSIONS, FORMAT_VERSIONS_OFFSET)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _with_page_size(image: sqlite3.Connection, page_size: int) -> Iterator[sqlite3.Connection]:
    """Yield the same content with this page size: a database in WAL mode cannot change its own."""
    if image.execute("PRAGMA page_size").fetchone()[0] == page_size:
        yield image
        return
    version = image.execute("PRAGMA user_version").fetchone()[0]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as other:
        other.execute(f"PRAGMA page_size = {page_size}")
        other.executescript("\n".join(image.iterdump()))
        other.execute(f"PRAGMA user_version = {version}")
        yield other


def _reason_of(error: sqlite3.DatabaseError) -> str:
    code = primary_code(error)
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}:
        return MESSAGES[code]
    if code == sqlite3.SQLITE_CANTOPEN:
        return "cannot be opened: make it readable for this user"
    return "is damaged, or is not a gglib backup: name another file"


def _file_error(file: Path, reason: str) -> CatalogError:
    return CatalogError(f"{file} {reason}.")


@contextmanager
def _map_errors_of(file: Path) -> Iterator[None]:
    """Turn errors of SQLite and the file system into ``CatalogError`` for a file other than the catalogue."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _file_error(file, _reason_of(error)) from error
    except OSError as error:
        raise _file_error(file, f"cannot be used ({error.strerror}): name another file") from error
    except RuntimeError as error:  # of pathlib, up to Python 3.12, for a loop of symbolic links
        raise _file_error(file, "is a broken symbolic link: name another file") from error
    except ValueError as error:
        raise CatalogError(f"This is not a valid file name ({error}): name another file.") from error
