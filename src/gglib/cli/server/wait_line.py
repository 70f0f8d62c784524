"""Shows a status line until a response begins. A thread follows the runtime's events meanwhile."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import Any

from gglib.cli.server.watch import Status, stream_status
from gglib.cli.terminal.status_line import FirstStatusLine, LiveStatusLine, StatusLine
from gglib.cli.views.running import advanced_by
from gglib.cli.views.waiting import wait_text
from gglib.core.addresses import Endpoint
from gglib.core.errors import UpstreamError

REDRAW_S = 0.25
"""Interval of redraws, which count on locally and send no request."""
RECONNECT_S = 1.0
"""Delay before reconnecting a closed event stream."""
REPORT_AFTER_S = 2.0
"""If stderr is a file or a pipe, a longer wait is reported there once."""

StatusSource = Callable[[], AbstractAsyncContextManager[AsyncIterator[Status]]]
"""Opens a stream of statuses: the current one, then one after each change."""


@contextmanager
def wait_line(server: Endpoint, model_name: str, *, initial_text: str | None = None) -> Iterator[None]:
    """Show on stderr what a request for the model waits for, until the block ends; the line is erased then.

    ``initial_text`` is shown until a status is known. If stderr is no terminal, only ``initial_text`` is shown, or,
    without it, one line for a long wait. If the status is not available, nothing is shown.
    """
    is_terminal = sys.stderr.isatty()
    line: StatusLine = LiveStatusLine() if is_terminal else FirstStatusLine()
    if initial_text is not None:
        line.show(initial_text)
    watch = StatusWatcher(lambda: stream_status(server), model_name, line)
    try:
        with _in_background(watch.live() if is_terminal else watch.once()):
            yield
    finally:
        line.close()  # later statuses in the thread are not shown


@contextmanager
def _in_background(work: Coroutine[Any, Any, None]) -> Iterator[None]:
    """Run ``work`` in a thread with its own event loop, and cancel it at the end of the block without joining."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    # A daemon: an unresponsive server must not prevent the program's exit.
    threading.Thread(target=run, name="wait-line", daemon=True).start()
    try:
        yield
    finally:
        with suppress(RuntimeError):  # the work has ended, and its loop is closed
            loop.call_soon_threadsafe(task.cancel)


class StatusWatcher:
    """Follows the status of a server, and shows what one request waits for. Never raises."""

    def __init__(self, follow: StatusSource, model_name: str, line: StatusLine) -> None:
        self._follow = follow
        self._model_name = model_name
        self._line = line
        self._since_s = time.monotonic()
        self._latest: tuple[Status, float] | None = None
        """The last status and the time of its arrival; None if unknown."""

    async def live(self) -> None:
        """Show changes and the elapsed time until cancelled. A short wait shows nothing."""
        await asyncio.sleep(REDRAW_S)
        following = asyncio.create_task(self._follow_with_reconnects())
        try:
            while True:
                self._line.show(self._text())
                await asyncio.sleep(REDRAW_S)
        finally:
            following.cancel()
            await asyncio.wait([following])

    async def once(self) -> None:
        """Show one sentence after ``REPORT_AFTER_S``."""
        await asyncio.sleep(REPORT_AFTER_S)
        with suppress(Exception):
            async with self._follow() as statuses:
                self._latest = await anext(statuses), time.monotonic()
            self._line.show(self._text())

    async def _follow_with_reconnects(self) -> None:
        """Keep the latest status; reconnects. Gives up if the server refuses: another version, or without events."""
        while True:
            try:
                await self._follow_until_closed()
            except UpstreamError:
                pass  # the connection broke
            except Exception:  # noqa: BLE001 - the status line is optional
                return
            finally:
                self._latest = None
            await asyncio.sleep(RECONNECT_S)

    async def _follow_until_closed(self) -> None:
        async with self._follow() as statuses:
            async for status in statuses:
                self._latest = status, time.monotonic()
                self._line.show(self._text())

    def _text(self) -> str | None:
        if self._latest is None:
            return None
        status, at_s = self._latest
        now_s = time.monotonic()
        try:
            return wait_text(advanced_by(status, now_s - at_s), self._model_name, now_s - self._since_s)
        except Exception:  # noqa: BLE001 - a status of another version
            return None
