"""Backups at the level of files: pages of another size, logs beside them, kills, and a full disk."""

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
    """Return what adds models of these names to a database."""

    def add(path: Path, *names: str) -> None:
        prepare(path)
        for name in names:
            with writing(path) as connection:
                insert_model(connection, HomePaths(path.parent), new_model(name), added_at=0)

    return add


def names_in(path: Path) -> list[str]:
    """Return the names of the models in a database, with its log."""
    with closing(open_reader(path)) as connection:
        return [
            row[0] for row in connection.execute("SELECT spelling FROM names WHERE position = 0 ORDER BY 1")
        ]


def test_pages_of_another_size(tmp_path: Path, path: Path, add: Callable[..., None]) -> None:
    """A backup whose pages another program made larger is restored into pages of the catalogue's size."""
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
    """A plain copy of a database and its log is restored with both, and a log of another database is passed over."""
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
    """A log of later transactions never belongs to a backup, not even to one of the state just before them."""
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
    """A disk that is full in the middle leaves the older backup as it was, and no part of the new one."""
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
    """The catalogue is not replaced if it cannot be saved first."""
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
    """A process that has the catalogue open reads and writes what was restored, without opening it again."""
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
        """A catalogue that is closed has room of its own on the disk, once, for its owner alone."""
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
        """Work that finds no room is done again with the room of the reserve, and fails where that is gone, too."""
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
