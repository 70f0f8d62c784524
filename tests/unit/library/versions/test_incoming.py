"""Incoming files are stored by content; files of no pull are swept, and foreign files stay."""

import asyncio
import fcntl
import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.library.versions.world import Store, arrive, hash_of, job_of, models_in, names_in

from gglib.core.errors import StorageError
from gglib.core.part_names import part_manifest_path, part_path
from gglib.library.versions.drafts import DraftFile, begin_draft
from gglib.library.versions.incoming import SWEEP_LOCK, Incoming, sweep_incoming
from gglib.library.versions.locks import HomeLocks
from gglib.system.files import locks

A, B = "s-" + "a" * 32, "u-" + "b" * 32
JOB = "0123456789abcdef"
BLOCK = 4096


@pytest.fixture
def incoming(tmp_path: Path) -> Incoming:
    """Return a new home's incoming files."""
    incoming = Incoming(models_in(tmp_path))
    incoming.prepare()
    return incoming


def put(path: Path, size_bytes: int = BLOCK) -> Path:
    """Write a file."""
    path.write_bytes(b"x" * size_bytes)
    return path


@contextmanager
def fetched(path: Path) -> Iterator[None]:
    """Hold what a fetch holds."""
    with part_manifest_path(path).open("w") as manifest:
        fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def test_key_names_a_file_below_incoming(incoming: Incoming, tmp_path: Path) -> None:
    """Only keys do: no other text becomes a path."""
    assert incoming.path(A) == tmp_path / "models" / ".incoming" / A
    for key in ("", "../x", "s-" + "a" * 31, "x-" + "a" * 32, "s-" + "A" * 32, f"{A}\n"):
        with pytest.raises(ValueError, match="key"):
            incoming.path(key)


def test_user_file_in_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    """It stays, and the error says to move it."""
    models = models_in(tmp_path)
    (models / ".incoming").write_text("mine")
    with pytest.raises(StorageError, match=r"\.incoming cannot be used .*move it away"):
        Incoming(models).prepare()
    assert (models / ".incoming").read_text() == "mine"


def test_present_bytes_count_once_and_without_holes(incoming: Incoming) -> None:
    """Whole files and parts count by their blocks; a file that two pulls share counts once."""
    put(incoming.path(A))
    with part_path(incoming.path(B)).open("wb") as part:
        part.truncate(100 * BLOCK)
        part.write(b"x" * BLOCK)
    assert incoming.bytes_here([A, B, A]) == 2 * BLOCK
    assert incoming.bytes_here(["s-" + "c" * 32]) == 0


def test_discarded_file_goes_with_its_part_and_manifest(incoming: Incoming) -> None:
    """The freed bytes are reported, and files in use stay."""
    for path in (incoming.path(A), incoming.path(B)):
        put(part_path(path))
        put(part_manifest_path(path))
    put(incoming.path(A))
    assert incoming.discard([A, B], in_use=[B]) == 3 * BLOCK
    assert names_in(incoming.directory) == [f"{B}.part", f"{B}.part.note"]
    assert incoming.discard([A], in_use=[]) == 0


def test_file_with_another_link_frees_nothing(incoming: Incoming) -> None:
    """The disk gets nothing back for a link of a version's file."""
    put(incoming.path(A))
    os.link(incoming.path(A), incoming.models_dir / "other")
    assert incoming.discard([A], in_use=[]) == 0
    assert names_in(incoming.directory) == []
    assert (incoming.models_dir / "other").stat().st_size == BLOCK


def test_file_that_is_being_fetched_is_not_discarded(incoming: Incoming) -> None:
    """While a fetch holds its manifest, all stays; then it is deleted."""
    path = incoming.path(A)
    put(part_path(path))
    with fetched(path):
        assert incoming.discard([A], in_use=[]) == 0
        assert incoming.sweep([]) == 0
        assert names_in(incoming.directory) == [f"{A}.part", f"{A}.part.note"]
    assert incoming.discard([A], in_use=[]) == BLOCK
    assert names_in(incoming.directory) == []


