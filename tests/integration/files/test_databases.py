"""The catalogue's file can be restored, whatever lies beside it."""

import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from . import tiny
from .world import Home


def stock(home: Home, place: Path, count: int) -> None:
    """Add models of the user's."""
    for number in range(count):
        path = place / f"mine-{number}.gguf"
        path.write_bytes(tiny.model(f"mine {number}"))
        home.ok("add", str(path), "--alias", f"alias-{number}")


def integrity(home: Home) -> str:
    """Return the result of SQLite's integrity check."""
    connection = sqlite3.connect(home.database)
    try:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
    finally:
        connection.close()
    return str(said)


class TestRestored:
    @pytest.mark.parametrize("count", [8, 40])
    def test_a_copy_put_over_the_file_beside_a_left_wal(self, home: Home, place: Path, count: int) -> None:
        """The copy replaces the catalogue: nothing of the newer log is applied to it, and no command fails."""
        stock(home, place, count)
        saved, copy = home.rows(), place / "saved.db"
        shutil.copy2(home.database, copy)
        with home.serving() as server:
            for number in range(count // 2):
                home.ok("set", f"mine-{number}", "--ctx", "1234", "--alias", f"other-{number}")
            server.send_signal(signal.SIGKILL)
            server.wait()
        shutil.copy(copy, home.database)
        assert home.rows() == saved
        assert integrity(home) == "ok"
        home.ok("set", "mine-0", "--ctx", "999")
        assert home.row("mine-0")["context"] == 999
        assert home.row("mine-1") == saved["mine-1"]

    def test_a_copy_moved_over_the_file_beside_a_left_wal(self, home: Home, place: Path) -> None:
        """The same with another inode."""
        stock(home, place, 8)
        saved, copy = home.rows(), place / "saved.db"
        shutil.copy2(home.database, copy)
        with home.serving() as server:
            for number in range(4):
                home.ok("rm", f"mine-{number}")
            server.send_signal(signal.SIGKILL)
            server.wait()
        copy.replace(home.database)
        assert home.rows() == saved
        assert integrity(home) == "ok"

    def test_a_database_that_was_killed_and_not_replaced(self, home: Home, place: Path) -> None:
        """The log that belongs to the file is read: no acknowledged row is lost."""
        stock(home, place, 4)
        with home.serving() as server:
            home.ok("set", "mine-0", "--ctx", "1234")
            home.ok("rm", "mine-3")
            server.send_signal(signal.SIGKILL)
            server.wait()
        assert home.row("mine-0")["context"] == 1234
        assert sorted(home.rows()) == ["mine-0", "mine-1", "mine-2"]


class TestEnd:
    def test_a_server_that_ends_in_order_leaves_no_log(self, home: Home, place: Path) -> None:
        """Also if a command wrote meanwhile: the database file alone is the catalogue."""
        stock(home, place, 3)
        with home.serving() as server:
            home.ok("set", "mine-0", "--ctx", "1234")
            server.send_signal(signal.SIGTERM)
            wait_until(lambda: server.poll() is not None)
        assert [path.name for path in home.path.glob("*-wal") if path.stat().st_size] == []
        alone = place / "alone.db"
        shutil.copy(home.database, alone)
        connection = sqlite3.connect(alone)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        shutil.copy(alone, home.database)
        assert home.row("mine-0")["context"] == 1234


class TestBackup:
    @pytest.mark.parametrize("is_serving", [False, True])
    def test_a_backup_can_be_restored(self, home: Home, place: Path, *, is_serving: bool) -> None:
        """``gglib backup`` and ``gglib restore``, also beside a server: the rows are unchanged."""
        stock(home, place, 8)
        saved, copy = home.rows(), place / "backup.db"
        if is_serving:
            with home.serving():
                home.ok("backup", str(copy))
                home.ok("rm", "mine-0")
                home.ok("set", "mine-1", "--ctx", "77")
        else:
            home.ok("backup", str(copy))
            home.ok("rm", "mine-0")
            home.ok("set", "mine-1", "--ctx", "77")
        home.ok("restore", str(copy))
        assert home.rows() == saved
        assert integrity(home) == "ok"

    def test_what_is_no_backup_is_refused(self, home: Home, place: Path) -> None:
        """A file of another kind replaces nothing."""
        stock(home, place, 2)
        saved, wrong = home.rows(), place / "wrong.db"
        wrong.write_bytes(b"not a database" * 100)
        home.refused("restore", str(wrong))
        assert home.rows() == saved
