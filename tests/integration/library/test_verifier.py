"""The verification of one model with progress, for the HTTP API."""

import asyncio
import hashlib
import threading
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.support.waiting import until

from gglib.core.errors import ModelNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.verification import FileVerdict, Verification, VerifyProgress
from gglib.library import verifier as verifier_module
from gglib.library.verifier import Verifier
from gglib.library.verify import OnRead
from gglib.system.files.hashing import hash_file
from gglib.testing import FakeCatalog

ZEROS = hashlib.sha256(bytes(10)).hexdigest()


@pytest.fixture(name="shards")
def make_shards(tmp_path: Path) -> ModelSummary:
    """Return a model of two files of ten zeros, the second of which is damaged."""
    paths = (tmp_path / "a.gguf", tmp_path / "b.gguf")
    paths[0].write_bytes(bytes(10))
    paths[1].write_bytes(b"1" * 10)
    return ModelSummary(id=1, name="m", paths=paths, hashes=(ZEROS, ZEROS))


class Blocks:
    """A hash function that reads block by block, when the test says so."""

    def __init__(self) -> None:
        self.next_block = threading.Semaphore(0)
        self.running = 0
        self.has_stopped = threading.Event()

    def hash(self, path: Path, on_read: OnRead) -> str:
        """Report a byte for each step, up to ten."""
        self.running += 1
        try:
            for done in range(1, 11):
                assert self.next_block.acquire(timeout=10)
                on_read(done)
            return hash_file(path)
        finally:
            self.running -= 1
            self.has_stopped.set()


async def test_the_result_is_the_last_step(shards: ModelSummary) -> None:
    """The first one has the sizes; each file has its verdict."""
    async with aclosing(Verifier(FakeCatalog([shards]), hash_file).verify("m")) as steps:
        first, *_, last = [step async for step in steps]
    assert first == VerifyProgress(file="a.gguf", done_bytes=0, total_bytes=20)
    assert isinstance(last, Verification)
    assert [check.verdict for check in last.checks] == [FileVerdict.GOOD, FileVerdict.DIFFERS]


async def test_an_unknown_model_is_an_error_of_the_first_step() -> None:
    """Nothing is read."""
    with pytest.raises(ModelNotFoundError):
        await anext(Verifier(FakeCatalog(), hash_file).verify("m"))


async def test_a_missing_file_counts_nothing(tmp_path: Path) -> None:
    """Its verdict is the result."""
    gone = ModelSummary(id=1, name="m", paths=(tmp_path / "none.gguf",))
    async with aclosing(Verifier(FakeCatalog([gone]), hash_file).verify("m")) as steps:
        first, last = [step async for step in steps]
    assert first == VerifyProgress(file="none.gguf", done_bytes=0, total_bytes=0)
    assert isinstance(last, Verification)
    assert last.checks[0].verdict is FileVerdict.GONE


async def test_progress_counts_all_files(shards: ModelSummary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second file starts where the first one ended."""
    monkeypatch.setattr(verifier_module, "PROGRESS_INTERVAL_S", 0.01)
    blocks = Blocks()
    async with (
        asyncio.timeout(10),
        aclosing(Verifier(FakeCatalog([shards]), blocks.hash).verify("m")) as steps,
    ):
        await anext(steps)
        blocks.next_block.release(10 + 4)
        async for step in steps:
            if step == VerifyProgress(file="b.gguf", done_bytes=14, total_bytes=20):
                break
        blocks.next_block.release(6)
        last = [step async for step in steps][-1]
    assert isinstance(last, Verification)


async def test_closing_stops_the_hashing(shards: ModelSummary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread ends at its next block, and the next verification begins."""
    monkeypatch.setattr(verifier_module, "PROGRESS_INTERVAL_S", 0.01)
    blocks = Blocks()
    verifier = Verifier(FakeCatalog([shards]), blocks.hash)
    async with asyncio.timeout(10):
        async with aclosing(verifier.verify("m")) as steps:
            await anext(steps)
            blocks.next_block.release()
            await anext(steps)
        blocks.next_block.release()
        await until(blocks.has_stopped.is_set)
        blocks.next_block.release(20)
        async with aclosing(verifier.verify("m")) as steps:
            assert isinstance([step async for step in steps][-1], Verification)


async def test_one_verification_reads_at_a_time(shards: ModelSummary) -> None:
    """The second one shows its sizes and waits."""
    blocks = Blocks()
    verifier = Verifier(FakeCatalog([shards]), blocks.hash)

    async def verify() -> Verification:
        async with aclosing(verifier.verify("m")) as steps:
            last = [step async for step in steps][-1]
        assert isinstance(last, Verification)
        return last

    async with asyncio.timeout(10):
        both = [asyncio.create_task(verify()) for _ in range(2)]
        await until(lambda: blocks.running == 1)
        blocks.next_block.release(20)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        await until(lambda: blocks.running == 1)
        blocks.next_block.release(20)
        await asyncio.gather(*both)


async def test_a_client_that_does_not_read_blocks_no_other(
    shards: ModelSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next verification begins when the files of the first one are hashed."""
    monkeypatch.setattr(verifier_module, "PROGRESS_INTERVAL_S", 0.01)
    blocks = Blocks()
    verifier = Verifier(FakeCatalog([shards]), blocks.hash)
    async with asyncio.timeout(3), aclosing(verifier.verify("m")) as unread:
        await anext(unread)
        blocks.next_block.release()
        await anext(unread)
        blocks.next_block.release(19 + 20)
        async with aclosing(verifier.verify("m")) as steps:
            assert isinstance([step async for step in steps][-1], Verification)
        assert isinstance([step async for step in unread][-1], Verification)
