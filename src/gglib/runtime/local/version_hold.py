"""Holds a model's files while they are used: no gglib deletes a version under a shared lock (``flock``).

The lock is this process's own. Its descriptor is closed at ``exec`` (Python opens with O_CLOEXEC, PEP 446), so neither
the engine nor what the engine starts inherits it: a grandchild that outlives the engine could otherwise hold a version
for ever. It is released by LOCK_UN and not by closing alone, because a child that was forked for another launch and has
not reached its ``exec`` shares the lock until then. When gglib is killed, the kernel drops the lock with the process
and the guard ends the engine; files that are deleted in between stay readable for it as long as it has them open.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gglib.core.errors import ModelFileNotFoundError, ModelLoadFailedError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.local.model_files import with_marks
from gglib.system.files.locks import lock_path

Resolve = Callable[[str], Awaitable[ModelLaunchSpec | None]]
"""Returns the launch spec that the catalogue has for a model's name now; None for an unknown one."""

LOCK_POLL_S = 0.02
LOCK_TIMEOUT_S = 30.0
"""The exclusive lock of a deletion lasts as long as unlinking some large files takes: seconds at the most."""


@dataclass(frozen=True, slots=True)
class _Lock:
    """A shared lock that is held; without a descriptor where the file system has no locks."""

    descriptor: int | None

    def release(self) -> None:
        if self.descriptor is not None:
            with suppress(OSError):
                fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            os.close(self.descriptor)


@asynccontextmanager
async def holding(spec: ModelLaunchSpec, resolve: Resolve | None = None) -> AsyncIterator[ModelLaunchSpec]:
    """Yield the spec with the marks of its files, which no gglib deletes before the block ends.

    A spec whose files were deleted because the model moved to a newer version is resolved again, once. Raises
    ``ModelFileNotFoundError`` where a file is gone, ``ModelLoadFailedError`` where a deletion does not end within
    ``LOCK_TIMEOUT_S``.
    """
    try:
        held, lock = await _hold(spec)
    except ModelFileNotFoundError:
        newer = None if resolve is None else await resolve(spec.model_name)
        if newer is None or newer.model_id != spec.model_id or newer.path == spec.path:
            raise
        held, lock = await _hold(newer)
    try:
        yield held
    finally:
        lock.release()


async def _hold(spec: ModelLaunchSpec) -> tuple[ModelLaunchSpec, _Lock]:
    lock = await _lock_shared(spec)
    try:
        return await asyncio.to_thread(with_marks, spec), lock
    except BaseException:
        lock.release()
        raise


async def _lock_shared(spec: ModelLaunchSpec) -> _Lock:
    if spec.hold_path is None:
        return _Lock(None)
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + LOCK_TIMEOUT_S
    while True:
        try:
            return await _in_thread(spec.hold_path)
        except (FileNotFoundError, NotADirectoryError):
            raise ModelFileNotFoundError(spec.model_name, is_own=True) from None
        except BlockingIOError:
            if loop.time() >= give_up_at:
                reason = "another gglib process has its files locked to delete them"
                raise ModelLoadFailedError(spec.model_name, reason) from None
        await asyncio.sleep(LOCK_POLL_S)


async def _in_thread(path: Path) -> _Lock:
    """Lock in a thread, because a disk may be slow; a lock that a cancelled caller does not get is released."""
    locking = asyncio.ensure_future(asyncio.to_thread(_lock, path))
    try:
        return await asyncio.shield(locking)
    except asyncio.CancelledError:
        locking.add_done_callback(_release_result)
        raise


def _release_result(locking: "asyncio.Future[_Lock]") -> None:
    if not locking.cancelled() and locking.exception() is None:
        locking.result().release()


def _lock(path: Path) -> _Lock:
    """Return a shared lock on a directory or file. Raises FileNotFoundError, NotADirectoryError or BlockingIOError."""
    try:
        return _Lock(lock_path(path, fcntl.LOCK_SH))
    except (FileNotFoundError, NotADirectoryError, BlockingIOError):
        raise
    except OSError:
        return _Lock(None)  # what cannot be opened for reading is reported by the reader of the files
