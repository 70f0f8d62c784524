"""Backups at file level: other page sizes, write-ahead logs, kills, and a full disk."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gglib.core.errors import CatalogError
from gglib.core.models import NewModel
from gglib.db import SqliteCatalog, backup
from gglib.db.backup import back_up, restore
from gglib.db.connections import open_reader, prepare, truncate_wal, with_reserve, writing
from gglib.db.home_paths import HomePaths
from gglib.db.reserve import RESERVE_BYTES, keep_reserve, release_reserve
from gglib.db.rows import insert_model
from gglib.db.wal_identity import FileKind
from gglib.db.wal_repair import read_file

Maker = Callable[..., NewModel]


@pytest.fixture(name="add")
def make_add(new_model: Maker) -> Callable[..., None]:
    """Return a function that adds models with these names to a database."""

    def add(path: Path, *names: str) -> None:
        prepare(path)
        for name in names:
            with writing(path) as connection:
                insert_model(connection, HomePaths(path.parent), new_model(name), added_at=0)

    return add


def names_in(path: Path) -> list[str]:
    """Return the names of the models in a database with its write-ahead log."""
    with closing(open_reader(path)) as connection:
        return [
            row[0] for row in connection.execute("SELECT spelling FROM names WHERE position = 0 ORDER BY 1")
        ]


def test_pages_of_another_size(tmp_path: Path, path: Path, add: Callable[..., None]) -> None:
    """A backup whose page size another program increased is restored with the page size of the catalogue."""
    add(tmp_path / "other.db", "b")
    file = tmp_path / "backup.db"
    back_up(tmp_path / "other.db", file)
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("PRAGMA journal_mode = DELETE; PRAGMA page_size = 8192; VACUUM")
    add(path, "a")
    restore(path, file)
    assert names_in(path) == ["b"]
    add(path, "c")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT max(id) FROM models").fetchone() == (2,)


def test_a_copy_with_its_log(tmp_path: Path, path: Path, add: Callable[..., None]) -> None:
    """A copy of a database and its write-ahead log is restored with both; the log of another database is ignored."""
    add(path, "a")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM models").fetchall()
        add(path, "b")
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", tmp_path / f"copy.db{end}")
    add(tmp_path / "other.db", "c")
    shutil.copyfile(tmp_path / "other.db", tmp_path / "foreign.db")
    shutil.copyfile(tmp_path / "copy.db-wal", tmp_path / "foreign.db-wal")
    assert [model.name for model in restore(path, tmp_path / "copy.db").models] == ["a", "b"]
    assert [model.name for model in restore(path, tmp_path / "foreign.db").models] == ["c"]
    assert names_in(path) == ["c"]


def test_a_backup_has_an_id_of_its_own(tmp_path: Path, path: Path, add: Callable[..., None]) -> None:
    """A later write-ahead log never matches a backup, even one of the state just before its transactions."""
    add(path, "a")
    back_up(path, tmp_path / "backup.db")
    killed = tmp_path / "killed" / path.name
    killed.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM models").fetchall()
        add(path, "b")
        shutil.copyfile(f"{path}-wal", f"{killed}-wal")
    shutil.copyfile(tmp_path / "backup.db", killed)
    prepare(killed)
    assert names_in(killed) == ["a"]
    assert read_file(killed).kind is FileKind.READABLE


def test_a_backup_that_fails_leaves_nothing(
    tmp_path: Path, path: Path, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk fills up during a backup, the older backup stays unchanged, and no partial file is left."""
    add(path, "a")
    back_up(path, tmp_path / "backup.db")
    content = (tmp_path / "backup.db").read_bytes()

    def no_room(part: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(backup, "_set_wal_mode", no_room)
    with pytest.raises(CatalogError, match="No space left on device"):
        back_up(path, tmp_path / "backup.db")
    assert (tmp_path / "backup.db").read_bytes() == content
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup.db", "home"]


def test_a_restore_that_fails_changes_nothing(
    tmp_path: Path, path: Path, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue is not replaced if saving it first fails."""
    add(tmp_path / "other.db", "b")
    back_up(tmp_path / "other.db", tmp_path / "backup.db")
    add(path, "a")

    def no_room(part: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(backup, "_set_wal_mode", no_room)
    with pytest.raises(CatalogError, match="No space left on device"):
        restore(path, tmp_path / "backup.db")
    assert names_in(path) == ["a"]


async def test_an_open_catalogue_sees_a_restore(
    tmp_path: Path, path: Path, catalog: SqliteCatalog, new_model: Maker, add: Callable[..., None]
) -> None:
    """A process with an open catalogue reads and writes the restored one without reopening it."""
    add(tmp_path / "other.db", *(f"b{number}" for number in range(30)))
    back_up(tmp_path / "other.db", tmp_path / "backup.db")
    await catalog.add_model(new_model("a"))
    restore(path, tmp_path / "backup.db")
    assert len(await catalog.list_models()) == 30
    await catalog.add_model(new_model("c"))
    assert await catalog.resolve_model("c") is not None
    assert await catalog.resolve_model("a") is None


class TestReserve:
    def test_kept_and_given_back(self, path: Path, add: Callable[..., None]) -> None:
        """A closed catalogue keeps a reserve file with mode 0600, which can be released once."""
        add(path, "a")
        truncate_wal(path)
        reserve = path.with_name("gglib.db.reserve")
        assert (reserve.stat().st_size, reserve.stat().st_mode & 0o777) == (RESERVE_BYTES, 0o600)
        inode = reserve.stat().st_ino
        keep_reserve(path)
        assert reserve.stat().st_ino == inode
        assert release_reserve(path)
        assert not release_reserve(path)

    def test_a_full_disk_takes_it_once(self, path: Path, add: Callable[..., None]) -> None:
        """A write that finds no space is retried once with the space of the reserve, and fails if that is used up."""
        add(path, "a")
        keep_reserve(path)
        calls: list[bool] = []

        def no_room(has_more: bool) -> None:  # noqa: FBT001 - called by position
            calls.append(has_more)
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

        for expected in ([False, True], [False]):
            with pytest.raises(sqlite3.OperationalError, match="full"):
                with_reserve(path, no_room)
            assert calls == expected
            calls.clear()


async def test_measured_peaks_are_backed_up(tmp_path: Path, path: Path) -> None:
    """A restored catalogue knows the memory of its models; an open one reads it again."""
    async with SqliteCatalog(path) as catalog:
        await catalog.record_peak("a", {"ram": 5})
        back_up(path, tmp_path / "backup.db")
        await catalog.record_peak("a", {"ram": 9})
        restore(path, tmp_path / "backup.db")
        assert await catalog.list_peaks() == {"a": {"ram": 5}}
