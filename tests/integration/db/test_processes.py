"""Several processes, and several connections, on one catalogue."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gglib.core.errors import CatalogError
from gglib.core.models import NewModel
from gglib.db import SqliteCatalog
from gglib.db.connections import open_reader, writing
from gglib.db.lock import exclusive

KILL_WRITERS = Path(__file__).parents[3] / "scripts" / "kill_writers.py"

Adder = Callable[..., subprocess.Popen[bytes]]
Maker = Callable[..., NewModel]


def lock_of(path: Path) -> Path:
    """Return the path of the lock file beside the database."""
    return path.with_name("gglib.db.lock")


def write_dangling_row(path: Path) -> None:
    """Write a row that fails only at the commit."""
    with writing(path) as connection:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO tags VALUES (1, 0, 'x')")


class TestReadersAndWriters:
    async def test_a_reader_sees_another_process(self, catalog: SqliteCatalog, adding: Adder) -> None:
        """A process with an open catalogue lists the models that another process added."""
        assert await catalog.list_models() == []
        assert await asyncio.to_thread(adding("a", "b").wait) == 0
        assert [model.name for model in await catalog.list_models()] == ["a", "b"]
        assert await asyncio.to_thread(adding("c").wait) == 0
        assert await catalog.resolve_model("c") is not None

    async def test_eight_writers_at_once(self, path: Path, adding: Adder) -> None:
        """Eight processes that concurrently create the catalogue and add models all succeed, and no row is lost."""
        names = [[f"w{writer}-{row}" for row in range(5)] for writer in range(8)]
        writers = [adding(*each) for each in names]
        assert [await asyncio.to_thread(writer.wait) for writer in writers] == [0] * 8
        async with SqliteCatalog(path) as catalog:
            models = await catalog.list_models()
        assert sorted(model.name for model in models) == sorted(name for each in names for name in each)
        assert [model.id for model in models] == list(range(1, 41))

    async def test_a_writer_stops_no_reader(
        self, path: Path, catalog: SqliteCatalog, new_model: Maker
    ) -> None:
        """During a write, reads return the state before the write, and the next write waits off the event loop."""
        before = await catalog.add_model(new_model("a"))
        with writing(path) as connection:
            connection.execute("UPDATE models SET description = 'not yet'")
            second = asyncio.create_task(catalog.add_model(new_model("b")))
            assert await catalog.list_models() == [before]
            assert not second.done()
        assert (await second).name == "b"
        assert [model.description for model in await catalog.list_models()] == ["not yet", ""]

    @pytest.mark.usefixtures("catalog")
    async def test_a_writer_that_raises_changes_nothing(self, path: Path) -> None:
        """A block that fails, here in its commit, is rolled back, and releases the lock."""
        for _ in range(2):
            with pytest.raises(sqlite3.IntegrityError):
                write_dangling_row(path)
        with closing(open_reader(path)) as connection:
            assert connection.execute("SELECT * FROM tags").fetchall() == []

    async def test_the_log_does_not_grow(self, path: Path, catalog: SqliteCatalog, new_model: Maker) -> None:
        """Despite a permanent reader the write-ahead log is checkpointed after each write."""
        log = path.with_name("gglib.db-wal")
        for number in range(5):
            await catalog.add_model(new_model(f"m{number}"))
            await catalog.list_models()
            assert log.stat().st_size == 0


class TestWritersAreOne:
    def test_the_lock_is_waited_for_and_given_up(self, path: Path) -> None:
        """If the lock is not available in time, the process raises an error, and the holder keeps the lock."""
        with exclusive(lock_of(path)):
            for _ in range(2):
                with (
                    pytest.raises(CatalogError, match="Another gglib has locked"),
                    exclusive(lock_of(path), wait_s=0.01),
                ):
                    pass
        with exclusive(lock_of(path), wait_s=0):
            pass

    @pytest.mark.usefixtures("catalog")
    async def test_writing_takes_the_lock(self, path: Path) -> None:
        """The lock is held while a writable connection is open."""
        with writing(path), pytest.raises(CatalogError), exclusive(lock_of(path), wait_s=0):
            pass

    @pytest.mark.usefixtures("catalog")
    async def test_reading_needs_no_lock(self, path: Path) -> None:
        """A current catalogue can be opened, read and closed while another process holds the lock."""
        with exclusive(lock_of(path)):
            async with SqliteCatalog(path) as second:
                assert await second.list_models() == []

    @pytest.mark.usefixtures("catalog")
    async def test_a_reader_cannot_write(self, path: Path) -> None:
        """A reader changes nothing, and keeps the write-ahead log even if it is the last connection to close."""
        with (
            closing(open_reader(path)) as connection,
            pytest.raises(sqlite3.OperationalError, match="readonly"),
        ):
            connection.execute("DELETE FROM models")

    @pytest.mark.usefixtures("catalog")
    async def test_an_acknowledged_row_is_on_the_disk(self, path: Path) -> None:
        """Each commit is synced to disk, and deleting a model deletes its dependent rows."""
        with writing(path) as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
            assert connection.execute("PRAGMA fullfsync").fetchone() == (1,)
            assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


class TestKilledWriters:
    def test_no_acknowledged_row_is_lost(self) -> None:
        """Writers killed at random moments never damage the file or lose an acknowledged row."""
        done = run_kill_writers("--rounds", "10")
        assert done.returncode == 0, done.stdout
        assert "10 rounds, 20 writers killed" in done.stdout
        assert " 0 rows acknowledged" not in done.stdout

    def test_a_lost_row_would_be_noticed(self) -> None:
        """The script detects writers that acknowledge a row before they add it."""
        done = run_kill_writers("--rounds", "12", "--acknowledge-first")
        assert done.returncode == 1
        assert "was acknowledged and is lost" in done.stdout


def run_kill_writers(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the script, which is also used for the long run."""
    return subprocess.run(
        [sys.executable, KILL_WRITERS, *options], capture_output=True, text=True, timeout=120, check=False
    )
