"""Detects a database file that was replaced beside its log, and makes every connection see the new file.

A replaced file may leave two things: the log (``-wal``), whose transactions SQLite would apply to the new file, and,
while a process has the database open, the index of the log in shared memory (``-shm``), which has the number of pages.
Neither is deleted: connections of other processes, and of this one, keep using them. Instead, a copy of the log is
kept, and the content of the new file is written into the database as one transaction, which every connection sees like
any other. A kill before its commit changes nothing; after it, the repair is done.

Only SQLite reads and writes the database file itself. Opening and closing it in another way would release the locks
that SQLite holds for this process (https://sqlite.org/howtocorrupt.html#posix_close_bug).
"""

import logging
import os
import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gglib.core.errors import CatalogError
from gglib.db.lock import exclusive, lock_path
from gglib.db.migrations import migrate
from gglib.db.sqlite_connection import WRITER_PRAGMAS, checkpoint, connect
from gglib.db.sqlite_errors import MissingRowsError
from gglib.db.wal_identity import (
    MAX_WAL_BYTES,
    NO_COMMIT,
    STAMP_PREFIX,
    DatabaseFile,
    FileKind,
    WalOrigin,
    current_of,
    origin_of,
    parse_stamp,
    parse_wal,
)
from gglib.system.files.small_files import open_regular

LOCK_WAIT_S = 2.0
"""How long a reader waits for a writer before it reads without a closer check."""

COPY_WAIT_S = 5.0
"""How long a copy into the database waits for another program that locks it."""

_log = logging.getLogger("gglib")


@dataclass(frozen=True, slots=True)
class _Finding:
    """What is wrong with the files of a database."""

    log: bytes | None
    """The content of a foreign log. None: the log is not foreign, but the index in shared memory is."""
    file: DatabaseFile
    has_own_wal: bool = False


def repair(path: Path, *, home: Path | None = None) -> None:
    """Repair what a replaced database file left behind, if anything. Blocks for up to ``LOCK_WAIT_S`` for a writer.

    ``home`` becomes the base of paths of an older format; None: the directory of ``path``. Raises ``sqlite3.Error`` if
    the new file is no database, ``CatalogError`` if it is not gglib's.
    """
    if _inspect(path) is None:
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(lock_path(path), wait_s=LOCK_WAIT_S))
        except CatalogError:  # the writer checks itself before it writes
            return
        repair_locked(path, home=home)


def repair_locked(path: Path, *, home: Path | None = None) -> None:
    """Do what ``repair`` does, while the caller holds the writers' lock."""
    found = _inspect(path)
    if found is None:
        return
    image = _read_pair(path) if found.has_own_wal else load_without_wal(path)
    with closing(image):
        if not is_intact(image):
            raise MissingRowsError("the file that replaced the database is inconsistent")
        migrate(image, home=home or path.parent)
        aside = None if found.log is None else _keep_copy(path, found.log)
        write_image(image, path, previous_id=found.file.commit_id)
    if aside is not None:
        _log.warning(
            "%s was replaced by another file: the write-ahead log of the previous file was set aside as %s.",
            path,
            aside.name,
        )
    elif not found.has_own_wal:
        _log.warning("%s was replaced by another file while it was in use: it is reloaded.", path)


def write_image(image: sqlite3.Connection, path: Path, *, previous_id: str) -> None:
    """Replace the content of the database at ``path`` by ``image``, in one transaction that connections see.

    The caller holds the writers' lock. ``previous_id`` is the commit of the database file. Raises ``sqlite3.Error``;
    then nothing has changed.
    """
    image.execute("UPDATE state SET stamp = ? || hex(randomblob(8)) || ' ' || ?", (STAMP_PREFIX, previous_id))
    with closing(connect(path, mode="rw")) as live:
        # The database to overwrite may be inconsistent; without this SQLite would not open it.
        live.execute("PRAGMA writable_schema = ON")
        for pragma in WRITER_PRAGMAS:
            live.execute(pragma)
        image.backup(live, progress=_Deadline(COPY_WAIT_S), sleep=0.01)
        checkpoint(live)


def read_file(path: Path) -> DatabaseFile:
    """Return the state of the database file without its log."""
    try:
        if path.stat().st_size == 0:
            return DatabaseFile(FileKind.EMPTY)
    except FileNotFoundError:
        return DatabaseFile(FileKind.EMPTY)
    try:
        with closing(_open_without_wal(path)) as connection:
            return DatabaseFile(FileKind.READABLE, *read_commit(connection))
    except sqlite3.Error:
        return DatabaseFile(FileKind.TORN)


