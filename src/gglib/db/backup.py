"""The catalogue as a file of its own, and back: with SQLite's own means, while other processes use it.

A backup is one file without a log, and has a commit id of its own: no log was ever written on top of it, so one that
lies beside it, where it is copied over a database, is not its own (see ``identity``).
"""

import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gglib.core.errors import CatalogError
from gglib.core.models import ModelSummary
from gglib.db.connections import open_reader, tidy
from gglib.db.home_paths import HomePaths
from gglib.db.identity import NO_COMMIT, FileKind, LogOrigin, origin_of, parse_log
from gglib.db.lock import exclusive, lock_path
from gglib.db.migrations import MIGRATIONS, STAMP, has_stamps, migrate
from gglib.db.opening import connect
from gglib.db.replaced import (
    contradicts,
    copy_in_memory,
    is_intact,
    log_path,
    read_alone,
    read_commit,
    read_file,
    read_log,
    read_with,
    settle,
    settle_held,
    write_beside,
    write_image,
)
from gglib.db.rows import load_models
from gglib.db.sqlite_errors import (
    SENTENCES,
    MissingRowsError,
    primary_code,
    translated,
)
from gglib.system.files.durable import sync

OWN_TABLES = frozenset({"models", "names", "model_paths", "tags"})
"""What a catalogue of any format has."""

VERSIONS_AT = 18
"""Where the header of a database says with what it is written and read."""
LOG_VERSIONS = b"\x02\x02"

BEFORE = ".before-restore-"
"""Between the catalogue's name and the date: what it was before a restore."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was written."""

    path: Path
    models: tuple[str, ...]
    """Their names."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A catalogue that was put back."""

    models: tuple[ModelSummary, ...]
    before: Path | None
    """Where the catalogue of before is; None where there was none."""


def back_up(path: Path, target: Path, *, is_forced: bool = False) -> Backup:
    """Write the catalogue at ``path`` to the file ``target``, whole or not at all; servers may go on using it.

    An older backup there is replaced, another file only with ``is_forced``. Raises ``CatalogError``.
    """
    if not path.exists():
        raise CatalogError(
            "There is no catalogue yet, so there is nothing to back up: 'gglib up' begins one.", path=path
        )
    with _translated_for(target):
        target = target.resolve()
        _check_target(path, target, is_forced=is_forced)
    with translated(path):
        settle(path)
        with closing(open_reader(path)) as reader:
            image = copy_in_memory(reader)
        tidy(path)
    with closing(image):
        with translated(path):
            _require_intact(image)
            names = _names(image)
        with _translated_for(target):
            _write_file(image, target)
            return Backup(target, names, target.stat().st_size)


def restore(path: Path, source: Path) -> Restored:
    """Make the content of the backup ``source`` that of the catalogue at ``path``; running servers see it.

    What the catalogue was before is kept beside it. Raises ``CatalogError``; then nothing has changed.
    """
    with _translated_for(source):
        _check_source(path, source)
        image = _read_source(source)
    with closing(image):
        with _translated_for(source):
            models = _require_catalogue(image, source, path.parent)
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(lock_path(path)):
                return Restored(models, _put_back(image, path))


def _put_back(image: sqlite3.Connection, path: Path) -> Path | None:
    with suppress(sqlite3.DatabaseError, CatalogError):  # what is damaged cannot be settled, and is replaced
        settle_held(path)
    try:
        before, previous_id, page_size = _keep_before(path)
    except sqlite3.DatabaseError:
        before = _keep_damaged(path)
        try:
            write_image(image, path, previous_id=NO_COMMIT)
        except sqlite3.DatabaseError:
            _replace_damaged(image, path)
        return before
    with _with_page_size(image, page_size) as fitting:
        write_image(fitting, path, previous_id=previous_id)
    return before


def _keep_before(path: Path) -> tuple[Path | None, str, int]:
    """Keep the catalogue as it is beside it. Return where, its last commit, and the size of its pages in bytes."""
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
        before = _free_name(path, BEFORE)
        _write_file(image, before)
    return before, commit_id, page_size


def _keep_damaged(path: Path) -> Path:
    """Keep the file as it is. No connection of this process is open, so reading it drops no lock of SQLite's."""
    return write_beside(path, BEFORE + _date(), path.read_bytes())


def _replace_damaged(image: sqlite3.Connection, path: Path) -> None:
    """Put a new file in the place of one that SQLite cannot write into, and its log out of the way."""
    real = path.resolve()
    log = log_path(path)
    if log.exists():
        log.replace(_free_name(path, "-wal.set-aside-"))
    log.with_name(f"{real.name}-shm").unlink(missing_ok=True)
    _write_file(image, real)


