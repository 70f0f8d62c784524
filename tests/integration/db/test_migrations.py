"""Migrations of a database to the current format, and the databases that are refused."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gglib.core.errors import CatalogError
from gglib.core.models import ModelEdit, ModelSettings, ModelSource, NewModel
from gglib.db import SqliteCatalog
from gglib.db.connections import writing
from gglib.db.home_paths import HomePaths, StoredPath
from gglib.db.migrations import MIGRATIONS, is_current, migrate

FIRST = "CREATE TABLE t (a); INSERT INTO t VALUES ('kept')"
SECOND = "ALTER TABLE t ADD COLUMN b; UPDATE t SET b = a"
BROKEN = "ALTER TABLE t ADD COLUMN b; SELECT * FROM missing"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """Yield an empty in-memory database in autocommit mode."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


@pytest.fixture
def empty_file(path: Path) -> Path:
    """Return the path of an empty file."""
    path.touch()
    return path


def version_of(connection: sqlite3.Connection) -> int:
    """Return the number of the last applied migration."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def test_from_nothing(connection: sqlite3.Connection) -> None:
    """An empty database gets every table and the number of the last migration."""
    assert not is_current(connection)
    migrate(connection)
    assert is_current(connection)
    assert version_of(connection) == len(MIGRATIONS)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"models", "names", "model_paths", "tags", "uses", "edition"} <= tables
    assert {"home", "versions", "version_files", "pulls"} <= tables


def test_only_what_is_missing(connection: sqlite3.Connection) -> None:
    """An older database keeps its rows and gets only the later migrations, once."""
    migrate(connection, (FIRST,))
    migrate(connection, (FIRST, SECOND))
    migrate(connection, (FIRST, SECOND))
    assert connection.execute("SELECT a, b FROM t").fetchall() == [("kept", "kept")]
    assert version_of(connection) == 2


@pytest.mark.parametrize(
    ("home", "stored"), [(None, "/nonexistent/models/m.gguf"), (Path("/nonexistent"), "models/m.gguf")]
)
def test_without_a_home_paths_stay_as_they_are(
    connection: sqlite3.Connection, home: Path | None, stored: str
) -> None:
    """Only the given home makes a path relative, independent of the machine's directories."""
    migrate(
        connection, (FIRST, "INSERT INTO t VALUES (stored_path('/nonexistent/models/m.gguf'))"), home=home
    )
    assert connection.execute("SELECT a FROM t").fetchall() == [("kept",), (stored,)]


def test_a_failure_undoes_its_migration_alone(connection: sqlite3.Connection) -> None:
    """A migration that fails midway is rolled back to the state after the previous one, with no open transaction."""
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, (FIRST, BROKEN))
    assert version_of(connection) == 1
    assert not connection.in_transaction
    assert [column[0] for column in connection.execute("SELECT * FROM t").description] == ["a"]