def read_commit(connection: sqlite3.Connection) -> tuple[str, int]:
    """Return the id of the last commit and the number of pages. Raises ``sqlite3.Error`` if either is unreadable."""
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone() is None:
        return NO_COMMIT, pages
    stamps = [parse_stamp(row[0]) for row in connection.execute("SELECT stamp FROM state")]
    if len(stamps) != 1 or stamps[0] is None:
        raise sqlite3.DatabaseError("the table 'state' does not hold one stamp")
    return stamps[0].commit_id, pages


def wal_path(path: Path) -> Path:
    """Return where SQLite puts the log of the database at ``path``, which may be a link."""
    real = path.resolve()
    return real.with_name(real.name + "-wal")


def _inspect(path: Path) -> _Finding | None:
    """Return what is wrong, or None. Without the writers' lock the files may be between two states."""
    content = read_wal(path)
    has_index = wal_path(path).with_name(path.resolve().name + "-shm").exists()
    if content is None or (len(content) == 0 and not has_index):
        return None
    log, file = parse_wal(content), read_file(path)
    origin = origin_of(log, file)
    if origin is WalOrigin.FOREIGN or (origin is WalOrigin.UNKNOWN and is_broken_by_wal(path, content)):
        return _Finding(content, file)
    if file.kind is FileKind.READABLE and has_index and not _reader_sees(path, *current_of(log, file)):
        return _Finding(None, file, has_own_wal=log.commits > 0)
    return None


def read_wal(path: Path) -> bytes | None:
    """Return the log's content; empty if there is none, None if it is too long."""
    try:
        descriptor = open_regular(wal_path(path))
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MAX_WAL_BYTES + 1)
    return None if len(content) > MAX_WAL_BYTES else content


def _reader_sees(path: Path, commit_id: str, pages: int) -> bool:
    """Whether a connection sees this commit and page count; assumed while the database is locked."""
    try:
        with closing(connect(path, mode="ro", busy_timeout_s=0)) as connection:
            return read_commit(connection) == (commit_id, pages)
    except sqlite3.OperationalError:  # locked, or not accessible: undecided
        return True
    except sqlite3.DatabaseError:
        return False


def is_broken_by_wal(path: Path, log: bytes) -> bool:
    """Whether the file is intact alone but not with the log: a file and its own log are intact together."""
    with closing(load_without_wal(path)) as alone:
        if not is_intact(alone):
            return False
    try:
        with closing(load_with_wal(path, log)) as pair:
            return not is_intact(pair)
    except sqlite3.Error:
        return True


def is_intact(connection: sqlite3.Connection) -> bool:
    """Whether SQLite finds no damage."""
    try:
        verdict: str = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError:
        return False
    return verdict == "ok"


def _read_pair(path: Path) -> sqlite3.Connection:
    return load_with_wal(path, read_wal(path) or b"")


def load_without_wal(path: Path) -> sqlite3.Connection:
    """Return a copy in memory of the file without its log."""
    with closing(_open_without_wal(path)) as file:
        return copy_in_memory(file)


def load_with_wal(path: Path, log: bytes) -> sqlite3.Connection:
    """Return a copy in memory of the file with the given log."""
    with tempfile.TemporaryDirectory(prefix="gglib-") as directory:
        copy = Path(directory, "copy.db")
        with closing(_open_without_wal(path)) as file, closing(connect(copy, mode="rwc")) as target:
            file.backup(target)
        copy.with_name("copy.db-wal").write_bytes(log)
        with closing(connect(copy, mode="rw")) as pair:
            return copy_in_memory(pair)


def copy_in_memory(source: sqlite3.Connection) -> sqlite3.Connection:
    """Return a copy in memory of what a connection sees."""
    image = sqlite3.connect(":memory:", isolation_level=None)
    try:
        source.backup(image)
    except BaseException:
        image.close()
        raise
    return image


def _open_without_wal(path: Path) -> sqlite3.Connection:
    return connect(path, mode="ro", is_immutable=True)


def _keep_copy(path: Path, log: bytes) -> Path:
    """Save the log's content beside the database under a name with the date."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return write_new_file(path, f"-wal.set-aside-{stamp}", log)


def write_new_file(path: Path, suffix: str, content: bytes) -> Path:
    """Write a new file beside the database, readable by the owner only; return its path. Raises ``OSError``."""
    real = path.resolve()
    for attempt in range(1, 100):
        target = real.with_name(f"{real.name}{suffix}{'' if attempt == 1 else f'-{attempt}'}")
        with suppress(FileExistsError):
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            return target
    raise FileExistsError(f"{real.name}{suffix}")


class _Deadline:
    """Aborts a copy that another program blocks for too long; the connection's own timeout does not apply to it."""

    def __init__(self, wait_s: float) -> None:
        self._until_s = time.monotonic() + wait_s

    def __call__(self, status: int, _remaining: int, _total: int) -> None:
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} and time.monotonic() > self._until_s:
            raise CatalogError("The catalogue is in use by another program: close that program or try again.")
