"""A database file replaced beside the write-ahead log, and the log index in use, of the former one."""

import asyncio
import logging
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gglib.core.errors import CatalogError
from gglib.core.models import GgufFacts, NewModel
from gglib.db import SqliteCatalog
from gglib.db.connections import prepare, writing
from gglib.db.home_paths import HomePaths
from gglib.db.migrations import KEEP_COMMIT_ID, MIGRATIONS, migrate
from gglib.db.rows import insert_model
from gglib.db.wal_identity import FileKind, parse_wal
from gglib.db.wal_repair import read_file, repair

FRAME_HEADER_BYTES = 24
LOG_HEADER_BYTES = 32
PAGE_BYTES = 4096

LIST_MODELS = """
import asyncio, sys
from pathlib import Path
from gglib.db import SqliteCatalog

async def main(path):
    async with SqliteCatalog(Path(path)) as catalog:
        print(*sorted(model.name for model in await catalog.list_models()))

asyncio.run(main(sys.argv[1]))
"""

HOME = HomePaths(Path("/home-of-no-file"))

Replace = Callable[[Path, Path], object]


def replace_in_place(source: Path, target: Path) -> None:
    """Overwrite a file as ``cp`` does: the inode stays."""
    target.write_bytes(source.read_bytes())


def replace_by_move(source: Path, target: Path) -> None:
    """Replace a file by another one as ``mv`` does."""
    copy = source.with_name("moved")
    shutil.copyfile(source, copy)
    copy.replace(target)


REPLACEMENTS = pytest.mark.parametrize("replace", [replace_in_place, replace_by_move])


def add(path: Path, *names: str) -> None:
    """Add models, each in a separate transaction."""
    for name in names:
        with writing(path) as connection:
            insert_model(connection, HOME, model_of(name), added_at=0)


def model_of(name: str) -> NewModel:
    """Return a model with a row in each table."""
    return NewModel(
        name=name,
        aliases=(f"alias-of-{name}",),
        tags=("a", "b"),
        paths=(Path(f"/models/{name}.gguf"),),
        size_bytes=1,
        facts=GgufFacts(architecture="llama", chat_template="x" * 500),
    )


def many(prefix: str, count: int) -> tuple[str, ...]:
    """Return ``count`` names."""
    return tuple(f"{prefix}{number}" for number in range(count))


def listed(path: Path) -> list[str]:
    """Return the names of the models that another process lists."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODELS, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def put(path: Path, content: bytes) -> None:
    """Write a file."""
    path.write_bytes(content)


def content_of(path: Path) -> bytes:
    """Read a file."""
    return path.read_bytes()


def beside(path: Path, pattern: str = "*") -> list[str]:
    """Return the names of the files beside the database, without lock and reserve."""
    return sorted(
        each.name
        for each in path.parent.glob(f"{path.name}{pattern}")
        if each != path and each.suffix not in {".lock", ".reserve"}
    )


def problems(path: Path) -> list[tuple[object, ...]]:
    """Return the damage that SQLite's integrity check reports."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchall()
        return [row for row in (*found, *connection.execute("PRAGMA foreign_key_check")) if row != ("ok",)]


def log_of(path: Path) -> Path:
    """Return the path of the write-ahead log."""
    return path.with_name(f"{path.name}-wal")


