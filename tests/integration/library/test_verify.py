"""Verification reads files again and compares them with their recorded hashes."""

import asyncio
import fcntl
import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gglib.core.models import ModelCapabilities, ModelEdit, ModelSettings, ModelSource, ModelSummary, NewModel
from gglib.core.verification import FileCheck, FileVerdict
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.library.add import AddRequest, add_model
from gglib.library.verify import OnRead, remember_hashes, verify_models
from gglib.library.versions.deleting import collect_retired
from gglib.system.files.hashing import BLOCK_BYTES, hash_file
from gglib.testing import FakeCatalog

if TYPE_CHECKING:
    from tests.integration.library.conftest import LibraryHarness
else:
    LibraryHarness = object

Writer = Callable[..., Path]
ZEROS = hashlib.sha256(bytes(10)).hexdigest()


def quiet(path: Path, done_bytes: int) -> None:
    """Ignore the progress."""


async def verify(*models: ModelSummary) -> list[FileCheck]:
    """Verify with the real hash, in a catalogue with these models."""
    return await verify_models(models, FakeCatalog(models), hash_file, quiet)


async def check_in(catalog: SqliteCatalog, *models: ModelSummary) -> list[FileCheck]:
    """Verify models of a catalogue."""
    return await verify_models(models, catalog, hash_file, quiet)


def model(*paths: Path, hashes: tuple[str | None, ...] = (), number: int = 1) -> ModelSummary:
    """Return a model with these files."""
    return ModelSummary(id=number, name=f"m{number}", paths=paths, hashes=hashes)


@pytest.fixture(name="path")
def make_path(tmp_path: Path) -> Path:
    """Return a file of ten zeros."""
    path = tmp_path / "a.gguf"
    path.write_bytes(bytes(10))
    return path


async def test_each_file_gets_a_verdict(tmp_path: Path, path: Path) -> None:
    """A file is good, different, missing, unreadable or of unknown hash; each verdict has the known hashes."""
    (tmp_path / "directory").mkdir()
    cases = {
        FileVerdict.GOOD: model(path, hashes=(ZEROS,)),
        FileVerdict.DIFFERS: model(path, hashes=("a" * 64,), number=2),
        FileVerdict.GONE: model(tmp_path / "none.gguf", hashes=(ZEROS,), number=3),
        FileVerdict.UNREADABLE: model(tmp_path / "directory", hashes=(ZEROS,), number=4),
        FileVerdict.UNKNOWN: model(path, number=5),
    }
    checks = await verify(*cases.values())
    assert [check.verdict for check in checks] == list(cases)
    assert [check.found for check in checks] == [ZEROS, ZEROS, None, None, ZEROS]
    assert [check.is_bad for check in checks] == [False, True, True, True, False]


async def test_the_hash_of_the_source_counts(path: Path) -> None:
    """A model with only the source's hash is compared with that, ignoring case."""
    old = replace(model(path), source=ModelSource(sha256=ZEROS.upper()))
    (check,) = await verify(old)
    assert check.verdict is FileVerdict.GOOD


async def test_a_shared_projector_is_read_once(path: Path, tmp_path: Path) -> None:
    """A file of two models is hashed once, and reported for both."""
    seeing = replace(model(tmp_path / "none"), projector=path, projector_sha256=ZEROS)
    read = []

    def counting(file: Path, on_read: OnRead) -> str:
        read.append(file)
        return hash_file(file, on_read)

    models = [seeing, replace(seeing, id=2)]
    checks = await verify_models(models, FakeCatalog(models), counting, quiet)
    assert [check.verdict for check in checks] == [FileVerdict.GONE, FileVerdict.GOOD] * 2
    assert read.count(path) == 1


