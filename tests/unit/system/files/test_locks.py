"""Shared and exclusive locks on a path that may be replaced; a file system without locks grants all."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from gglib.system.files import locks
from gglib.system.files.locks import lock_path, shared, try_exclusive


@pytest.fixture(params=["file", "directory"])
def held(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a path that can be held."""
    path = tmp_path / "held"
    path.mkdir() if request.param == "directory" else path.touch()
    return path


def test_shared_locks_exclude_an_exclusive_one(held: Path) -> None:
    """Shared locks coexist; an exclusive one excludes all, and is acquired at once after their release."""
    with shared(held) as first, shared(held) as second:
        assert (first, second) == (True, True)
        with try_exclusive(held) as third:
            assert third is False
    with try_exclusive(held) as alone:
        assert alone is True
        with shared(held) as late, try_exclusive(held) as other:
            assert (late, other) == (False, False)


def test_missing_path_is_free_to_delete_and_not_to_use(tmp_path: Path) -> None:
    """A missing path, or one below a file, cannot be locked for use."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "nothing", tmp_path / "file" / "below"):
        with try_exclusive(path) as is_free, shared(path) as is_there:
            assert (is_free, is_there) == (True, False)


def test_special_file_is_not_locked(tmp_path: Path) -> None:
    """A FIFO does not block, and is not deleted."""
    os.mkfifo(tmp_path / "fifo")
    with try_exclusive(tmp_path / "fifo") as is_free:
        assert is_free is False


def test_unopenable_path_is_not_deleted(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine may still use it: no process can lock it for deletion."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(locks, "lock_path", refuse)
    with shared(held) as is_held, try_exclusive(held) as is_free:
        assert (is_held, is_free) == (True, False)


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, errno.EBADF, errno.EINVAL])
def test_without_locks_all_is_free(held: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """If a file system has no locks, every lock is granted."""

    def none(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", none)
    with shared(held) as is_held, try_exclusive(held) as is_free:
        assert (is_held, is_free) == (True, True)


def test_path_replaced_meanwhile_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is on the current file of the path, or is not acquired."""
    path, real = tmp_path / "held", fcntl.flock
    path.touch()
    replaced: list[int] = []

    def once(descriptor: int, operation: int) -> None:
        real(descriptor, operation)
        if not replaced:
            replaced.append(descriptor)
            (tmp_path / "new").touch()
            (tmp_path / "new").replace(path)

    monkeypatch.setattr(fcntl, "flock", once)
    descriptor = lock_path(path, fcntl.LOCK_EX)
    assert os.path.samestat(os.fstat(descriptor), path.stat())
    os.close(descriptor)


def test_path_replaced_repeatedly_is_not_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts end, as if another process held the lock."""
    path, real, openings = tmp_path / "held", fcntl.flock, []
    path.touch()

    def always(descriptor: int, operation: int) -> None:
        real(descriptor, operation)
        openings.append(descriptor)
        (tmp_path / "new").touch()
        (tmp_path / "new").replace(path)

    monkeypatch.setattr(fcntl, "flock", always)
    with shared(path) as is_held:
        assert is_held is False
    assert len(openings) == locks.MAX_ATTEMPTS