@contextmanager
def reader_in_the_way(path: Path) -> Iterator[None]:
    """Keep the block's writes in the write-ahead log, by a read transaction of another program."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM models").fetchall()
        yield


def left_log(path: Path, names: Sequence[str], more: Sequence[str]) -> Path:
    """Return a database with ``names``, and ``more`` only in its log, as a kill of all its processes leaves it."""
    prepare(path)
    add(path, *names)
    killed = path.parent / "killed"
    killed.mkdir()
    with reader_in_the_way(path):
        add(path, *more)
        for each in (path, log_of(path)):
            shutil.copyfile(each, killed / each.name)
    return killed / path.name


def pages_in(log: bytes) -> dict[int, bytes]:
    """Return the last content of each page in a log; all its transactions are committed."""
    pages = {}
    for start in range(LOG_HEADER_BYTES, len(log), FRAME_HEADER_BYTES + PAGE_BYTES):
        (number,) = struct.unpack_from(">I", log, start)
        pages[number] = log[start + FRAME_HEADER_BYTES : start + FRAME_HEADER_BYTES + PAGE_BYTES]
    return pages


class TestALeftLog:
    @REPLACEMENTS
    @pytest.mark.parametrize("count", [8, 40])
    @pytest.mark.parametrize("before", [0, 20])
    def test_a_backup_over_it(
        self, tmp_path: Path, path: Path, replace: Replace, count: int, before: int
    ) -> None:
        """A backup copied over a database replaces it, whatever the log beside it contains."""
        backup = tmp_path / "backup.db"
        add(backup, *many("b", count))
        killed = left_log(path, many("a", before), ("x", "y"))
        replace(backup, killed)
        assert listed(killed) == sorted(many("b", count))
        assert problems(killed) == []
        (aside,) = beside(killed)
        assert aside.startswith("gglib.db-wal.set-aside-")

    @REPLACEMENTS
    def test_an_older_state_of_the_same(self, tmp_path: Path, path: Path, replace: Replace) -> None:
        """An older copy is distinguished from the state at which the log begins."""
        backup = tmp_path / "backup.db"
        add(path, *many("a", 8))
        shutil.copyfile(path, backup)
        killed = left_log(path, many("c", 3), ("x",))
        replace(backup, killed)
        assert listed(killed) == sorted(many("a", 8))
        assert problems(killed) == []

    def test_said_in_a_sentence(self, tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """The log that is set aside is named in the application log, once."""
        backup = tmp_path / "backup.db"
        add(backup, "b")
        killed = left_log(path, ("a",), ("x",))
        content = log_of(killed).read_bytes()
        replace_in_place(backup, killed)
        with caplog.at_level(logging.WARNING, "gglib"):
            repair(killed)
            repair(killed)
        (aside,) = beside(killed, "-wal.*")
        assert [record.getMessage() for record in caplog.records] == [
            f"{killed} was replaced by another file: the write-ahead log of the previous file was set aside as {aside}."
        ]
        assert killed.with_name(aside).read_bytes() == content
        assert killed.with_name(aside).stat().st_mode & 0o777 == 0o600

    def test_a_log_of_another_program(self, tmp_path: Path, path: Path) -> None:
        """The log of another program is recognized as another database's, even if all its pages would fit."""
        backup, killed = tmp_path / "backup.db", tmp_path / "killed.db"
        add(backup, *many("b", 8))
        add(path, *many("a", 8))
        with reader_in_the_way(path), closing(sqlite3.connect(path)) as other:
            with other:
                other.execute("UPDATE models SET description = 'x'")
            shutil.copyfile(log_of(path), log_of(killed))
        shutil.copyfile(backup, killed)
        assert listed(killed) == sorted(many("b", 8))
        with closing(sqlite3.connect(killed)) as connection:
            assert connection.execute("SELECT DISTINCT description FROM models").fetchall() == [("",)]

    def test_a_pair_belongs_together(self, tmp_path: Path, path: Path) -> None:
        """A copy of the database with its log has every row, in any directory and over any file."""
        killed = left_log(path, many("a", 8), ("x", "y"))
        other = tmp_path / "other" / "gglib.db"
        other.parent.mkdir()
        left = left_log(other, many("o", 3), ("z",))
        for source, target in ((killed, left), (log_of(killed), log_of(left))):
            replace_in_place(source, target)
        assert listed(left) == sorted((*many("a", 8), "x", "y"))
        assert beside(left) == []
        assert problems(left) == []

    def test_a_log_of_an_older_gglib(self, tmp_path: Path) -> None:
        """A log without stamps is kept if database and log agree, and set aside if they do not."""
        old, backup = tmp_path / "old" / "gglib.db", tmp_path / "backup.db"
        add(backup, *many("b", 40))
        for directory in ("old", "agreeing", "contradicting"):
            (tmp_path / directory).mkdir()
        with closing(sqlite3.connect(old, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            migrate(connection, MIGRATIONS[: MIGRATIONS.index(KEEP_COMMIT_ID)])
            for name in many("a", 8):
                insert_older(connection, name)
            connection.execute("PRAGMA wal_checkpoint")
            insert_older(connection, "x")
            for directory in ("agreeing", "contradicting"):
                for each in (old, log_of(old)):
                    shutil.copyfile(each, tmp_path / directory / each.name)
        agreeing, contradicting = tmp_path / "agreeing" / "gglib.db", tmp_path / "contradicting" / "gglib.db"
        replace_in_place(backup, contradicting)
        assert listed(agreeing) == sorted((*many("a", 8), "x"))
        assert beside(agreeing) == []
        assert listed(contradicting) == sorted(many("b", 40))
        assert problems(contradicting) == []


def insert_older(connection: sqlite3.Connection, name: str) -> None:
    """Insert a model with the columns that every format has."""
    (model_id,) = connection.execute(
        "INSERT INTO models (description, size_bytes, architecture, can_chat, can_use_tools, can_reason, can_see,"
        " can_embed, engine_args, added_at) VALUES ('', 0, 'llama', 0, 0, 0, 0, 0, '[]', 0) RETURNING id"
    ).fetchone()
    connection.execute("INSERT INTO names VALUES (?, ?, ?, 0)", (name, name, model_id))
    connection.execute(
        "INSERT INTO model_paths (model_id, position, path) VALUES (?, 0, ?)", (model_id, f"/{name}.gguf")
    )


class TestAValidLogIsKept:
    def test_whatever_a_checkpoint_had_done(self, path: Path) -> None:
        """A kill after any number of checkpointed pages, in either order, loses no row."""
        killed = left_log(path, many("a", 8), (*many("x", 5), "y"))
        file, log = killed.read_bytes(), log_of(killed).read_bytes()
        pages = sorted(pages_in(log).items())
        assert len(pages) > 8
        expected = sorted((*many("a", 8), *many("x", 5), "y"))
        for order in (pages, pages[::-1]):
            torn = bytearray(file)
            for number, page in order:
                start = (number - 1) * PAGE_BYTES
                torn.extend(bytes(max(0, start - len(torn))))
                torn[start : start + PAGE_BYTES] = page
                killed.write_bytes(torn)
                log_of(killed).write_bytes(log)
                killed.with_name("gglib.db-shm").unlink(missing_ok=True)
                repair(killed)
                with closing(sqlite3.connect(f"file:{killed}?mode=ro", uri=True)) as connection:
                    names = connection.execute("SELECT spelling FROM names WHERE position = 0")
                    assert sorted(name for (name,) in names) == expected
        assert beside(killed, "-wal.*") == []

    @pytest.mark.parametrize("migrated", range(1, len(MIGRATIONS)))
    def test_whatever_a_migration_had_done(self, tmp_path: Path, path: Path, migrated: int) -> None:
        """The same for a database of each older format, killed in the checkpoint of its migration."""
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, MIGRATIONS[:migrated])
        killed = tmp_path / "killed.db"
        with reader_in_the_way(path):
            add(path, "a")
            file, log = path.read_bytes(), log_of(path).read_bytes()
        torn = bytearray(file)
        for number, page in sorted(pages_in(log).items()):
            start = (number - 1) * PAGE_BYTES
            torn.extend(bytes(max(0, start - len(torn))))
            torn[start : start + PAGE_BYTES] = page
            killed.write_bytes(torn)
            log_of(killed).write_bytes(log)
            killed.with_name("killed.db-shm").unlink(missing_ok=True)
            repair(killed)
            with closing(sqlite3.connect(f"file:{killed}?mode=ro", uri=True)) as connection:
                assert connection.execute("SELECT spelling FROM names WHERE position = 0").fetchall() == [
                    ("a",)
                ]
        assert beside(killed, "-wal.*") == []

    def test_of_another_program(self, path: Path) -> None:
        """Transactions that another program wrote into the log, before and after gglib's, are kept."""
        add(path, "a")
        killed = path.parent / "killed" / path.name
        killed.parent.mkdir()
        with reader_in_the_way(path), closing(sqlite3.connect(path)) as other:
            with other:
                other.execute("UPDATE models SET description = 'first'")
            add(path, "x")
            with other:
                other.execute("UPDATE models SET description = description || ' second'")
            for each in (path, log_of(path)):
                shutil.copyfile(each, killed.with_name(each.name))
        repair(killed)
        assert listed(killed) == ["a", "x"]
        with closing(sqlite3.connect(killed)) as connection:
            assert connection.execute("SELECT description FROM models").fetchall() == [
                ("first second",),
                (" second",),
            ]

    async def test_a_restore_by_another_program(
        self, tmp_path: Path, path: Path, catalog: SqliteCatalog
    ) -> None:
        """A backup that another program copies into a running server's database through SQLite is kept."""
        add(path, "a")
        add(tmp_path / "backup.db", *many("b", 3))
        with reader_in_the_way(path), closing(sqlite3.connect(path)) as target:
            with closing(sqlite3.connect(tmp_path / "backup.db")) as source:
                source.backup(target)
            assert sorted(model.name for model in await catalog.list_models()) == ["b0", "b1", "b2"]
            assert listed(path) == ["b0", "b1", "b2"]
        assert beside(path, "-wal.*") == []

    def test_half_a_copy_is_left_alone(self, tmp_path: Path, path: Path) -> None:
        """A file that is being copied over the database is not touched before it is complete."""
        add(tmp_path / "backup.db", *many("b", 40))
        killed = left_log(path, many("a", 8), ("x",))
        log = log_of(killed).read_bytes()
        half = (tmp_path / "backup.db").read_bytes()[: 10 * PAGE_BYTES]
        for content in (b"", half[:100], half):
            killed.write_bytes(content)
            repair(killed)
            assert killed.read_bytes() == content
            assert log_of(killed).read_bytes() == log
        replace_in_place(tmp_path / "backup.db", killed)
        assert listed(killed) == sorted(many("b", 40))


class TestInUse:
    @REPLACEMENTS
    @pytest.mark.parametrize("count", [1, 8, 40])
    async def test_replaced_under_a_server(
        self, tmp_path: Path, path: Path, catalog: SqliteCatalog, replace: Replace, count: int
    ) -> None:
        """A running and a new process both read a backup that replaces the database, and can write afterwards."""
        add(tmp_path / "backup.db", *many("b", count))
        added = await catalog.add_model(model_of("a"))
        assert await catalog.list_models() == [added]
        replace(tmp_path / "backup.db", path)
        assert sorted(model.name for model in await catalog.list_models()) == sorted(many("b", count))
        assert await asyncio.to_thread(listed, path) == sorted(many("b", count))
        await catalog.add_model(model_of("later"))
        await asyncio.to_thread(add, path, "last")
        names = sorted((*many("b", count), "later", "last"))
        assert sorted(model.name for model in await catalog.list_models()) == names
        assert await asyncio.to_thread(listed, path) == names
        await catalog.close()
        assert problems(path) == []
        assert beside(path) == []

    @REPLACEMENTS
    async def test_a_command_comes_first(
        self, tmp_path: Path, path: Path, catalog: SqliteCatalog, replace: Replace
    ) -> None:
        """A command that writes before the server's check writes into the backup, not into the old file."""
        add(tmp_path / "backup.db", *many("b", 40))
        await catalog.add_model(model_of("a"))
        replace(tmp_path / "backup.db", path)
        await asyncio.to_thread(add, path, "last")
        names = sorted((*many("b", 40), "last"))
        assert sorted(model.name for model in await catalog.list_models()) == names
        assert await asyncio.to_thread(listed, path) == names
        await catalog.close()
        assert problems(path) == []

    async def test_replaced_by_an_older_format(
        self, tmp_path: Path, path: Path, catalog: SqliteCatalog
    ) -> None:
        """A backup of an older gglib is migrated, and a running process reads it, too."""
        old = tmp_path / "old.db"
        with closing(sqlite3.connect(old)) as connection:
            connection.executescript(Path(__file__).with_name("format_1.sql").read_text(encoding="utf-8"))
        await catalog.add_model(model_of("a"))
        replace_in_place(old, path)
        assert len(await asyncio.to_thread(listed, path)) == 3
        assert [model.id for model in await catalog.list_models()] == [1, 3, 4]

    async def test_replaced_by_no_database(self, path: Path, catalog: SqliteCatalog) -> None:
        """A file that is not a database is reported, and a valid one in its place is read again."""
        added = await catalog.add_model(model_of("a"))
        await asyncio.to_thread(add, path)
        good = content_of(path)
        put(path, b"no database " * 5000)
        with pytest.raises(CatalogError, match="damaged"):
            await catalog.list_models()
        put(path, good)
        assert await catalog.list_models() == [added]


class TestCleanEnds:
    async def test_no_log_is_left(self, path: Path) -> None:
        """A server that exits after a command's write leaves a complete database without a log."""
        async with SqliteCatalog(path):
            await asyncio.to_thread(listed, path)
            async with SqliteCatalog(path) as command:
                await command.add_model(model_of("a"))
            assert log_of(path).stat().st_size == 0
        assert beside(path) == []
        assert read_file(path).kind is FileKind.READABLE
        assert listed(path) == ["a"]

    async def test_a_reader_empties_what_a_kill_left(self, path: Path) -> None:
        """A read-only command applies the log that a kill left, removes it, and keeps every row."""
        killed = left_log(path, ("a",), ("x",))
        assert parse_wal(log_of(killed).read_bytes()).commits == 1
        assert listed(killed) == ["a", "x"]
        assert beside(killed) == []

    async def test_killed_processes_leave_an_empty_log(self, path: Path, catalog: SqliteCatalog) -> None:
        """Acknowledged rows are in the database file, so a kill leaves a log without transactions."""
        for name in many("a", 5):
            await catalog.add_model(model_of(name))
            assert log_of(path).stat().st_size == 0
            assert read_file(path).kind is FileKind.READABLE
        shutil.copyfile(path, path.with_name("copy.db"))
        assert listed(path.with_name("copy.db")) == sorted(many("a", 5))


class TestRowsThatDoNotFit:
    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO names VALUES ('x', 'x', 99, 0)",
            "INSERT INTO model_paths (model_id, position, path) VALUES (99, 0, 'x')",
            "INSERT INTO tags VALUES (99, 0, 'x')",
            "DELETE FROM names",
            "DELETE FROM model_paths",
            "UPDATE models SET size_bytes = 'x'",
            "UPDATE models SET engine_args = '7'",
            "UPDATE model_paths SET path = 7",
            "DELETE FROM edition",
            "DROP TABLE tags",
        ],
    )
    async def test_is_damaged(self, path: Path, statement: str) -> None:
        """Inconsistent rows are reported as a damaged catalogue, with what to do."""
        add(path, "a")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)
        with pytest.raises(CatalogError, match=r"gglib\.db is damaged.*'gglib restore FILE'"):
            await SqliteCatalog(path).open()