def test_progress_is_reported_block_by_block(tmp_path: Path) -> None:
    """Progress of a file with three blocks is reported at the start and after each; the hash covers the whole file."""
    path = tmp_path / "big"
    content = bytes(2 * BLOCK_BYTES) + b"end"
    path.write_bytes(content)
    read_counts: list[int] = []
    assert hash_file(path, read_counts.append) == hashlib.sha256(content).hexdigest()
    assert read_counts == [0, BLOCK_BYTES, 2 * BLOCK_BYTES, len(content)]


async def test_a_cancelled_verification_stops_reading(path: Path) -> None:
    """Ctrl-C ends the thread at its next block, so that it does not read the rest of a large file."""
    has_begun, go_on, has_ended = threading.Event(), threading.Event(), threading.Event()

    def slow(file: Path, on_read: OnRead) -> str:
        has_begun.set()
        go_on.wait(10)
        try:
            on_read(1)
        except Exception:
            has_ended.set()
            raise
        return "it went on"

    verification = asyncio.create_task(verify_models([model(path)], FakeCatalog([model(path)]), slow, quiet))
    await asyncio.to_thread(has_begun.wait, 10)
    verification.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verification
    go_on.set()
    assert await asyncio.to_thread(has_ended.wait, 3)


def is_free(path: Path) -> bool:
    """Whether a gglib that deletes versions could lock this one now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


class TestVersions:
    async def test_an_update_in_the_meantime_deletes_nothing(self, harness: LibraryHarness) -> None:
        """The version is locked until its last file was read, and no file is reported as damaged (kind 6)."""
        old = await harness.pull(harness.version("ada/Q4-1", projector=b"eye"))
        old_version = await harness.known(old)
        newer = harness.version("ada/Q4-2", {"a.gguf": b"newer"}, projector=b"newer eye")
        loop, has_updated = asyncio.get_running_loop(), False

        def updating(file: Path, on_read: OnRead) -> str:
            nonlocal has_updated
            if not has_updated:
                has_updated = True
                asyncio.run_coroutine_threadsafe(harness.pull(newer, updates=old.id), loop).result(10)
                asyncio.run_coroutine_threadsafe(
                    collect_retired(harness.catalog, harness.models_dir), loop
                ).result(10)
            assert not is_free(old_version.hold_path)
            return hash_file(file, on_read)

        checks = await verify_models([old], harness.catalog, updating, quiet)
        assert [(check.path, check.verdict) for check in checks] == [
            (file.path, FileVerdict.GOOD) for file in old_version.files
        ]
        (deletion,) = await collect_retired(harness.catalog, harness.models_dir)
        assert len(deletion.gone) == 2
        assert is_free(newer.hold_path)

    async def test_a_model_that_moved_since_it_was_listed_is_read_as_it_is_now(
        self, harness: LibraryHarness
    ) -> None:
        """Files listed before an update are not expected: they are deleted, and that is not an error."""
        old = await harness.pull(harness.version("ada/Q4-1"))
        new = await harness.pull(harness.version("ada/Q4-2", {"a.gguf": b"newer"}), updates=old.id)
        await collect_retired(harness.catalog, harness.models_dir)
        (check,) = await verify_models([old], harness.catalog, hash_file, quiet)
        assert (check.path, check.verdict) == (new.paths[0], FileVerdict.GOOD)

    async def test_a_model_that_was_removed_since_is_left_out(self, harness: LibraryHarness) -> None:
        """It has no result."""
        old = await harness.pull(harness.version("ada/Q4-1"))
        await harness.remove()
        assert await verify_models([old], harness.catalog, hash_file, quiet) == []

    async def test_a_file_that_is_not_the_one_that_gglib_wrote(self, harness: LibraryHarness) -> None:
        """A replaced file is reported, whatever its content; damage of gglib's own file is a different result."""
        model = await harness.pull(
            harness.version("ada/Q4-1", {"a.gguf": b"one", "b.gguf": b"two", "c.gguf": b"three"})
        )
        first, second, third = model.paths
        first.write_bytes(b"ONE")
        second.unlink()
        second.write_bytes(b"two")
        before = third.stat()
        third.write_bytes(b"THREE")
        os.utime(third, ns=(before.st_atime_ns, before.st_mtime_ns))
        checks = await verify_models([model], harness.catalog, hash_file, quiet)
        assert [(check.verdict, check.is_replaced) for check in checks] == [
            (FileVerdict.DIFFERS, True),
            (FileVerdict.GOOD, True),
            (FileVerdict.DIFFERS, False),
        ]

    async def test_a_home_that_was_copied_is_known_again(self, harness: LibraryHarness) -> None:
        """A file with unknown device and inode is recognized by its content, and its numbers are recorded."""
        model = await harness.pull(harness.version("ada/Q4-1"))
        version = await harness.known(model)
        identity = version.files[0].identity
        await harness.catalog.update_identities(
            {version.files[0].path: replace(identity, device=None, inode=None)}
        )
        (check,) = await verify_models([model], harness.catalog, hash_file, quiet)
        assert (check.verdict, check.is_replaced) == (FileVerdict.GOOD, False)
        assert (await harness.known(model)).files[0].identity == identity


