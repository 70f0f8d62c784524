"""Catalogues of each format, made by the code of their time (``scripts/old_catalogs.py``), migrate with all rows."""

import importlib.util
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gglib.core.errors import CatalogError
from gglib.db import SqliteCatalog, connections, sqlite_connection
from gglib.db.backup import back_up, restore
from gglib.db.connections import prepare
from gglib.db.migrations import MIGRATIONS

FORMATS = Path(__file__).with_name("formats")
NUMBERS = sorted(int(file.stem.removeprefix("format_")) for file in FORMATS.glob("*.sql"))
HOME_NAME = "/HOME"
ROWS_PROGRAM = Path(__file__).parents[3] / "scripts" / "old_catalog_rows.py"

DERIVED = {"hashes", "source.origin", "is_downloaded", "chat_template_sha256"}
"""Fields that the gglib of format 1 did not read; those of format 2 set them from the columns that it wrote."""


def program() -> ModuleType:
    """Return the module that filled the catalogues: it turns values into JSON."""
    spec = importlib.util.spec_from_file_location("old_catalog_rows", ROWS_PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="old")
def make_old(path: Path) -> Callable[[int], Path]:
    """Return a function that creates the catalogue of a format at ``path``, in WAL mode as gglib does."""

    def create(number: int) -> Path:
        text = (FORMATS / f"format_{number}.sql").read_text(encoding="utf-8")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(text.replace(HOME_NAME, os.fspath(path.parent)))
        return path

    return create


