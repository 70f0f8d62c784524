"""Locks between processes: ``HOME/locks/NAME.lock``, and ``flock`` on versions."""

import asyncio
import contextlib
import fcntl
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from gglib.core.errors import DownloadInProgressError, StorageError
from gglib.library.versions.layout import JOB_KEY
from gglib.system.files.locks import (
    flock_if_possible,
    lock_file,
    shared,
    try_exclusive,
)
from gglib.system.files.small_files import open_regular

__all__ = ["DIRECTORY_NAME", "HomeLocks", "shared", "try_exclusive"]

DIRECTORY_NAME = "locks"
PULL_PREFIX = "pull-"
"""Prefix of the lock that a pull holds from before it is recorded until it ends: ``pull-JOBKEY``."""
WAIT_STEP_S = 0.05
TRY_HOLD_S = 0.05
"""How long ``try_hold`` retries, blocking: ``are_held`` holds a lock briefly."""
_TRY_HOLD_STEP_S = 0.005
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,199}")
_SUFFIX = ".lock"
_OF_PULL = re.compile(rf"{PULL_PREFIX}{JOB_KEY.pattern}{re.escape(_SUFFIX)}")


class HomeLocks:
    """The locks of one home, for any number of processes and tasks."""

    def __init__(self, home: Path) -> None:
        self._directory = home / DIRECTORY_NAME

    @contextmanager
    def try_hold(self, name: str, *, what: str = "it") -> Iterator[None]:
        """Hold a lock inside the block. ``what`` names the locked object in the error message.

        Raises ``DownloadInProgressError`` if another task or process holds it, and ``StorageError``.
        """
        descriptor = self._lock_soon(name)
        if descriptor is None:
            raise DownloadInProgressError(
                f"Another gglib process is working on {what}: wait for it, or stop it and run the same command again."
            )
        with self._held(name, descriptor):
            yield

    @asynccontextmanager
    async def hold(self, name: str, on_wait: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        """Wait for a lock and hold it inside the block; ``on_wait`` is called once if the lock is not free.

        Waits without a timeout: the system releases the lock of a process that dies. Raises ``StorageError``.
        """
        descriptor = self._lock(name)
        if descriptor is None:
            on_wait()
        while descriptor is None:
            await asyncio.sleep(WAIT_STEP_S)
            descriptor = self._lock(name)
        with self._held(name, descriptor):
            yield

    def are_held(self, prefix: str = "") -> bool:
        """Whether any task or process, including this one, holds a lock with this prefix."""
        return any(map(self._is_held, self._paths(prefix)))

    def has_any(self, prefix: str) -> bool:
        """Whether there is a lock file with this prefix, held or left by a killed process."""
        return bool(self._paths(prefix))

    def _paths(self, prefix: str) -> list[Path]:
        try:
            paths = list(self._directory.iterdir())
        except OSError:
            return []
        return [path for path in paths if path.name.startswith(prefix) and path.name.endswith(_SUFFIX)]

    def sweep(self) -> None:
        """Delete the empty lock files of killed pulls."""
        try:
            names = [path.name for path in self._directory.iterdir()]
        except OSError:
            return
        for name in names:
            if _OF_PULL.fullmatch(name):
                self._sweep(name.removesuffix(_SUFFIX))

    def _sweep(self, name: str) -> None:
        try:
            if self._path(name).lstat().st_size:
                return  # not written by gglib
            descriptor = self._lock(name)
        except (OSError, StorageError):
            return
        if descriptor is not None:
            with self._held(name, descriptor):
                pass

    def _is_held(self, path: Path) -> bool:
        try:
            descriptor = open_regular(path)
        except OSError:
            return False
        try:
            flock_if_possible(descriptor, fcntl.LOCK_SH)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    @contextmanager
    def _held(self, name: str, descriptor: int) -> Iterator[None]:
        try:
            yield
        finally:
            # Unlinked under the lock: a process that opened it meanwhile detects the missing file once it has the lock.
            path = self._path(name)
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), path.lstat()):
                    path.unlink()
            os.close(descriptor)

    def _lock_soon(self, name: str) -> int | None:
        deadline = time.monotonic() + TRY_HOLD_S
        while (descriptor := self._lock(name)) is None and time.monotonic() < deadline:
            time.sleep(_TRY_HOLD_STEP_S)
        return descriptor

    def _lock(self, name: str) -> int | None:
        """Return a descriptor that holds the lock; None if it is taken. Raises ``StorageError``."""
        path = self._path(name)
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            return lock_file(path)
        except BlockingIOError:
            return None
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written ({error.strerror}): free disk space, make it writable, or use another "
                "--home."
            ) from error

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"no lock has the name {name!r}")
        return self._directory / f"{name}{_SUFFIX}"
