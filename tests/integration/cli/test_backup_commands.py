"""``gglib backup`` and ``gglib restore``: the catalogue written to a file and restored, also while gglib runs."""

import json
import os
import shutil
import signal
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from gglib.cli.server.client import get_json
from gglib.core.addresses import Endpoint
from gglib.core.sizes import format_size
from gglib.db.migrations import MIGRATIONS
from gglib.testing import write_tiny_gguf

from .conftest import Home

CATALOG = ("--only", "catalog")
"""The backup is the catalogue itself, as older gglibs wrote it; ``test_home_backup`` has archives."""


def add_models(home: Home, *names: str) -> None:
    """Add models with these names, each with its own file."""
    for name in names:
        home.ok("add", str(write_tiny_gguf(home.path / f"{name}.gguf")), "--name", name)


def names_in(home: Home) -> list[str]:
    """Return the names of the models in the catalogue."""
    return sorted(model["name"] for model in json.loads(home.ok("list", "--json")))


def databases(home: Home) -> list[str]:
    """Return the names of the catalogue's database files, without lock and reserve files."""
    return sorted(
        each.name for each in home.path.glob("gglib.db*") if each.suffix not in {".lock", ".reserve"}
    )


def problems(path: Path) -> list[tuple[object, ...]]:
    """Return the damage that SQLite's integrity check reports."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchall()
        return [row for row in (*found, *connection.execute("PRAGMA foreign_key_check")) if row != ("ok",)]


class TestBackup:
    def test_there_and_back(self, home: Home, tmp_path: Path) -> None:
        """A restore brings back models, aliases, tags and settings, and keeps the replaced catalogue as a backup."""
        add_models(home, "a", "b")
        home.ok("set", "a", "--alias", "first", "--ctx", "1234")
        file = tmp_path / "backup.db"
        output = home.ok("backup", *CATALOG, str(file))
        size = format_size(file.stat().st_size)
        assert output == (
            f"Wrote the catalogue with 2 models to {file} ({size}). The models' files are not in it.\n"
        )
        assert file.stat().st_mode & 0o777 == 0o600
        before = json.loads(home.ok("list", "--json"))
        home.ok("rm", "a")
        add_models(home, "c")
        output = home.ok("restore", str(file))
        assert json.loads(home.ok("list", "--json")) == before
        (kept,) = home.path.glob("gglib.db.before-restore-*")
        assert (
            output
            == f"Restored the catalogue with 2 models from {file}.\nThe previous catalogue is kept as {kept}.\n"
        )
        home.ok("restore", str(kept))
        assert names_in(home) == ["b", "c"]
        assert not list(home.path.glob("gglib.db-*"))

    def test_json(self, home: Home, tmp_path: Path) -> None:
        """JSON output lists what was written, what the catalogue contains now, and which files are missing."""
        add_models(home, "a", "b")
        file = tmp_path / "backup.db"
        assert json.loads(home.ok("backup", *CATALOG, str(file), "--json")) == {
            "path": str(file),
            "size_bytes": file.stat().st_size,
            "parts": ["catalog"],
            "models": ["a", "b"],
            "requests": None,
            "recorded_bodies": None,
        }
        (home.path / "b.gguf").unlink()
        output = json.loads(home.ok("restore", str(file), "--json"))
        (kept,) = home.path.glob("gglib.db.before-restore-*")
        assert output == {
            "parts": ["catalog"],
            "models": ["a", "b"],
            "before": str(kept),
            "settings_before": None,
            "history_before": None,
            "missing": [{"model": "b", "files": [str(home.path / "b.gguf")]}],
        }

    def test_a_missing_file_is_named_with_what_helps(self, home: Home, tmp_path: Path) -> None:
        """A model whose file is missing is listed with the command that downloads it again."""
        add_models(home, "a")
        home.ok("backup", *CATALOG, str(tmp_path / "backup.db"))
        (home.path / "a.gguf").unlink()
        *_, last = home.ok("restore", str(tmp_path / "backup.db")).splitlines()
        assert last == "a: a.gguf is missing: restore the file, or remove the model: 'gglib rm a'."

    def test_an_older_backup_is_replaced_whole(self, home: Home, tmp_path: Path) -> None:
        """A backup replaces the previous one atomically, also through a symbolic link, and leaves no other file."""
        file, link = tmp_path / "backup.db", tmp_path / "link.db"
        link.symlink_to(file)
        add_models(home, "a")
        home.ok("backup", *CATALOG, str(file))
        add_models(home, "b")
        assert "with 2 models" in home.ok("backup", *CATALOG, str(link))
        assert link.is_symlink()
        assert sorted(os.listdir(tmp_path)) == ["backup.db", "link.db"]  # noqa: PTH208 - the names are compared
        home.ok("restore", str(link))
        assert names_in(home) == ["a", "b"]

    def test_from_a_read_only_place(self, home: Home, tmp_path: Path) -> None:
        """A backup in a read-only directory can be restored: reading it creates no file beside it."""
        add_models(home, "a")
        directory = tmp_path / "readonly"
        directory.mkdir()
        home.ok("backup", *CATALOG, str(directory / "backup.db"))
        directory.chmod(0o500)
        (directory / "backup.db").chmod(0o400)
        home.ok("restore", str(directory / "backup.db"))
        assert sorted(os.listdir(directory)) == ["backup.db"]  # noqa: PTH208 - the names are compared
        directory.chmod(0o700)

    def test_a_new_home(self, home: Home, tmp_path: Path) -> None:
        """A backup is restored into a home without a catalogue; there is no replaced catalogue to keep."""
        add_models(home, "a")
        home.ok("backup", *CATALOG, str(tmp_path / "backup.db"))
        for each in home.path.glob("gglib.db*"):
            each.unlink()
        assert home.ok("restore", str(tmp_path / "backup.db")) == (
            f"Restored the catalogue with 1 model from {tmp_path / 'backup.db'}.\n"
        )
        assert databases(home) == ["gglib.db"]

    def test_a_damaged_catalogue_is_replaced(self, home: Home, tmp_path: Path) -> None:
        """A restore replaces a file that is not a database, or one that SQLite reports as damaged."""
        add_models(home, "a")
        home.ok("backup", *CATALOG, str(tmp_path / "backup.db"))
        database = home.path / "gglib.db"
        intact = database.read_bytes()
        for damaged in (
            b"no database " * 4000,
            intact[:4096] + b"\xff" * (len(intact) - 4096),
            intact[:5000],
        ):
            database.write_bytes(damaged)
            assert "'gglib restore FILE'" in home.refused("list")
            home.ok("restore", str(tmp_path / "backup.db"))
            assert names_in(home) == ["a"]
            assert problems(database) == []
            assert any(kept.read_bytes() == damaged for kept in home.path.glob("gglib.db.before-restore-*"))


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is empty"),
            (b"hello", "is damaged, or is not a gglib backup"),
            (b"SQLite format 3\x00" + b"\xff" * 8000, "is damaged, or is not a gglib backup"),
        ],
    )
    def test_no_backup(self, home: Home, tmp_path: Path, content: bytes, reason: str) -> None:
        """A file that is not a backup is refused, and overwriting it requires --force."""
        add_models(home, "a")
        file = tmp_path / "file"
        file.write_bytes(content)
        assert home.refused("restore", str(file)).startswith(f"{file} {reason}: name ")
        assert home.refused("backup", *CATALOG, str(file)) == (
            f"{file} is not a gglib backup: name another file, or overwrite it with --force."
        )
        assert file.read_bytes() == content
        assert names_in(home) == ["a"]
        assert not list(home.path.glob("*.before-restore-*"))
        home.ok("backup", *CATALOG, str(file), "--force")
        home.ok("restore", str(file))

    @pytest.mark.parametrize("number", [0, len(MIGRATIONS)])
    def test_of_another_program(self, home: Home, tmp_path: Path, number: int) -> None:
        """A database of another program is refused, whatever its ``user_version``."""
        add_models(home, "a")
        file = tmp_path / "file"
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(f"CREATE TABLE bookmarks (url); PRAGMA user_version = {number}")
        content = file.read_bytes()
        assert home.refused("restore", str(file)) == (
            f"{file} belongs to another program: name a file that 'gglib backup' wrote."
        )
        assert "--force" in home.refused("backup", *CATALOG, str(file))
        assert file.read_bytes() == content

    def test_of_a_newer_gglib(self, home: Home, tmp_path: Path) -> None:
        """A backup of a newer gglib is refused with both format numbers in the message, and nothing changes."""
        add_models(home, "a")
        file = tmp_path / "backup.db"
        home.ok("backup", *CATALOG, str(file))
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 3}")
        assert home.refused("restore", str(file)) == (
            f"{file} was written by a newer gglib (format {len(MIGRATIONS) + 3}; this one knows {len(MIGRATIONS)}): "
            "upgrade gglib, then restore it."
        )
        assert databases(home) == ["gglib.db"]

    def test_rows_that_contradict_one_another(self, home: Home, tmp_path: Path) -> None:
        """A backup with inconsistent rows is refused, and the catalogue does not change."""
        add_models(home, "a")
        file = tmp_path / "backup.db"
        home.ok("backup", *CATALOG, str(file))
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("DELETE FROM names")
        assert "is damaged" in home.refused("restore", str(file))
        assert names_in(home) == ["a"]

    @pytest.mark.parametrize(
        "make",
        [
            lambda path: path.mkdir(),
            os.mkfifo,
            lambda path: path.symlink_to("/dev/zero"),
            lambda path: path.symlink_to(path.parent),
            lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
        ],
        ids=["directory", "FIFO", "device", "link to a directory", "socket"],
    )
    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    def test_what_is_no_file(self, home: Home, make: Callable[[Path], object]) -> None:
        """A path that is not a regular file is refused immediately, by both commands, also with --force."""
        add_models(home, "a")
        odd = home.path / "odd"
        make(odd)
        assert "is not a regular file: name " in home.refused("restore", str(odd))
        assert "is not a regular file: name " in home.refused("backup", *CATALOG, str(odd), "--force")

    def test_what_is_not_there(self, home: Home, tmp_path: Path) -> None:
        """A missing file, a missing directory and an empty home are each reported in one sentence."""
        gone = tmp_path / "gone" / "backup.db"
        assert home.refused("backup", *CATALOG, str(gone)) == (
            "There is no catalogue to back up: 'gglib up' creates one."
        )
        assert home.refused("restore", str(gone)) == (
            f"{gone} does not exist: name a file that 'gglib backup' wrote."
        )
        add_models(home, "a")
        assert home.refused("backup", *CATALOG, str(gone)) == (
            f"{gone} is in a directory that does not exist: create it first."
        )

    @pytest.mark.parametrize("name", ["gglib.db", "gglib.db-wal", "gglib.db.lock", "link"])
    def test_the_catalogue_itself(self, home: Home, name: str) -> None:
        """A backup cannot overwrite the files of the catalogue, nor can the catalogue be restored from itself."""
        add_models(home, "a")
        (home.path / "link").symlink_to("gglib.db")
        file = home.path / name
        assert "is the catalogue itself" in home.refused("backup", *CATALOG, str(file), "--force")
        if name in {"gglib.db", "link"}:
            assert "is the catalogue itself" in home.refused("restore", str(file))
        assert names_in(home) == ["a"]

    def test_a_log_beside_it(self, home: Home, tmp_path: Path) -> None:
        """A backup is not written beside the write-ahead log of another database: SQLite would apply that log to it."""
        add_models(home, "a")
        (tmp_path / "backup.db-wal").write_bytes(b"x")
        assert home.refused("backup", *CATALOG, str(tmp_path / "backup.db")) == (
            f"{tmp_path / 'backup.db'} has a write-ahead log beside it (backup.db-wal): name another file."
        )


class TestWhileItRuns:
    def test_a_server_sees_it(self, home: Home, tmp_path: Path) -> None:
        """A running server serves the restored models from its next request on, and leaves no WAL file at exit."""
        add_models(home, "a", "b")
        with home.serving() as server:

            def served() -> list[str]:
                answer = get_json(Endpoint(server.url), "/v1/models", timeout_s=10)
                return sorted(model["id"] for model in answer["data"])

            assert served() == ["a", "b"]
            home.ok("backup", *CATALOG, str(tmp_path / "backup.db"))
            home.ok("rm", "a")
            add_models(home, "c")
            assert served() == ["b", "c"]
            home.ok("restore", str(tmp_path / "backup.db"))
            assert served() == ["a", "b"]
            add_models(home, "d")
            assert served() == ["a", "b", "d"]
            assert server.end(signal.SIGTERM) == 0
        assert [name for name in databases(home) if "before-restore" not in name] == ["gglib.db"]
        assert names_in(home) == ["a", "b", "d"]

    @pytest.mark.parametrize("is_moved", [False, True], ids=["cp", "mv"])
    def test_copied_over_a_running_server(self, home: Home, tmp_path: Path, *, is_moved: bool) -> None:
        """A running server serves a backup that is copied or moved over its database."""
        add_models(home, "a")
        home.ok("backup", *CATALOG, str(tmp_path / "backup.db"))
        with home.serving() as server:

            def served() -> list[str]:
                answer = get_json(Endpoint(server.url), "/v1/models", timeout_s=10)
                return sorted(model["id"] for model in answer["data"])

            add_models(home, *(f"more{number}" for number in range(12)))
            assert len(served()) == 13
            if is_moved:
                shutil.copyfile(tmp_path / "backup.db", home.path / "new")
                (home.path / "new").replace(home.path / "gglib.db")
            else:
                (home.path / "gglib.db").write_bytes((tmp_path / "backup.db").read_bytes())
            wait_until(lambda: served() == ["a"])
            add_models(home, "b")
            assert served() == ["a", "b"]
            assert server.end(signal.SIGTERM) == 0
        assert databases(home) == ["gglib.db"]
        assert names_in(home) == ["a", "b"]
        assert problems(home.path / "gglib.db") == []

    def test_a_killed_server(self, home: Home, tmp_path: Path) -> None:
        """After kill -9 of a server with concurrent writers, a backup copied over the database is what gglib reads."""
        add_models(home, "a")
        home.ok("backup", *CATALOG, str(tmp_path / "backup.db"))
        with home.serving() as server:
            add_models(home, "b")
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
        (home.path / "gglib.db").write_bytes((tmp_path / "backup.db").read_bytes())
        assert names_in(home) == ["a"]
        assert databases(home) == ["gglib.db"]