async def test_a_newer_database_is_refused(path: Path) -> None:
    """A database of a newer gglib is not changed, and the error says to upgrade."""
    async with SqliteCatalog(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(CatalogError, match=r"newer gglib.*upgrade gglib"):
        await SqliteCatalog(path).open()
    with closing(sqlite3.connect(path)) as connection:
        assert version_of(connection) == len(MIGRATIONS) + 1


async def test_migrated_under_an_open_catalogue(path: Path, catalog: SqliteCatalog) -> None:
    """A catalogue that a newer gglib migrates while it is open is no longer read: its tables may have changed."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(CatalogError, match="upgrade gglib"):
        await catalog.list_models()


async def test_another_programs_database_is_refused(path: Path) -> None:
    """A database with tables but without gglib's format number gets none of gglib's tables."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    with pytest.raises(CatalogError, match="another program"):
        await SqliteCatalog(path).open()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


async def test_an_empty_file_becomes_a_catalogue(empty_file: Path) -> None:
    """An empty file, left by a process that was killed at the very beginning, becomes a catalogue."""
    async with SqliteCatalog(empty_file) as catalog:
        assert await catalog.list_models() == []


FORMAT_1 = Path(__file__).with_name("format_1.sql")
"""Written by gglib with format 1: a sharded model from a hub, the starter, and a model with an odd path."""


@pytest.fixture
def old_path(path: Path) -> Path:
    """Return the path of a catalogue of format 1."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMAT_1.read_text(encoding="utf-8"))
    return path


async def test_format_1_is_kept_whole(old_path: Path) -> None:
    """All rows of an older gglib are kept, and its hash becomes that of the first file."""
    async with SqliteCatalog(old_path) as catalog:
        qwen, starter, odd = await catalog.list_models()
    assert (qwen.id, qwen.name, qwen.aliases) == (1, "Qwen/Qwen3-8B:Q4_K_M", ("qwen", "Ä"))
    assert qwen.settings == ModelSettings(context=16_384, engine_args=("--flash-attn", "on"), idle_ttl_s=1.5)
    assert (qwen.tags, qwen.added_at, qwen.last_used_at) == (("work", "big"), 1_700_000_000, None)
    assert (qwen.source.repo, qwen.source.origin, qwen.is_downloaded) == ("Qwen/Qwen3-8B-GGUF", None, False)
    assert qwen.hashes == ("00ff", None)
    assert qwen.chat_template_sha256 == hashlib.sha256(b"{{ messages }}").hexdigest()
    assert (odd.source, odd.hashes, odd.is_downloaded) == (ModelSource(), (), False)
    assert os.fsencode(odd.paths[0]) == b"/models/\xff.gguf"
    assert starter.hashes == ("5a" * 32,)


async def test_the_starter_of_format_1_was_downloaded(old_path: Path) -> None:
    """The starter, the only file that gglib itself had fetched, may later be deleted by gglib."""
    async with SqliteCatalog(old_path) as catalog:
        starter = await catalog.resolve_model("smollm2")
    assert starter is not None
    assert (starter.is_downloaded, starter.source.origin) == (True, "starter")


FORMAT_2 = Path(__file__).with_name("format_2.sql")
"""Written by gglib with format 2: a chat model with a projector, and an embedding model."""


async def test_format_2_is_kept_whole(path: Path) -> None:
    """Models from before the reranker kind are served as before: no kind is set, and the header defines the pooling."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMAT_2.read_text(encoding="utf-8"))
    async with SqliteCatalog(path) as catalog:
        chat, embedder = await catalog.list_models()
        spec = await catalog.resolve_for_launch("embedder")
        changed = await catalog.edit_model("chat", lambda _: ModelEdit(settings=ModelSettings(kind="rerank")))
    assert chat.settings == ModelSettings(context=2048, engine_args=("--threads", "1"), idle_ttl_s=60.0)
    assert (chat.capabilities.names(), chat.projector) == (("chat", "vision"), Path("/m/mmproj.gguf"))
    assert (chat.last_used_at, chat.hashes, chat.detected) == (1_700_000_060, ("aa" * 32,), None)
    assert (embedder.capabilities.names(), embedder.pooling, embedder.settings.kind) == (
        ("embedding",),
        None,
        None,
    )
    assert spec is not None
    assert (spec.capabilities.embedding, spec.pooling) == (True, None)
    assert changed is not None
    assert changed.capabilities.names() == ("rerank",)


async def test_format_1_is_written_to_afterwards(old_path: Path, new_model: Callable[..., NewModel]) -> None:
    """A migrated catalogue accepts new models and uses; ids continue."""
    async with SqliteCatalog(old_path) as catalog:
        added = await catalog.add_model(new_model("new"))
        await catalog.note_use({1: 5})
        models = await catalog.list_models()
    assert added.id == 5
    assert [model.last_used_at for model in models] == [5, None, None, None]


FORMAT_3 = Path(__file__).with_name("format_3.sql")
"""Written by gglib with format 3; ``/HOME`` and ``/LINK`` stand for the home and a link to the home.

A downloaded model in two shards with a projector, a model of the user's, a model whose name is not Unicode,
a model whose paths only look as if they were below the home, and one file under two spellings.
"""


@pytest.fixture
def format_3(path: Path) -> Path:
    """Return the path of a catalogue of format 3, in a home behind a symbolic link."""
    home, link = path.parent, path.parent.with_name("link")
    link.symlink_to(home)

    def placed(stored: str | bytes | None) -> str | bytes | None:
        if stored is None:
            return None
        text = os.fsencode(stored)
        for name, place in ((b"/HOME", home), (b"/LINK", link)):
            text = os.fsencode(place) + text.removeprefix(name) if text.startswith(name) else text
        return os.fsdecode(text) if isinstance(stored, str) else text

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(FORMAT_3.read_text(encoding="utf-8"))
        connection.create_function("placed", 1, placed)
        connection.execute("UPDATE model_paths SET path = placed(path)")
        connection.execute("UPDATE models SET projector = placed(projector)")
    return path


def stored_paths(path: Path) -> list[str | bytes]:
    """Return the stored paths of the models and their projectors."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT path FROM model_paths ORDER BY model_id, position").fetchall()
        rows += connection.execute("SELECT projector FROM models WHERE projector IS NOT NULL ORDER BY id")
        return [row[0] for row in rows]


async def test_format_3_gets_paths_relative_to_the_home(format_3: Path) -> None:
    """Paths below the home become relative to the home, and read the same; all others are unchanged."""
    home = format_3.parent
    async with SqliteCatalog(format_3) as catalog:
        coder, mine, odd, beside, linked, real = await catalog.list_models()
    folder = home / "models" / "ada" / "coder-GGUF"
    assert {
        (model.backend, model.settings.environment, model.settings.extra_args) for model in (coder, odd)
    } == {(None, (), ())}
    assert coder.paths == tuple(folder / f"coder-Q4-0000{shard}-of-00002.gguf" for shard in (1, 2))
    assert (coder.projector, coder.last_used_at) == (folder / "mmproj.gguf", 1_700_000_060)
    assert (coder.version_id, coder.is_downloaded, mine.is_downloaded) == (None, True, False)
    assert (mine.paths, mine.projector) == ((Path("/elsewhere/mine.gguf"),), Path("/elsewhere/mmproj.gguf"))
    assert odd.paths == (home / "models" / os.fsdecode(b"\xff.gguf"),)
    assert beside.paths == (Path(f"{home}-2/models/x.gguf"), Path(f"{home}/../x.gguf"))
    assert (linked.paths, real.paths) == (
        (home.with_name("link") / "models" / "a.gguf",),
        (home / "models" / "a.gguf",),
    )
    assert stored_paths(format_3) == [
        "models/ada/coder-GGUF/coder-Q4-00001-of-00002.gguf",
        "models/ada/coder-GGUF/coder-Q4-00002-of-00002.gguf",
        "/elsewhere/mine.gguf",
        b"models/\xff.gguf",
        f"{home}-2/models/x.gguf",
        f"{home}/../x.gguf",
        f"{home.with_name('link')}/models/a.gguf",
        "models/a.gguf",
        "models/ada/coder-GGUF/mmproj.gguf",
        "/elsewhere/mmproj.gguf",
    ]


async def test_a_home_that_is_reached_by_a_link_is_below_both(format_3: Path) -> None:
    """Paths of either spelling are below the home; of two rows with one file, the second keeps its path."""
    link = format_3.parent.with_name("link")
    async with SqliteCatalog(link / "gglib.db") as catalog:
        *_, linked, real = await catalog.list_models()
    assert linked.paths == (link / "models" / "a.gguf",)
    assert real.paths == (format_3.parent / "models" / "a.gguf",)
    assert stored_paths(format_3)[6:8] == ["models/a.gguf", f"{format_3.parent}/models/a.gguf"]


def test_a_migration_that_is_killed_converts_nothing(format_3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill at any path rolls format 4 back to format 3, and the next start converts the database."""
    before = stored_paths(format_3)
    for calls in range(len(before)):
        left = iter(range(calls))

        def dies(self: HomePaths, stored: StoredPath | None, left: Iterator[int] = left) -> StoredPath:
            if next(left, None) is None:
                raise RuntimeError
            return b"converted" + os.urandom(4)

        monkeypatch.setattr(HomePaths, "converted", dies)
        with pytest.raises(sqlite3.OperationalError), writing(format_3):
            pass
        assert stored_paths(format_3) == before
        with closing(sqlite3.connect(format_3)) as connection:
            assert version_of(connection) == 3
    monkeypatch.undo()
    with writing(format_3) as connection:
        assert version_of(connection) == len(MIGRATIONS)
    assert stored_paths(format_3)[0] == "models/ada/coder-GGUF/coder-Q4-00001-of-00002.gguf"