class TestRemembering:
    async def test_what_was_computed_is_compared_the_next_time(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """A file without a recorded hash is unknown first, good afterwards, and different after a change."""
        path = write(tmp_path / "a.gguf")
        added = await add_model(AddRequest(path=path), catalog, read_model)
        checks = await check_in(catalog, added)
        (remembered,) = await remember_hashes(checks, catalog, read_model)
        assert remembered.hashes == (hashlib.sha256(path.read_bytes()).hexdigest(),)
        assert replace(remembered, hashes=(), source=ModelSource()) == added
        assert await remember_hashes(await check_in(catalog, remembered), catalog, read_model) == []
        with path.open("ab") as file:
            file.write(b"!")
        (check,) = await check_in(catalog, remembered)
        assert check.verdict is FileVerdict.DIFFERS

    async def test_what_the_user_said_of_the_model_stays(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """Recording a hash keeps the kind that was set, and the facts of the header."""
        await add_model(AddRequest(path=write(tmp_path / "a.gguf")), catalog, read_model)
        added = await catalog.edit_model("a", lambda _: ModelEdit(settings=ModelSettings(kind="rerank")))
        assert added is not None
        (remembered,) = await remember_hashes(await check_in(catalog, added), catalog, read_model)
        assert replace(remembered, hashes=(), source=ModelSource()) == added
        back = await catalog.edit_model("a", lambda _: ModelEdit(settings=ModelSettings()))
        assert back is not None
        assert back.capabilities == ModelCapabilities()

    async def test_a_model_that_changed_meanwhile_is_left_as_it_is(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """A pull replaced a large file while it was read: the old hash does not apply to the new file."""
        path = write(tmp_path / "a.gguf")
        added = await add_model(AddRequest(path=path), catalog, read_model)
        checks = await check_in(catalog, added)
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
        """The model was removed and another one has its name: the hash is not recorded for that one."""
        added = await add_model(AddRequest(path=write(tmp_path / "a.gguf")), catalog, read_model)
        checks = await check_in(catalog, added)
        await catalog.remove_model("a")
        other = await add_model(AddRequest(path=write(tmp_path / "b.gguf", 2), name="a"), catalog, read_model)
        assert await remember_hashes(checks, catalog, read_model) == []
        assert await catalog.list_models() == [other]

    async def test_what_is_known_or_broken_is_not_remembered(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """A hash from the source is never replaced by that of the file on the disk."""
        path = write(tmp_path / "a.gguf")
        wrong = AddRequest(path=path, hashes=("a" * 64,))
        added = await add_model(wrong, catalog, read_model)
        assert await remember_hashes(await check_in(catalog, added), catalog, read_model) == []
        assert (await catalog.list_models())[0].hashes == ("a" * 64,)
