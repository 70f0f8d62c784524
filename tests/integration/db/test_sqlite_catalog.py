"""The SQLite catalogue: stored values, refused values, and faults of its file."""

import asyncio
import hashlib
import os
import resource
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from gglib.core.errors import CatalogError, InvalidSettingError, ModelExistsError
from gglib.core.models import GgufFacts, ModelEdit, ModelSettings, ModelSummary, NewModel
from gglib.core.names import find_model
from gglib.db import SqliteCatalog
from gglib.db.connections import writing
from gglib.db.home_paths import HomePaths
from gglib.db.lock import exclusive, lock_path
from gglib.db.rows import insert_model

Maker = Callable[..., NewModel]

PAGE = 4096
"""The page size of the database in bytes."""


def put(path: Path, content: bytes) -> None:
    """Write a file."""
    path.write_bytes(content)


def content_of(path: Path) -> bytes:
    """Read a file."""
    return path.read_bytes()


def move(source: Path, target: Path) -> None:
    """Rename a file."""
    source.rename(target)


def write_now(path: Path, model: NewModel) -> None:
    """Add a model while the event loop is blocked."""
    with writing(path) as connection:
        insert_model(connection, HomePaths(path.parent), model, added_at=0)


class TestKeeping:
    async def test_survives_reopening(self, path: Path, new_model: Maker) -> None:
        """Added models are unchanged after closing and reopening the file."""
        async with SqliteCatalog(path) as catalog:
            added = await catalog.add_model(new_model("a", aliases=("b",), tags=("t",)))
        async with SqliteCatalog(path) as catalog:
            assert await catalog.list_models() == [added]

    async def test_dates_by_its_clock(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """A model gets its date, in whole seconds, from the catalogue's clock."""
        assert (await catalog.add_model(new_model("a"))).added_at == 1_700_000_000

    async def test_keeps_what_memory_needs(
        self, path: Path, catalog: SqliteCatalog, new_model: Maker
    ) -> None:
        """The values that determine the size of a context are stored, and the chat template as its hash."""
        facts = GgufFacts(
            architecture="llama",
            block_count=1,
            embedding_length=2,
            head_count=3,
            head_count_kv=4,
            key_length=5,
            value_length=6,
            vocabulary_size=7,
            chat_template="{{ x }}",
        )
        await catalog.add_model(new_model("a", facts=facts))
        columns = "block_count, embedding_length, head_count, head_count_kv, key_length, value_length, vocabulary_size"
        with closing(sqlite3.connect(path)) as connection:
            row = connection.execute(f"SELECT {columns}, chat_template_sha256 FROM models").fetchone()  # noqa: S608
        assert row == (1, 2, 3, 4, 5, 6, 7, hashlib.sha256(b"{{ x }}").hexdigest())

    async def test_a_path_that_is_not_unicode(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """A file name that is not valid UTF-8 is returned byte for byte, and identifies the model."""
        odd = Path(os.fsdecode(b"/models/\xff.gguf"))
        await catalog.add_model(new_model("a", paths=(odd,)))
        (model,) = await catalog.list_models()
        assert os.fsencode(model.paths[0]) == b"/models/\xff.gguf"
        with pytest.raises(ModelExistsError):
            await catalog.add_model(new_model("b", paths=(odd,)))

    async def test_equal_tags_are_one(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """A duplicate tag is stored once, at its first position."""
        assert (await catalog.add_model(new_model("a", tags=("x", "y", "x")))).tags == ("x", "y")

    @pytest.mark.parametrize(
        "directory", ["with blank", "a?mode=memory", "a#b", "100%41", "größe-模型", "a'b\"c"]
    )
    async def test_any_home(self, tmp_path: Path, directory: str, new_model: Maker) -> None:
        """The home may have any name, including special characters of URIs."""
        path = tmp_path / directory / "gglib.db"
        async with SqliteCatalog(path) as catalog:
            await catalog.add_model(new_model("a"))
        assert path.stat().st_size > 0
        assert os.listdir(tmp_path) == [directory]  # noqa: PTH208 - the names are compared


class TestRefusing:
    @pytest.mark.parametrize(
        "name", ["", " a", "a ", "a\n", "a\x00b", "a\x1b[31m", "a\u202eb", "\udcff", "7", "\u0667", "x" * 201]
    )
    async def test_names_that_cannot_be_used(
        self, catalog: SqliteCatalog, new_model: Maker, name: str
    ) -> None:
        """A name or alias is one line of 1 to 200 printable characters that cannot be mistaken for an id."""
        for model in (new_model(name), new_model("ok", aliases=(name,))):
            with pytest.raises(InvalidSettingError):
                await catalog.add_model(model)
        await catalog.add_model(new_model("ok"))
        with pytest.raises(InvalidSettingError):
            await catalog.edit_model("ok", lambda _: ModelEdit(aliases=(name,)))

    @pytest.mark.parametrize("name", ["org/model:Q4_K_M", "7b", "模型 7", "x" * 200, "a.b-c_d@e"])
    async def test_names_that_can(self, catalog: SqliteCatalog, new_model: Maker, name: str) -> None:
        """A name may have slashes, colons, inner blanks and letters of any script."""
        assert (await catalog.add_model(new_model(name))).name == name

    @pytest.mark.parametrize("aliases", [("A",), ("b", "B")])
    async def test_one_name_twice(
        self, catalog: SqliteCatalog, new_model: Maker, aliases: tuple[str, ...]
    ) -> None:
        """The names of a model are unique, ignoring case."""
        with pytest.raises(ModelExistsError):
            await catalog.add_model(new_model("a", aliases=aliases))

    @pytest.mark.parametrize(
        "fields",
        [
            {"paths": ()},
            {"tags": ("",)},
            {"settings": ModelSettings(context=0)},
            {"settings": ModelSettings(idle_ttl_s=-1.0)},
            {"settings": ModelSettings(idle_ttl_s=float("nan"))},
        ],
    )
    async def test_values_without_sense(
        self, catalog: SqliteCatalog, new_model: Maker, fields: dict[str, object]
    ) -> None:
        """A model without a file, an empty tag, and a context or time below the minimum are refused."""
        with pytest.raises(InvalidSettingError):
            await catalog.add_model(new_model("a", **fields))
        assert await catalog.list_models() == []

    async def test_one_file_twice(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """The shards of a model are different files."""
        with pytest.raises(ModelExistsError):
            await catalog.add_model(new_model("a", paths=(Path("/x"), Path("/x"))))

    async def test_a_number_too_large(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """A count that SQLite cannot store is a CatalogError, and the catalogue keeps working."""
        with pytest.raises(CatalogError):
            await catalog.add_model(new_model("a", facts=GgufFacts(architecture="x", parameter_count=2**63)))
        await catalog.add_model(new_model("a"))

    async def test_use_before_open_and_after_close(self, path: Path, new_model: Maker) -> None:
        """Using a closed catalogue is an error; opening and closing twice is not."""
        catalog = SqliteCatalog(path)
        with pytest.raises(CatalogError, match="not open"):
            await catalog.list_models()
        await catalog.open()
        await catalog.open()
        await catalog.close()
        await catalog.close()
        with pytest.raises(CatalogError, match="not open"):
            await catalog.add_model(new_model("a"))


class TestTheFile:
    @pytest.mark.parametrize(
        "content", [b"this is no database, " * 500, b"SQLite format 3\x00" + b"\xff" * 8000]
    )
    async def test_damaged(self, path: Path, content: bytes) -> None:
        """A file that is not a database is not changed, and the error says what to do."""
        put(path, content)
        with pytest.raises(CatalogError, match=r"gglib\.db is damaged.*: restore a backup"):
            await SqliteCatalog(path).open()
        assert content_of(path) == content

    async def test_damaged_within(self, path: Path, new_model: Maker) -> None:
        """Damage behind an intact first page is a CatalogError too."""
        async with SqliteCatalog(path) as catalog:
            await catalog.add_model(new_model("a"))
        content = content_of(path)
        put(path, content[:PAGE] + b"\xff" * (len(content) - PAGE))
        with pytest.raises(CatalogError, match="damaged"):
            await SqliteCatalog(path).open()

    async def test_a_row_edited_by_hand(self, path: Path, catalog: SqliteCatalog, new_model: Maker) -> None:
        """A value that another program made invalid is a CatalogError, not a crash."""
        await catalog.add_model(new_model("a"))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE models SET engine_args = '{'")
        with pytest.raises(CatalogError):
            await catalog.list_models()

    async def test_read_only_directory(self, read_only_path: Path) -> None:
        """A read-only home is refused in a sentence without the directory's path."""
        with pytest.raises(CatalogError, match="is writable") as caught:
            await SqliteCatalog(read_only_path).open()
        assert read_only_path.parent.name not in str(caught.value)

    async def test_home_is_a_file(self, path: Path) -> None:
        """A home that is a file is refused."""
        put(path, b"")
        with pytest.raises(CatalogError, match="home directory"):
            await SqliteCatalog(path / "gglib.db").open()

    async def test_database_is_a_directory(self, path: Path) -> None:
        """A directory in place of the database file is refused."""
        with pytest.raises(CatalogError, match="home directory"):
            await SqliteCatalog(path.parent).open()

    async def test_full_disk(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """A write without disk space raises an error, loses nothing, and succeeds when there is space again."""
        kept = await catalog.add_model(new_model("kept"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
        try:
            with pytest.raises(CatalogError, match="disk"):
                await catalog.add_model(new_model("lost"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await catalog.list_models() == [kept]
        again = await catalog.add_model(new_model("lost"))
        assert await catalog.list_models() == [kept, again]

    async def test_deleted(self, path: Path, catalog: SqliteCatalog, new_model: Maker) -> None:
        """A missing file is a CatalogError, without cached rows; a file put back is read again."""
        added = await catalog.add_model(new_model("a"))
        move(path, path.with_name("away.db"))
        with pytest.raises(CatalogError, match=r"gglib\.db cannot be used"):
            await catalog.list_models()
        move(path.with_name("away.db"), path)
        assert await catalog.list_models() == [added]

    async def test_replaced(
        self, tmp_path: Path, path: Path, catalog: SqliteCatalog, new_model: Maker
    ) -> None:
        """A catalogue that replaces an open one is read and written without reopening."""
        await catalog.add_model(new_model("old"))
        async with SqliteCatalog(tmp_path / "other.db") as other:
            added = await other.add_model(new_model("new"))
        (tmp_path / "other.db").replace(path)
        for suffix in ("-wal", "-shm"):  # they belong to the deleted file
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        assert await catalog.list_models() == [added]
        later = await catalog.add_model(new_model("later"))
        assert await catalog.list_models() == [added, later]

    async def test_locked_by_another_program(
        self, tmp_path: Path, path: Path, catalog: SqliteCatalog, new_model: Maker
    ) -> None:
        """While another program locks the file, reads immediately return the last known rows."""
        old = await catalog.add_model(new_model("old"))
        assert await catalog.list_models() == [old]
        async with SqliteCatalog(tmp_path / "other.db") as other:
            added = await other.add_model(new_model("new"))
        with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("UPDATE models SET description = 'x'")
            (tmp_path / "other.db").replace(path)
            assert await catalog.list_models() == [old]
            connection.rollback()
        assert [model.id for model in await catalog.list_models()] == [added.id]


class TestReadingFromMemory:
    async def test_unchanged_is_not_read_again(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """Without writes, reads return the identical objects."""
        await catalog.add_model(new_model("a"))
        first, second = await catalog.list_models(), await catalog.list_models()
        assert first[0] is second[0]
        await catalog.add_model(new_model("b"))
        assert (await catalog.list_models())[0] is not first[0]

    async def test_a_use_costs_its_readers_little(
        self, path: Path, catalog: SqliteCatalog, new_model: Maker
    ) -> None:
        """After another process records a use, the other models and all launch specs stay identical objects."""
        used, other = [await catalog.add_model(new_model(name)) for name in ("used", "other")]
        listed, spec = await catalog.list_models(), await catalog.resolve_for_launch("used")
        async with SqliteCatalog(path) as server:
            await server.note_use({used.id: 5})
        first, second = await catalog.list_models()
        assert (first.last_used_at, second.last_used_at) == (5, None)
        assert second is listed[1]
        assert second == other
        assert await catalog.resolve_model("used") is first
        assert await catalog.resolve_for_launch("used") is spec

    async def test_an_unknown_name_is_compared_with_all_names_once(
        self, path: Path, catalog: SqliteCatalog, new_model: Maker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Until the catalogue changes: a front asks for the names of its nodes' models with each request."""
        compared: list[str] = []

        def find(name: str, models: Sequence[ModelSummary]) -> ModelSummary | None:
            compared.append(name)
            return find_model(name, models)

        monkeypatch.setattr("gglib.db.snapshot.find_model", find)
        await catalog.add_model(new_model("a"))
        long = "x" * 300
        for name in ("remote", "remote", long, long):
            assert await catalog.resolve_for_launch(name) is None
        assert compared == ["remote", long, long]
        async with SqliteCatalog(path) as other:
            await other.add_model(new_model("Remote"))
        spec = await catalog.resolve_for_launch("remote")
        assert spec is not None
        assert spec.model_name == "Remote"

    async def test_what_is_known_is_not_written(
        self, path: Path, catalog: SqliteCatalog, new_model: Maker
    ) -> None:
        """Recording the same use again, that of a removed model, or none does not write to the disk."""
        added = await catalog.add_model(new_model("a"))
        await catalog.note_use({added.id: 5})
        lock = path.with_name("gglib.db.lock")
        lock.unlink()  # a writer would create it again
        await catalog.note_use({added.id: 5, 99: 1})
        await catalog.note_use({})
        assert not lock.exists()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE models SET description = 'x'",
            "UPDATE names SET spelling = 'B'",
            "UPDATE model_paths SET path = '/x'",
            "INSERT INTO tags VALUES (1, 0, 't')",
            "DELETE FROM names WHERE position = 1",
        ],
    )
    async def test_every_other_change_is_read(
        self, path: Path, catalog: SqliteCatalog, new_model: Maker, statement: str
    ) -> None:
        """A change in any table except uses is detected, whichever program made it."""
        added = await catalog.add_model(new_model("a", aliases=("b",)))
        assert await catalog.list_models() == [added]
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)
        assert await catalog.list_models() != [added]

    async def test_hashes_are_one_for_each_file(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """A wrong number of hashes is rejected, both when a model is added and when it is replaced."""
        await catalog.add_model(new_model("a"))
        odd = new_model("b", hashes=("00", "11"))
        for refused in (catalog.add_model(odd), catalog.replace_model("a", odd)):
            with pytest.raises(InvalidSettingError, match="2 hashes for 1 files"):
                await refused

    async def test_everybody_sees_what_he_wrote(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """Of many tasks that add and read concurrently, each reads the model that it has just added."""

        async def add_and_read(number: int) -> bool:
            added = await catalog.add_model(new_model(f"m{number}"))
            return added in await catalog.list_models()

        assert all(await asyncio.gather(*(add_and_read(number) for number in range(20))))

    async def test_a_load_under_way_may_be_too_old(self, path: Path, new_model: Maker) -> None:
        """A read that joins a load started before the last write loads again."""
        with ThreadPoolExecutor(max_workers=1) as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            async with SqliteCatalog(path) as catalog:
                write_now(path, new_model("a"))
                first = asyncio.create_task(catalog.list_models())
                await asyncio.sleep(0)  # starts its load ...
                executor.submit(
                    int
                ).result()  # ... which has read the file, though the loop has not been notified yet
                write_now(path, new_model("b"))
                assert [model.name for model in await catalog.list_models()] == ["a", "b"]
                assert "a" in [model.name for model in await first]

    async def test_a_cancelled_writer_leaves_when_its_write_has_ended(
        self, catalog: SqliteCatalog, path: Path, new_model: Maker
    ) -> None:
        """The resources of the write, such as a version's lock, are held until no row can change any more."""
        with exclusive(lock_path(path)):
            writer = asyncio.ensure_future(catalog.add_model(new_model("a")))
            await asyncio.wait([writer], timeout=0.1)
            writer.cancel()
            await asyncio.wait([writer], timeout=0.1)
            assert not writer.done()
        with pytest.raises(asyncio.CancelledError):
            await writer
        assert len(await catalog.list_models()) == 1

    async def test_a_cancelled_reader_spoils_nothing(self, catalog: SqliteCatalog, new_model: Maker) -> None:
        """Cancelling a reader during a reload does not affect other readers or closing."""
        await catalog.add_model(new_model("a"))
        reader = asyncio.create_task(catalog.list_models())
        other = asyncio.create_task(catalog.list_models())
        await asyncio.sleep(0)
        reader.cancel()
        assert len(await other) == 1
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert len(await catalog.list_models()) == 1
