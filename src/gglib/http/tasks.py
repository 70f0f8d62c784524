"""Tools for structured concurrency that asyncio lacks: a cancel scope, and background tasks that end with their owner.

This module has no knowledge of HTTP.
"""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self


async def run_until_first_ends(*coroutines: Coroutine[Any, Any, object]) -> set[asyncio.Task[object]]:
    """Run coroutines at once until one ends; cancel the others, also if the caller is cancelled, and wait for them.

    Returns the tasks of those that ended by themselves; their ``result`` raises what they raised.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return done


class CancelScope:
    """A block that other code may cancel with an exception, as ``asyncio.timeout`` does with TimeoutError.

    The exception is raised at the end of the block, after everything inside has been unwound. Cancellation from
    elsewhere passes through. ``owner`` is the task that will enter the block, if known: ``current_task`` takes as long
    as the rest of the scope (CPython 3.11 makes a system call for it).
    """

    __slots__ = ("_cancelling_before", "_owner", "_reason", "_task")

    def __init__(self, owner: asyncio.Task[Any] | None = None) -> None:
        self._owner = owner
        self._task: asyncio.Task[Any] | None = None
        self._cancelling_before = 0
        self._reason: Exception | None = None

    def __enter__(self) -> Self:
        task = self._owner or asyncio.current_task()
        if task is None:
            raise RuntimeError("A cancel scope needs a task.")
        self._task, self._cancelling_before = task, task.cancelling()
        return self

    def cancel_with(self, reason: Exception) -> None:
        """Cancel the block with ``reason``. Does nothing outside the block, or if it is already being cancelled."""
        if self._task is not None and self._reason is None:
            self._reason = reason
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._reason is None or task is None:
            return
        is_own_cancellation = task.uncancel() <= self._cancelling_before
        if is_own_cancellation and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise self._reason from None


class BackgroundTask:
    """A task that is cancelled at the end of an ``async with`` block, or earlier by ``stop``."""

    __slots__ = ("_task", "_work")

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task without a block: the caller must call ``stop``."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Cancel the task and wait for its end; raises its exception. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            # Either the background task was cancelled, or the current task, whose cancellation must propagate.
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise


class BackgroundTasks:
    """Tasks that outlive the block that started them, until ``close``."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task. ``work`` handles its own errors, unless the caller retrieves them from the task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait for their end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
