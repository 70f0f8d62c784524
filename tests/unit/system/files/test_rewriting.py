"""Changes of one file by several processes: one after the other, as far as the system can lock."""

import fcntl
import os
from pathlib import Path

import pytest

from gglib.system.files import rewriting
from gglib.system.files.locks import lock_path
from gglib.system.files.rewriting import exclusive_change


def test_a_change_waits_for_another_one_but_not_for_ever(tmp_path: Path) -> None:
    """A suspended process may hold the lock."""
    held = lock_path(tmp_path, fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError, match="another process"), exclusive_change(tmp_path / "f", wait_s=0):
        pass
    os.close(held)
    with exclusive_change(tmp_path / "f", wait_s=0):
        pass


def test_a_directory_that_cannot_be_opened_is_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files may be writable all the same."""

    def denied(path: Path, operation: int) -> int:
        raise PermissionError(path, operation)

    monkeypatch.setattr(rewriting, "lock_path", denied)
    with exclusive_change(tmp_path / "f"):
        pass


def test_the_lock_ends_with_a_failed_change(tmp_path: Path) -> None:
    """The error passes."""
    with pytest.raises(ValueError, match="bad"), exclusive_change(tmp_path / "f"):
        raise ValueError("bad")
    os.close(lock_path(tmp_path, fcntl.LOCK_EX))
