"""Publishing and deleting survive a kill before any of their file calls, and locks die with their processes."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from tests.unit.library.versions.world import (
    VISION,
    Store,
    arrive,
    contents_of,
    job_of,
    killed_at,
    known,
    models_in,
    names_in,
)

from gglib.core.errors import DownloadInProgressError
from gglib.library.versions import publishing
from gglib.library.versions.deleting import collect_retired
from gglib.library.versions.drafts import free_draft_path
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.layout import MANIFEST_NAME
from gglib.library.versions.locks import HomeLocks, try_exclusive
from gglib.library.versions.manifest import read_manifest
from gglib.library.versions.ownership import is_own
from gglib.library.versions.publishing import publish
from gglib.library.versions.sharing import link_or_copy

MAX_CALLS = 1000
HOLDER = """
import sys
from pathlib import Path
from gglib.library.versions.locks import HomeLocks, shared
kind, path = sys.argv[1], Path(sys.argv[2])
with HomeLocks(path).try_hold("pull-1") if kind == "home" else shared(path):
    print("held", flush=True)
    sys.stdin.read()
"""


def nothing(_: Path) -> None:
    """Prepare nothing."""


def kills(
    home: Path, action: Callable[[Path], object], prepare: Callable[[Path], None] = nothing
) -> Iterator[Path]:
    """Yield the ``models/`` of one home for each file call of an action, which was killed before that call."""
    for call in range(MAX_CALLS):
        models = models_in(home / str(call))
        arrive(job_of(models), models)
        prepare(models)
        was_killed = killed_at(call, lambda models=models: action(models))  # type: ignore[misc]
        yield models
        if not was_killed:
            assert call > 4, "the calls were not seen"
            return
    pytest.fail("there is no end of calls")


def refuse_links(*_: object, **__: object) -> None:
    """Simulate a file system without hard links."""
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("has_links", [True, False])
def test_publishing_survives_a_kill_before_each_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    """A file with the final name is complete; the next try gives the same version, once, and leaves nothing else."""
    if not has_links:
        monkeypatch.setattr(os, "link", refuse_links)
    before, after = 0, 0

    def run(models: Path) -> None:
        publish(job_of(models), Incoming(models), models)

    for models in kills(tmp_path, run):
        job = job_of(models)
        assert job.directory is not None
        if job.directory.exists():
            after += 1
            manifest = read_manifest(job.directory)
            assert manifest is not None
            assert all(map(is_own, manifest.files))
        else:
            before += 1
        incoming = Incoming(models)
        version = publish(job, incoming, models)
        assert version.directory == job.directory
        files = contents_of(job.directory)
        files.pop(MANIFEST_NAME)
        assert files == VISION
        assert names_in(job.directory.parent) == [job.directory.name]
        incoming.discard([file.key for file in job.files], in_use=[])
        incoming.sweep([])
        assert names_in(incoming.directory) == []
    assert before > 10
    assert after > 2


@pytest.mark.parametrize("last_step", ["write_manifest", "_sync_folders"])
def test_clearing_a_draft_survives_a_kill_before_each_call(tmp_path: Path, last_step: str) -> None:
    """The leftovers of a draft after two kills are cleared by the third try."""

    def stop(*_: object) -> None:
        raise ZeroDivisionError

    def leave_draft(models: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(publishing, last_step, stop)
            patch.setattr(publishing, "clear_draft", lambda _: False)
            with pytest.raises(ZeroDivisionError):
                publish(job_of(models), Incoming(models), models)

    def clear(models: Path) -> None:
        free_draft_path(models / ".incoming", job_of(models).key)

    for models in kills(tmp_path, clear, leave_draft):
        job = job_of(models)
        version = publish(job, Incoming(models), models)
        assert version.directory == job.directory
        assert names_in(models / ".incoming") == sorted(file.key for file in job.files)


def test_deleting_survives_a_kill_before_each_call(tmp_path: Path) -> None:
    """The next collection deletes the remaining files and the record; a user's file beside them stays."""

    def prepare(models: Path) -> Store:
        job = job_of(models)
        incoming = arrive(job, models)
        version = publish(job, incoming, models)
        incoming.discard([file.key for file in job.files], in_use=[])
        return Store(versions=[known(version)])

    for call in range(MAX_CALLS):
        models = models_in(tmp_path / str(call))
        store = prepare(models)
        (models / "mine").write_bytes(b"mine")
        was_killed = killed_at(call, lambda s=store, m=models: asyncio.run(collect_retired(s, m)))  # type: ignore[misc]
        asyncio.run(collect_retired(store, models))
        assert store.versions == []
        assert contents_of(models) == {"mine": b"mine"}
        assert names_in(models) == [".incoming", "mine"]
        if not was_killed:
            assert call > 10
            return
    pytest.fail("there is no end of calls")


def test_a_copy_has_its_name_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before any call, there is the complete file or none, and leftovers are swept."""
    monkeypatch.setattr(os, "link", refuse_links)

    def run(models: Path) -> None:
        incoming = Incoming(models)
        link_or_copy(incoming.path(job_of(models).files[0].key), incoming.path("s-" + "a" * 32))

    for models in kills(tmp_path, run):
        job = job_of(models)
        incoming = arrive(job, models)
        target = incoming.path("s-" + "a" * 32)
        assert not target.exists() or target.read_bytes() == VISION[job.files[0].name]
        incoming.sweep([target.name, *(file.key for file in job.files)])
        assert set(names_in(incoming.directory)) <= {target.name, *(file.key for file in job.files)}


@contextmanager
def holder(kind: str, path: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Start a process that holds a lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, kind, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process, process.stdin
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("ends_by", ["its own end", "a kill"])
def test_another_processs_lock_of_a_home_dies_with_it(tmp_path: Path, ends_by: str) -> None:
    """While the process lives the lock is refused or waited for; then both get it, and no file is left."""
    locks = HomeLocks(tmp_path)

    async def wait() -> None:
        waits = asyncio.Event()

        async def second() -> None:
            async with locks.hold("pull-1", waits.set):
                pass

        with holder("home", tmp_path) as (process, stdin):
            assert locks.are_held("pull-")
            with pytest.raises(DownloadInProgressError), locks.try_hold("pull-1"):
                pass
            task = asyncio.create_task(second())
            await waits.wait()
            assert not task.done()
            if ends_by == "a kill":
                process.send_signal(signal.SIGKILL)
            else:
                stdin.close()
            await asyncio.wait_for(task, timeout=60)
        assert not locks.are_held()

    asyncio.run(wait())
    assert names_in(tmp_path / "locks") == []


@pytest.mark.parametrize("is_directory", [True, False])
def test_another_process_keeps_a_version(tmp_path: Path, *, is_directory: bool) -> None:
    """A version can be deleted as soon as the process that held it was killed."""
    path = tmp_path / "held"
    path.mkdir() if is_directory else path.touch()
    with holder("version", path) as (process, _):
        with try_exclusive(path) as is_free:
            assert is_free is False
        process.send_signal(signal.SIGKILL)
        process.wait()
        with try_exclusive(path) as is_free:
            assert is_free is True