def test_on_a_full_disk_files_are_still_discarded(
    incoming: Incoming, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no space for a manifest to lock then, and none is needed."""
    put(incoming.path(A))

    def full(path: Path, **_: int) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(locks, "open_regular", full)
    assert incoming.discard([A], in_use=[]) == BLOCK
    assert names_in(incoming.directory) == []


@pytest.mark.parametrize("suffix", ["", ".part", ".part.note"])
def test_special_file_is_never_deleted(incoming: Incoming, suffix: str) -> None:
    """A user's directory or link that has the name of an incoming file stays."""
    outside = put(incoming.models_dir / "mine")
    path = incoming.directory / f"{A}{suffix}"
    path.mkdir()
    put(path / "mine")
    link = incoming.directory / f"{B}{suffix}"
    link.symlink_to(outside)
    incoming.discard([A, B], in_use=[])
    incoming.sweep([])
    assert (path / "mine").stat().st_size == BLOCK
    assert link.is_symlink()
    assert outside.read_bytes() == b"x" * BLOCK


def test_sweep_deletes_files_of_no_pull(incoming: Incoming) -> None:
    """Orphans, their parts and manifests, unfinished copies, and drafts go; other names stay."""
    for name in (A, f"{A}.part", f"{A}.part.note", f"{A}.copy-01234567", B, f"{B}.copy-01234567"):
        put(incoming.directory / name)
    users = [
        "mine.gguf",
        f"{A}.gguf",
        f"{A}.copy-x",
        f"x{A}",
        "x.copy-01234567",
        f"{JOB}.txt",
        f"{JOB}.version.bak",
    ]
    for name in users:
        put(incoming.directory / name)
    assert incoming.sweep([B]) == 5 * BLOCK
    assert names_in(incoming.directory) == sorted([B, *users])


def test_copy_with_a_live_writer_is_not_swept(incoming: Incoming) -> None:
    """Its writer has it locked."""
    path = put(incoming.directory / f"{A}.copy-01234567")
    with path.open() as copy:
        fcntl.flock(copy, fcntl.LOCK_EX)
        assert incoming.sweep([]) == 0
        assert path.exists()
    assert incoming.sweep([]) == BLOCK


def test_nothing_is_swept_during_a_pull(incoming: Incoming, tmp_path: Path) -> None:
    """A pull may be about to use a present file; the next sweep deletes what it left."""
    put(incoming.path(A))
    with HomeLocks(tmp_path).try_hold(f"pull-{JOB}"):
        assert incoming.sweep([]) == 0
    assert incoming.path(A).exists()
    assert incoming.sweep([]) == BLOCK


def test_home_without_incoming_files_is_swept(tmp_path: Path) -> None:
    """There is nothing to do, and no directory is made."""
    assert Incoming(tmp_path / "models").sweep([]) == 0
    assert names_in(tmp_path) == []


def test_drafts_of_ended_pulls_are_swept_and_others_stay(incoming: Incoming) -> None:
    """A draft goes with gglib's files in it; one of an unfinished pull stays."""
    content = b"x" * BLOCK
    for job in (JOB, "f" * 16):
        draft = incoming.directory / f"{job}.version"
        put(incoming.path(A)) if not incoming.path(A).exists() else None
        begin_draft(draft, [DraftFile(path="m.gguf", key=A, size_bytes=BLOCK, sha256=None)])
        os.link(incoming.path(A), draft / "m.gguf")
    incoming.sweep(["f" * 16, A])
    assert names_in(incoming.directory) == [f"{'f' * 16}.version", A]
    assert incoming.path(A).read_bytes() == content
    incoming.sweep([])
    assert names_in(incoming.directory) == []


def test_discarded_pull_leaves_no_draft(incoming: Incoming) -> None:
    """Its key selects its drafts; those of others stay."""
    put(incoming.path(A))
    for name in (f"{JOB}.version", f"{JOB}.version-2", f"{'f' * 16}.version"):
        begin_draft(
            incoming.directory / name, [DraftFile(path="m.gguf", key=A, size_bytes=BLOCK, sha256=None)]
        )
        os.link(incoming.path(A), incoming.directory / name / "m.gguf")
    incoming.discard([JOB, A], in_use=[A])
    assert names_in(incoming.directory) == [f"{'f' * 16}.version", A]
    assert incoming.discard([JOB, "f" * 16, A], in_use=[]) == BLOCK
    assert names_in(incoming.directory) == []


def test_files_in_a_swept_draft_are_swept_too(incoming: Incoming) -> None:
    """Without links the file is in the draft alone: it goes with it."""
    draft = incoming.directory / f"{JOB}.version"
    begin_draft(draft, [DraftFile(path="m.gguf", key=A, size_bytes=BLOCK, sha256=hash_of(b"x" * BLOCK))])
    put(draft / "m.gguf")
    assert incoming.sweep([]) == BLOCK
    assert names_in(incoming.directory) == []


async def test_catalogue_decides_what_is_in_use(tmp_path: Path) -> None:
    """Files of unfinished pulls stay; all others go."""
    models = models_in(tmp_path)
    job = job_of(models)
    incoming = arrive(job, models)
    put(incoming.path(A))
    store = Store(pulls=[job])
    await sweep_incoming(store, models)
    assert names_in(incoming.directory) == sorted(file.key for file in job.files)
    store.pulls = []
    (tmp_path / "locks").mkdir(exist_ok=True)
    (tmp_path / "locks" / f"pull-{job.key}.lock").touch()
    await sweep_incoming(store, models)
    assert names_in(tmp_path / "locks") == []
    assert names_in(incoming.directory) == []


async def test_sweep_waits_for_a_pull_that_is_being_recorded(tmp_path: Path) -> None:
    """Its files are not swept between the read of the catalogue and the deletion."""
    models = models_in(tmp_path)
    job = job_of(models)
    incoming = arrive(job, models)
    store = Store()
    with HomeLocks(tmp_path).try_hold(SWEEP_LOCK):
        sweeping = asyncio.ensure_future(sweep_incoming(store, models))
        await asyncio.wait([sweeping], timeout=0.2)
        store.pulls = [job]
    async with asyncio.timeout(20):
        assert await sweeping == 0
    assert names_in(incoming.directory) == sorted(file.key for file in job.files)


async def test_sweep_does_not_block_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting large files takes seconds: not on the loop's thread. Cancelled, it keeps its lock until the end."""
    started, gate = threading.Event(), threading.Event()

    def slow(_: Incoming, __: Collection[str]) -> int:
        started.set()
        assert gate.wait(20)
        return 0

    monkeypatch.setattr(Incoming, "sweep", slow)
    sweeping = asyncio.ensure_future(sweep_incoming(Store(), models_in(tmp_path)))
    assert await asyncio.to_thread(started.wait, 20)
    sweeping.cancel()
    await asyncio.sleep(0)
    assert HomeLocks(tmp_path).are_held(SWEEP_LOCK)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await sweeping
    assert not HomeLocks(tmp_path).are_held(SWEEP_LOCK)


async def test_stopped_process_does_not_block_all_others(tmp_path: Path) -> None:
    """A sweep that cannot get its lock is left to a later one: each command that opens the home begins with it."""
    incoming = Incoming(models_in(tmp_path))
    incoming.prepare()
    put(incoming.path(A))
    async with asyncio.timeout(20):
        with HomeLocks(tmp_path).try_hold(SWEEP_LOCK):
            assert await sweep_incoming(Store(), incoming.models_dir, timeout_s=0.01) == 0
        assert names_in(incoming.directory) == [A]
        assert await sweep_incoming(Store(), incoming.models_dir) == BLOCK