def _check_target(path: Path, target: Path, *, is_forced: bool) -> None:
    """Raise ``CatalogError`` where nothing may be written to ``target``, which has no links in it."""
    real = path.resolve()
    if target == real or target in {
        real.with_name(real.name + end) for end in ("-wal", "-shm", ".lock", ".reserve")
    }:
        raise _refusal(target, "is the catalogue itself: name another file")
    if log_path(target).exists():
        raise _refusal(
            target,
            f"has a log beside it ({log_path(target).name}), so it is in use or was: name another file",
        )
    try:
        status = target.lstat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise _refusal(target, "is in a directory that does not exist: make it first") from None
        return
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(target, "is not a regular file: name another one")
    if not is_forced and not _is_catalogue(target):
        raise _refusal(target, "is no backup of gglib: name another file, or overwrite it with --force")


def _check_source(path: Path, source: Path) -> None:
    """Raise ``CatalogError`` where ``source`` can be no backup of the catalogue."""
    try:
        status = source.stat()
    except FileNotFoundError:
        raise _refusal(source, "does not exist: name a file that 'gglib backup' wrote") from None
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(source, "is not a regular file: name one that 'gglib backup' wrote")
    if path.exists() and os.path.samestat(status, path.stat()):
        raise _refusal(source, "is the catalogue itself: name one of its backups")


def _read_source(source: Path) -> sqlite3.Connection:
    """Return the content of a file, with its log where that is its own; a gglib that uses the file is waited for."""
    with ExitStack() as held:
        if lock_path(source).exists():
            held.enter_context(exclusive(lock_path(source)))
        file = read_file(source)
        if file.kind is FileKind.EMPTY:
            raise _refusal(source, "is empty: name a file that 'gglib backup' wrote")
        content = read_log(source) or b""
        log = parse_log(content)
        origin = origin_of(log, file)
        if log.commits == 0 or origin is LogOrigin.FOREIGN:
            return read_alone(source)
        if origin is LogOrigin.UNKNOWN and contradicts(source, content):
            return read_alone(source)
        return read_with(source, content)


def _require_catalogue(image: sqlite3.Connection, source: Path, home: Path) -> tuple[ModelSummary, ...]:
    """Bring a copy of ``source`` up to date and return its models. Raises ``CatalogError`` for what is none of ours."""
    _require_intact(image)
    if not _has_own_tables(image):
        raise _refusal(source, "belongs to another program: name a file that 'gglib backup' wrote")
    version: int = image.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise _refusal(
            source,
            f"was written by a newer gglib (format {version}; this one knows {len(MIGRATIONS)}): "
            "upgrade gglib, then restore it",
        )
    migrate(image, home=home)
    return load_models(image, HomePaths(home))


def _require_intact(image: sqlite3.Connection) -> None:
    """Raise ``sqlite3.DatabaseError`` for what SQLite finds to be damaged."""
    if not is_intact(image) or image.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise MissingRowsError("it contradicts itself")


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
    """Write a copy to ``target``, whole or not at all, for the owner alone, with a commit id of its own."""
    if has_stamps(image):
        image.execute(STAMP)
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        image.execute("VACUUM INTO ?", (os.fspath(part),))
        _mark_for_log(part)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(target.parent)


def _mark_for_log(part: Path) -> None:
    """Have the copy opened with a log, as the catalogue is, and put it on the disk; no connection has it open.

    Processes that have a database open with a log would stand in the way of one that is opened without
    (https://sqlite.org/fileformat2.html#file_format_version_numbers).
    """
    descriptor = os.open(part, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, LOG_VERSIONS, VERSIONS_AT)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _with_page_size(image: sqlite3.Connection, page_size: int) -> Iterator[sqlite3.Connection]:
    """Yield the same content in pages of this size: a database with a log keeps the one that it has."""
    if image.execute("PRAGMA page_size").fetchone()[0] == page_size:
        yield image
        return
    version = image.execute("PRAGMA user_version").fetchone()[0]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as other:
        other.execute(f"PRAGMA page_size = {page_size}")
        other.executescript("\n".join(image.iterdump()))
        other.execute(f"PRAGMA user_version = {version}")
        yield other


def _free_name(path: Path, between: str) -> Path:
    real = path.resolve()
    first = real.with_name(f"{real.name}{between}{_date()}")
    names = (first, *(first.with_name(f"{first.name}-{number}") for number in range(2, 100)))
    return next((name for name in names if not os.path.lexists(name)), first)


def _date() -> str:
    return datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")


def _reason_of(error: sqlite3.DatabaseError) -> str:
    code = primary_code(error)
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}:
        return SENTENCES[code]
    if code == sqlite3.SQLITE_CANTOPEN:
        return "cannot be opened: make it readable for this user"
    return "is damaged, or is no backup of gglib: name another one"


def _refusal(file: Path, reason: str) -> CatalogError:
    return CatalogError(f"{file} {reason}.")


@contextmanager
def _translated_for(file: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into a sentence about a file that is not the catalogue."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _refusal(file, _reason_of(error)) from error
    except OSError as error:
        raise _refusal(file, f"cannot be used ({error.strerror}): name another file") from error
    except RuntimeError as error:  # pathlib's, up to Python 3.12, of links that lead in a circle
        raise _refusal(file, "is a link that leads nowhere: name another file") from error
    except ValueError as error:
        raise CatalogError(f"This is no name of a file ({error}): name another one.") from error
