"""The directory of installed engines."""

from pathlib import Path

import pytest
from tests.unit.engine_store.test_record import RECORD

from gglib.core.errors import EngineInstallError
from gglib.engine_store.store import RECORD as RECORD_NAME
from gglib.engine_store.store import EngineStore, InstalledEngine, tree_bytes


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    """Return a store whose directory does not exist yet."""
    return EngineStore(tmp_path / "engines")


def add(store: EngineStore) -> InstalledEngine:
    """Add an engine of two files."""
    with store.locked():
        staging = store.new_staging()
        program = staging / RECORD.program
        program.parent.mkdir(parents=True)
        program.write_bytes(b"x" * 10)
        return store.publish(staging, RECORD)


def names(store: EngineStore) -> list[str]:
    """Return the names in the directory, without the lock."""
    return sorted(path.name for path in store.directory.iterdir() if path.name != ".lock")


def test_an_empty_store_has_no_engines(store: EngineStore) -> None:
    """Reading creates nothing."""
    assert store.engines() == []
    assert store.find("b1-cpu") is None
    assert store.containing(Path("/usr/bin/llama-server")) is None
    assert not store.directory.exists()


def test_a_published_engine_is_found(store: EngineStore) -> None:
    """By its name, and by the path of its program; nothing else is left."""
    engine = add(store)
    assert store.engines() == [engine]
    assert store.find(RECORD.name) == engine
    assert engine.program.read_bytes() == b"x" * 10
    assert store.containing(engine.program) == engine
    assert store.containing(store.directory) is None
    assert names(store) == [RECORD.name]


def test_a_link_to_a_program_leads_to_its_engine(store: EngineStore, tmp_path: Path) -> None:
    """A user may have linked it into a directory of the PATH."""
    engine = add(store)
    link = tmp_path / "llama-server"
    link.symlink_to(engine.program)
    assert store.containing(link) == engine


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b"[" * 100_000])
def test_a_directory_without_a_valid_record_is_no_engine(store: EngineStore, content: bytes | None) -> None:
    """It is skipped, and the others are listed."""
    engine = add(store)
    other = store.directory / "other"
    other.mkdir()
    if content is not None:
        (other / RECORD_NAME).write_bytes(content)
    assert store.engines() == [engine]
    assert store.find("other") is None


@pytest.mark.parametrize("name", ["../engines", "", ".", "..", ".staging", "/"])
def test_a_name_never_leads_elsewhere(store: EngineStore, name: str) -> None:
    """Names come from the command line."""
    add(store)
    assert store.find(name) is None


def test_a_second_process_does_not_wait(store: EngineStore) -> None:
    """It says what to do."""
    with (
        store.locked(),
        pytest.raises(EngineInstallError, match="Another gglib is installing or removing an engine: wait"),
        EngineStore(store.directory).locked(),
    ):
        pytest.fail("both hold the lock")


def test_what_a_crash_left_is_deleted_with_the_next_lock(store: EngineStore) -> None:
    """Also by a command that fails."""
    add(store)
    (store.directory / ".staging" / "abc" / "files").mkdir(parents=True)
    with store.locked():
        assert names(store) == [RECORD.name]
        (store.new_staging() / "x").touch()
    assert names(store) == [RECORD.name]


def test_a_removed_engine_is_gone_and_open_files_stay(store: EngineStore) -> None:
    """A process that runs keeps its files."""
    engine = add(store)
    with engine.program.open("rb") as file:
        with store.locked():
            store.remove(engine)
        assert names(store) == []
        assert file.read() == b"x" * 10
    assert store.engines() == []


def test_an_engine_that_is_gone_is_removed_again(store: EngineStore) -> None:
    """Two removals at once find the same engine before either has the lock."""
    engine = add(store)
    for _ in range(2):
        with store.locked():
            store.remove(engine)
    assert store.engines() == []


def test_downloads_of_other_builds_are_deleted(store: EngineStore) -> None:
    """Nothing would resume them."""
    with store.locked():
        store.keep_downloads(["a.zip"])
        store.downloads.mkdir()
        for name in ("a.zip.part", "a.zip.part.note", "b.zip", "b.zip.part"):
            (store.downloads / name).touch()
        store.keep_downloads(["a.zip"])
        assert sorted(path.name for path in store.downloads.iterdir()) == ["a.zip.part", "a.zip.part.note"]
        store.keep_downloads([])
    assert names(store) == []


def test_the_size_is_that_of_the_files(tmp_path: Path) -> None:
    """A file with two names is counted once, a link not at all."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(b"x" * 100)
    (tmp_path / "b").hardlink_to(tmp_path / "d" / "a")
    (tmp_path / "c").write_bytes(b"x" * 5)
    (tmp_path / "link").symlink_to(tmp_path / "c")
    assert tree_bytes(tmp_path) == 105
