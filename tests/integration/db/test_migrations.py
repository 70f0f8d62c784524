"""How a database becomes what this program needs, and which databases it refuses."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gglib.core.errors import CatalogError
from gglib.core.models import ModelSettings, ModelSource, NewModel
from gglib.db import SqliteCatalog
from gglib.db.migrations import MIGRATIONS, is_current, migrate

FIRST = "CREATE TABLE t (a); INSERT INTO t VALUES ('kept')"
SECOND = "ALTER TABLE t ADD COLUMN b; UPDATE t SET b = a"
BROKEN = "ALTER TABLE t ADD COLUMN b; SELECT * FROM missing"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """Return an empty database in memory, in autocommit mode."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


@pytest.fixture
def empty_file(path: Path) -> Path:
    """Return the path of a file without a byte in it."""
    path.touch()
    return path


def version_of(connection: sqlite3.Connection) -> int:
    """Return the number of the last migration."""
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


def test_only_what_is_missing(connection: sqlite3.Connection) -> None:
    """An older database keeps its rows and gets the later migrations only, once."""
    migrate(connection, (FIRST,))
    migrate(connection, (FIRST, SECOND))
    migrate(connection, (FIRST, SECOND))
    assert connection.execute("SELECT a, b FROM t").fetchall() == [("kept", "kept")]
    assert version_of(connection) == 2


def test_a_failure_undoes_its_migration_alone(connection: sqlite3.Connection) -> None:
    """A migration that fails half way leaves the database as the one before it did, in no transaction."""
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, (FIRST, BROKEN))
    assert version_of(connection) == 1
    assert not connection.in_transaction
    assert [column[0] for column in connection.execute("SELECT * FROM t").description] == ["a"]


async def test_a_newer_database_is_refused(path: Path) -> None:
    """A database of a newer gglib is not touched, and the error says to upgrade."""
    async with SqliteCatalog(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(CatalogError, match=r"newer gglib.*upgrade gglib"):
        await SqliteCatalog(path).open()
    with closing(sqlite3.connect(path)) as connection:
        assert version_of(connection) == len(MIGRATIONS) + 1


async def test_migrated_under_an_open_catalogue(path: Path, catalog: SqliteCatalog) -> None:
    """A catalogue that a newer gglib migrates meanwhile is no longer read, for its tables may mean other things."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(CatalogError, match="upgrade gglib"):
        await catalog.list_models()


async def test_another_programs_database_is_refused(path: Path) -> None:
    """A database that has tables but no number of ours gets none of our tables."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    with pytest.raises(CatalogError, match="another program"):
        await SqliteCatalog(path).open()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


async def test_an_empty_file_becomes_a_catalogue(empty_file: Path) -> None:
    """What a process that was killed at the very beginning leaves behind, an empty file, is no hindrance."""
    async with SqliteCatalog(empty_file) as catalog:
        assert await catalog.list_models() == []


FORMAT_1 = Path(__file__).with_name("format_1.sql")
"""What the gglib that knew format 1 wrote: a model from a hub in two shards, the starter, and one with an odd path."""


@pytest.fixture
def old_path(path: Path) -> Path:
    """Return the path of a catalogue of format 1."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMAT_1.read_text(encoding="utf-8"))
    return path


async def test_format_1_is_kept_whole(old_path: Path) -> None:
    """What an older gglib wrote is all there, and the hash that it knew is that of the first file."""
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
    """The one file that gglib fetched itself so far may be deleted by it later."""
    async with SqliteCatalog(old_path) as catalog:
        starter = await catalog.resolve_model("smollm2")
    assert starter is not None
    assert (starter.is_downloaded, starter.source.origin) == (True, "starter")


FORMAT_2 = Path(__file__).with_name("format_2.sql")
"""What the gglib that knew format 2 wrote: a chat model with a projector, and an embedding model."""


async def test_format_2_is_kept_whole(path: Path) -> None:
    """Models of before rerankers were known are served as they were: no kind is set, and the header pools."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMAT_2.read_text(encoding="utf-8"))
    async with SqliteCatalog(path) as catalog:
        chat, embedder = await catalog.list_models()
        spec = await catalog.resolve_for_launch("embedder")
        changed = await catalog.change_model("chat", settings=ModelSettings(kind="rerank"))
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
    """A migrated catalogue takes new models and uses; ids go on where they were."""
    async with SqliteCatalog(old_path) as catalog:
        added = await catalog.add_model(new_model("new"))
        await catalog.note_use({1: 5})
        models = await catalog.list_models()
    assert added.id == 5
    assert [model.last_used_at for model in models] == [5, None, None, None]
