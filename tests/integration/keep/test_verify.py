"""Files are read again and compared with what is known of them."""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.models import ModelCapabilities, ModelSettings, ModelSource, ModelSummary, NewModel
from gglib.core.stream_hash import BLOCK_BYTES
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.usecases.add_model import AddRequest, add_model
from gglib.usecases.file_hash import hash_file
from gglib.usecases.verify_models import (
    FileCheck,
    FileVerdict,
    TellRead,
    remember_hashes,
    verify_models,
)

Writer = Callable[..., Path]
ZEROS = hashlib.sha256(bytes(10)).hexdigest()


def quiet(path: Path, done_bytes: int) -> None:
    """Hear how far it is."""


async def verify(*models: ModelSummary) -> list[FileCheck]:
    """Verify with the real hash."""
    return await verify_models(models, hash_file, quiet)


def model(*paths: Path, hashes: tuple[str | None, ...] = ()) -> ModelSummary:
    """Return a model of these files."""
    return ModelSummary(id=1, name="m", paths=paths, hashes=hashes)


@pytest.fixture(name="path")
def make_path(tmp_path: Path) -> Path:
    """Return a file of ten zeros."""
    path = tmp_path / "a.gguf"
    path.write_bytes(bytes(10))
    return path


async def test_each_file_gets_a_verdict(tmp_path: Path, path: Path) -> None:
    """A file is good, different, gone, unreadable, or of unknown right; each with both hashes as far as known."""
    (tmp_path / "directory").mkdir()
    cases = {
        FileVerdict.GOOD: model(path, hashes=(ZEROS,)),
        FileVerdict.DIFFERS: model(path, hashes=("a" * 64,)),
        FileVerdict.GONE: model(tmp_path / "none.gguf", hashes=(ZEROS,)),
        FileVerdict.UNREADABLE: model(tmp_path / "directory", hashes=(ZEROS,)),
        FileVerdict.UNKNOWN: model(path),
    }
    checks = await verify(*cases.values())
    assert [check.verdict for check in checks] == list(cases)
    assert [check.found for check in checks] == [ZEROS, ZEROS, None, None, ZEROS]
    assert [check.is_bad for check in checks] == [False, True, True, True, False]


async def test_the_hash_of_the_source_counts(path: Path) -> None:
    """A model of which only the source's hash is known is compared with that; capitals do not matter."""
    old = replace(model(path), source=ModelSource(sha256=ZEROS.upper()))
    (check,) = await verify(old)
    assert check.verdict is FileVerdict.GOOD


async def test_a_shared_projector_is_read_once(path: Path, tmp_path: Path) -> None:
    """A file of two models is hashed once, and told of both."""
    seeing = replace(model(tmp_path / "none"), projector=path, projector_sha256=ZEROS)
    read = []

    def counting(file: Path, tell: TellRead) -> str:
        read.append(file)
        return hash_file(file, tell)

    checks = await verify_models([seeing, replace(seeing, id=2)], counting, quiet)
    assert [check.verdict for check in checks] == [FileVerdict.GONE, FileVerdict.GOOD] * 2
    assert read.count(path) == 1


def test_progress_is_told_block_by_block(tmp_path: Path) -> None:
    """A file of three blocks is told of at the beginning and after each; the hash is that of all of it."""
    path = tmp_path / "big"
    content = bytes(2 * BLOCK_BYTES) + b"end"
    path.write_bytes(content)
    told: list[int] = []
    assert hash_file(path, told.append) == hashlib.sha256(content).hexdigest()
    assert told == [0, BLOCK_BYTES, 2 * BLOCK_BYTES, len(content)]


async def test_a_cancelled_verification_stops_reading(path: Path) -> None:
    """Ctrl-C ends the thread at its next block: nobody waits for the rest of a large file."""
    has_begun, go_on, has_ended = threading.Event(), threading.Event(), threading.Event()

    def slow(file: Path, tell: TellRead) -> str:
        has_begun.set()
        go_on.wait(10)
        try:
            tell(1)
        except Exception:
            has_ended.set()
            raise
        return "it went on"

    verification = asyncio.create_task(verify_models([model(path)], slow, quiet))
    await asyncio.to_thread(has_begun.wait, 10)
    verification.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verification
    go_on.set()
    assert await asyncio.to_thread(has_ended.wait, 3)


class TestRemembering:
    async def test_what_was_computed_is_compared_the_next_time(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """A file of which nobody said a hash is unknown first, good then, and different when it changed."""
        path = write(tmp_path / "a.gguf")
        added = await add_model(AddRequest(path=path), catalog, read_model)
        checks = await verify(added)
        (remembered,) = await remember_hashes(checks, catalog, read_model)
        assert remembered.hashes == (hashlib.sha256(path.read_bytes()).hexdigest(),)
        assert replace(remembered, hashes=(), source=ModelSource()) == added
        assert await remember_hashes(await verify(remembered), catalog, read_model) == []
        with path.open("ab") as file:
            file.write(b"!")
        (check,) = await verify(remembered)
        assert check.verdict is FileVerdict.DIFFERS

    async def test_what_the_user_said_of_the_model_stays(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """A hash that is remembered leaves the kind as set, and what the header says as it was."""
        await add_model(AddRequest(path=write(tmp_path / "a.gguf")), catalog, read_model)
        added = await catalog.change_model("a", settings=ModelSettings(kind="rerank"))
        assert added is not None
        (remembered,) = await remember_hashes(await verify(added), catalog, read_model)
        assert replace(remembered, hashes=(), source=ModelSource()) == added
        back = await catalog.change_model("a", settings=ModelSettings())
        assert back is not None
        assert back.capabilities == ModelCapabilities()

    async def test_a_model_that_changed_meanwhile_is_left_as_it_is(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """While a large file was read a pull put another one in its place: the old hash is not that one's."""
        path = write(tmp_path / "a.gguf")
        added = await add_model(AddRequest(path=path), catalog, read_model)
        checks = await verify(added)
        files = read_model(path)
        newer = NewModel(
            name="a",
            paths=files.paths,
            size_bytes=files.size_bytes,
            facts=files.facts,
            source=ModelSource(repo="ada/coder", sha256="b" * 64),
            hashes=("b" * 64,),
        )
        pulled = await catalog.replace_model("a", newer)
        assert await remember_hashes(checks, catalog, read_model) == []
        assert await catalog.list_models() == [pulled]

    async def test_another_model_of_the_name_is_left_as_it_is(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """The model went, and another one has its name: that one was not read."""
        added = await add_model(AddRequest(path=write(tmp_path / "a.gguf")), catalog, read_model)
        checks = await verify(added)
        await catalog.remove_model("a")
        other = await add_model(AddRequest(path=write(tmp_path / "b.gguf", 2), name="a"), catalog, read_model)
        assert await remember_hashes(checks, catalog, read_model) == []
        assert await catalog.list_models() == [other]

    async def test_what_is_known_or_broken_is_not_remembered(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """A hash that a source named is never replaced by that of what is there."""
        path = write(tmp_path / "a.gguf")
        wrong = AddRequest(path=path, hashes=("a" * 64,))
        added = await add_model(wrong, catalog, read_model)
        assert await remember_hashes(await verify(added), catalog, read_model) == []
        assert (await catalog.list_models())[0].hashes == ("a" * 64,)
