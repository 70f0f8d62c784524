"""Two tools of structured concurrency that asyncio lacks: ending a block from outside, and a task beside a block.

They know nothing of HTTP.
"""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self


class CancelScope:
    """A block that somebody else may end with an exception, as ``asyncio.timeout`` ends one with TimeoutError.

    The exception is raised where the block ends, after everything inside has been unwound; a cancellation that
    comes from elsewhere passes through untouched. ``owner`` is the task that will enter it, where that is known
    already: to ask for the current one takes as long as all the rest (CPython 3.11 makes a system call for it).
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
            raise RuntimeError("Only a task can be interrupted.")
        self._task, self._cancelling_before = task, task.cancelling()
        return self

    def cancel_with(self, reason: Exception) -> None:
        """End the block with ``reason``. Does nothing outside the block, nor when it is ending for another reason."""
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
    """A task that lives no longer than a block. ``stop`` ends it earlier and returns when it is over."""

    __slots__ = ("_task", "_work")

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; ``stop`` must follow, however things go."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Cancel the task and wait for its end; raises what it failed with. May be called again."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            # Either the companion's end, or somebody cancels this very task: that one must go on.
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
