"""Locks a model's files while they are in use: gglib never deletes a version under a shared lock (``flock``).

The lock belongs to this process. Its descriptor is closed at ``exec`` (Python opens with O_CLOEXEC, PEP 446), so
neither the engine nor its children inherit it: a grandchild that outlives the engine could otherwise keep a version
locked for ever. It is released by LOCK_UN, not only by closing, because a child forked for another launch shares the
lock until its ``exec``. When gglib is killed, the kernel releases the lock and the guard kills the engine; files
deleted in between stay readable for the engine while it has them open.
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
"""Returns the catalogue's current launch spec for a model name; None if unknown."""

LOCK_POLL_S = 0.02
LOCK_TIMEOUT_S = 30.0
"""A deletion keeps its exclusive lock while it unlinks some large files: seconds at most."""


@dataclass(frozen=True, slots=True)
class _Lock:
    """A shared lock; without a descriptor if the file system does not support locks."""

    descriptor: int | None

    def release(self) -> None:
        if self.descriptor is not None:
            with suppress(OSError):
                fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            os.close(self.descriptor)


@asynccontextmanager
async def lock_version(
    spec: ModelLaunchSpec, resolve: Resolve | None = None
) -> AsyncIterator[ModelLaunchSpec]:
    """Lock the files of a spec for the length of the block, and yield the spec with their current marks.

    If the files were deleted because the model moved to a newer version, the spec is resolved again, once. Raises
    ``ModelFileNotFoundError`` if a file is missing, ``ModelLoadFailedError`` if a deletion takes longer than
    ``LOCK_TIMEOUT_S``.
    """
    try:
        locked, lock = await _lock_and_mark(spec)
    except ModelFileNotFoundError:
        newer = None if resolve is None else await resolve(spec.model_name)
        if newer is None or newer.model_id != spec.model_id or newer.path == spec.path:
            raise
        locked, lock = await _lock_and_mark(newer)
    try:
        yield locked
    finally:
        lock.release()


async def _lock_and_mark(spec: ModelLaunchSpec) -> tuple[ModelLaunchSpec, _Lock]:
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
    deadline = loop.time() + LOCK_TIMEOUT_S
    while True:
        try:
            return await _lock_in_thread(spec.hold_path)
        except (FileNotFoundError, NotADirectoryError):
            raise ModelFileNotFoundError(spec.model_name, is_own=True) from None
        except BlockingIOError:
            if loop.time() >= deadline:
                reason = "another gglib process has locked its files to delete them"
                raise ModelLoadFailedError(spec.model_name, reason) from None
        await asyncio.sleep(LOCK_POLL_S)


async def _lock_in_thread(path: Path) -> _Lock:
    """Lock in a thread, because a disk may be slow. If the caller is cancelled, the lock is released."""
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
        return _Lock(None)  # an unreadable file is reported later, when it is read