def expected(number: int, home: Path) -> dict[str, Any]:
    """Return what the gglib of that format read."""
    text = (FORMATS / f"format_{number}.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text.replace(HOME_NAME, os.fspath(home)))
    return content


async def rows_of(path: Path) -> dict[str, Any]:
    """Return what this gglib reads."""
    async with SqliteCatalog(path) as catalog:
        rows: dict[str, Any] = json.loads(json.dumps(await program().read(catalog)))
        return rows


def differences(old: object, new: object, at: str = "") -> dict[str, tuple[object, object]]:
    """Return the fields of ``old`` that ``new`` lacks or has otherwise, by their path. ``new`` may have more fields."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [
            differences(old[name], new.get(name, "(missing)"), f"{at}.{name}".lstrip(".")) for name in old
        ]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        found = [differences(*pair, f"{at}[{n}]") for n, pair in enumerate(zip(old, new, strict=True))]
    else:
        return {} if old == new else {at: (old, new)}
    return {name: pair for each in found for name, pair in each.items()}


def lost(number: int, old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[object, object]]:
    """Return the differences that are no derived fields of format 1."""
    found = differences(old, new)
    if number > 1:
        return found
    return {name: pair for name, pair in found.items() if name.partition("].")[2] not in DERIVED}


def test_each_format_has_its_catalogue() -> None:
    """No format is left out. No gglib wrote format 4: it came with 5."""
    assert [number for number in range(1, len(MIGRATIONS) + 1) if number != 4] == NUMBERS, (
        "commit the migration, then run scripts/old_catalogs.py"
    )


def test_each_format_is_on_the_page() -> None:
    """The page about upgrades says what is new in each."""
    page = (Path(__file__).parents[3] / "docs" / "upgrading.md").read_text(encoding="utf-8")
    listed = [
        int(number)
        for row in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE)
        for number in row.split(",")
    ]
    assert listed == list(range(1, len(MIGRATIONS) + 1))


@pytest.mark.parametrize("number", NUMBERS)
async def test_each_format_is_kept_whole(number: int, old: Callable[[int], Path]) -> None:
    """Every model, version, pull, profile and peak of an older gglib reads the same, field by field."""
    path = old(number)
    rows = await rows_of(path)
    before = expected(number, path.parent)
    assert before["list_models"]
    assert lost(number, before, rows) == {}
    assert {name: len(rows[name]) for name in before} == {name: len(before[name]) for name in before}


@pytest.mark.parametrize("number", NUMBERS)
async def test_each_format_is_restored(number: int, old: Callable[[int], Path], tmp_path: Path) -> None:
    """A backup by an older gglib is restored into an empty home, with the same rows and paths below the new home."""
    source = old(number)
    file = tmp_path / "backup.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("VACUUM INTO ?", (os.fspath(file),))
    home = tmp_path / "new"
    home.mkdir()
    restore(home / "gglib.db", file)
    # Up to format 3 paths are absolute: they name the files where they were.
    before = expected(number, source.parent if number <= 3 else home)
    assert lost(number, before, await rows_of(home / "gglib.db")) == {}
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (number,), "the backup is unchanged"


@pytest.mark.parametrize("number", NUMBERS)
def test_the_current_tables(number: int, old: Callable[[int], Path], tmp_path: Path) -> None:
    """A migrated catalogue has the tables, indices and triggers of a new one."""
    path = old(number)
    prepare(path)
    prepare(tmp_path / "new.db")

    def schema(file: Path) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(file)) as connection:
            return sorted(connection.execute("SELECT type, name FROM sqlite_master").fetchall())

    assert schema(path) == schema(tmp_path / "new.db")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_newer_format_is_refused_by_both(old: Callable[[int], Path], tmp_path: Path) -> None:
    """A catalogue of a newer gglib is neither opened nor restored, and is unchanged."""
    path = old(NUMBERS[-1])
    back_up(path, tmp_path / "backup.db")
    for file in (path, tmp_path / "backup.db"):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(CatalogError, match="newer gglib"):
        prepare(path)
    with pytest.raises(CatalogError, match="newer gglib"):
        restore(tmp_path / "other" / "gglib.db", tmp_path / "backup.db")
    assert not (tmp_path / "other").exists()


DIES_AT = """
import os, signal, sys
from pathlib import Path
from gglib.db import connections

path, at = Path(sys.argv[1]), int(sys.argv[2])
connect = connections.connect
count = 0

def traced(*arguments, **options):
    connection = connect(*arguments, **options)
    def seen(statement):
        global count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
    connection.set_trace_callback(seen)
    return connection

connections.connect = traced
connections.prepare(path)
print(count)
"""
"""Prepares a catalogue, and is killed at a statement of SQLite."""


async def test_killed_in_the_middle(old: Callable[[int], Path], tmp_path: Path) -> None:
    """After kill -9 in the migrations the catalogue has a whole format, and the next start completes them."""
    path = old(1)
    fresh = tmp_path / "fresh.db"
    shutil.copy(path, fresh)

    def prepare_until(statement: int) -> subprocess.CompletedProcess[str]:
        for left in path.parent.glob("gglib.db*"):
            left.unlink()
        shutil.copy(fresh, path)
        command = (sys.executable, "-c", DIES_AT, os.fspath(path), str(statement))
        return subprocess.run(command, check=False, capture_output=True, text=True)

    statements = int(prepare_until(0).stdout)
    seen = set()
    for at in range(2, statements, statements // 14):
        assert prepare_until(at).returncode == -signal.SIGKILL
        with closing(sqlite3.connect(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT count(*) FROM models").fetchone() == (5,)
        seen.add(version)
        assert lost(1, expected(1, path.parent), await rows_of(path)) == {}
    assert min(seen) == 1
    assert len(seen) > 3, "the kills were spread over the migrations"


@pytest.mark.parametrize("number", [number for number in NUMBERS if number < 8])
async def test_a_full_disk(number: int, old: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for the new tables the catalogue keeps a whole format, and migrates once there is room.

    Format 9 needs none: it only adds columns.
    """
    path = old(number)
    connect = sqlite_connection.connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(connections, "connect", small)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    assert number <= version < len(MIGRATIONS)
    assert lost(number, expected(number, path.parent), await rows_of(path)) == {}
