"""A lock of a home has one holder, even if its file is removed or replaced."""

import asyncio
import errno
import fcntl
import os
import time
from pathlib import Path

import pytest
from tests.unit.library.versions.world import names_in

from gglib.core.errors import DownloadInProgressError, StorageError
from gglib.library.versions import locks as module
from gglib.library.versions.locks import HomeLocks
from gglib.system.files.small_files import open_regular


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HomeLocks:
    """Return the locks of a new home, which are tried only once."""
    monkeypatch.setattr(module, "TRY_HOLD_S", 0.0)
    return HomeLocks(tmp_path)


def test_a_lock_has_one_holder_and_leaves_no_file(locks: HomeLocks, tmp_path: Path) -> None:
    """A second holder is refused with a sentence; other names are free; nothing is left behind."""
    with locks.try_hold("pull-1"):
        with (
            pytest.raises(
                DownloadInProgressError,
                match="Another gglib process is working on the pull of 'm': wait for it",
            ),
            locks.try_hold("pull-1", what="the pull of 'm'"),
        ):
            pytest.fail("two holders")
        with locks.try_hold("pull-2"):
            assert names_in(tmp_path / "locks") == ["pull-1.lock", "pull-2.lock"]
    with locks.try_hold("pull-1"):
        pass
    assert names_in(tmp_path / "locks") == []


def test_failing_block_releases_the_lock(locks: HomeLocks) -> None:
    """The lock is free again after an error."""
    with pytest.raises(ZeroDivisionError), locks.try_hold("x"):
        raise ZeroDivisionError
    with locks.try_hold("x"):
        pass


def test_held_locks_are_listed(locks: HomeLocks, tmp_path: Path) -> None:
    """By the prefix of their names; files that are left and not held do not count."""
    assert not locks.are_held()
    with locks.try_hold("pull-1"):
        assert locks.are_held("pull-")
        assert locks.are_held()
        assert not locks.are_held("model-")
    (tmp_path / "locks" / "pull-2.lock").touch()
    (tmp_path / "locks" / "pull-3.lock").mkdir()
    assert not locks.are_held("pull-")


def test_lock_files_of_killed_pulls_are_swept(locks: HomeLocks, tmp_path: Path) -> None:
    """Empty files of pulls without a holder are deleted; a held one, and foreign files, stay."""
    directory, held = tmp_path / "locks", f"pull-{'1' * 16}"
    locks.sweep()
    assert names_in(tmp_path) == []
    with locks.try_hold(held):
        (directory / f"pull-{'0' * 16}.lock").touch()
        (directory / f"pull-{'2' * 16}.lock").write_text("mine")
        (directory / f"pull-{'3' * 16}.lock").mkdir()
        (directory / f"pull-{'4' * 16}.lock").symlink_to(tmp_path / "mine")
        (directory / "mine.lock").touch()
        locks.sweep()
        left = [f"{name}.lock" for name in (held, *(f"pull-{digit * 16}" for digit in "234"))]
        assert names_in(directory) == ["mine.lock", *left]
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "x\n", "a" * 201])
def test_only_plain_names_are_locks(locks: HomeLocks, name: str) -> None:
    """No other name becomes a path."""
    with pytest.raises(ValueError, match="no lock"), locks.try_hold(name):
        pass


def test_removed_lock_file_is_no_lock(locks: HomeLocks, tmp_path: Path) -> None:
    """Between open and lock the file may be removed; then the next one of that name counts."""
    path = tmp_path / "locks" / "x.lock"
    opened: list[int] = []

    def removed_once(name: Path, *, flags: int = os.O_RDONLY) -> int:
        descriptor = open_regular(name, flags=flags)
        if not opened:
            opened.append(descriptor)
            name.unlink()
        return descriptor

    module_open = pytest.MonkeyPatch()
    module_open.setattr(module, "open_regular", removed_once)
    try:
        with locks.try_hold("x"):
            assert path.exists()
            assert locks.are_held("x")
    finally:
        module_open.undo()


def test_lock_file_removed_by_a_user_is_not_removed_twice(locks: HomeLocks, tmp_path: Path) -> None:
    """The holder's release leaves the file of another holder."""
    path = tmp_path / "locks" / "x.lock"
    with locks.try_hold("x"):
        path.unlink()
        path.write_text("another one")
    assert path.read_text() == "another one"


@pytest.mark.parametrize("kind", ["directory", "link", "file above"])
def test_user_file_in_the_place_is_an_error(locks: HomeLocks, tmp_path: Path, kind: str) -> None:
    """It stays, and the sentence names it."""
    path = tmp_path / "locks"
    if kind == "file above":
        path.write_text("mine")
    else:
        path.mkdir()
        if kind == "directory":
            (path / "x.lock").mkdir()
        else:
            (path / "x.lock").symlink_to(tmp_path / "mine")
    with pytest.raises(StorageError, match=r"x\.lock cannot be written"), locks.try_hold("x"):
        pass
    assert not (tmp_path / "mine").exists()


def test_without_locks_every_caller_holds(locks: HomeLocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks blocks no process."""

    def none(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    with locks.try_hold("x"), locks.try_hold("x"):
        assert not locks.are_held()


async def test_lock_can_be_awaited(locks: HomeLocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The waiter is notified once, and continues after the release."""
    monkeypatch.setattr(module, "WAIT_STEP_S", 0.0)
    events: list[str] = []
    waiting = asyncio.Event()

    def on_wait() -> None:
        events.append("waits")
        waiting.set()

    async def second() -> None:
        async with locks.hold("x", on_wait):
            events.append("has it")

    async with locks.hold("x", lambda: pytest.fail("there is no wait")):
        task = asyncio.create_task(second())
        await waiting.wait()
        await asyncio.sleep(0)
        events.append("first ends")
    await task
    assert events == ["waits", "first ends", "has it"]


async def test_wait_can_be_cancelled(locks: HomeLocks) -> None:
    """A cancelled waiter holds nothing."""
    waiting = asyncio.Event()

    async def second() -> None:
        async with locks.hold("x", waiting.set):
            pytest.fail("it was held")

    with locks.try_hold("x"):
        task = asyncio.create_task(second())
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with locks.try_hold("x"):
        pass


def test_brief_check_refuses_no_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``are_held`` has the lock for an instant: a lock that is free a moment later is acquired without an error."""
    locks = HomeLocks(tmp_path)
    (tmp_path / "locks").mkdir()
    glance = (tmp_path / "locks" / "x.lock").open("w")
    fcntl.flock(glance, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: glance.close())
    with locks.try_hold("x"):
        assert os.path.lexists(tmp_path / "locks" / "x.lock")
