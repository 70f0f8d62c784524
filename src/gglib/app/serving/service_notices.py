"""Notifies the service manager of the state of a server: ready, reloading, stopping, and that its event loop runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from gglib.app.service.plan import STOP_MARGIN_S
from gglib.system.service_manager import protocol
from gglib.system.service_manager.notifier import Notifier


class ServiceNotices:
    """The notifications of one server. Without a service manager they go nowhere."""

    def __init__(
        self, notifier: Notifier | None = None, *, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._notifier = notifier or Notifier()
        self._monotonic_ns = monotonic_ns
        self._status = ""
        self._is_ready = False

    def report_ready(self, status: str) -> None:
        """Report that the server listens; ``status`` is the line of ``systemctl status`` if none is set yet."""
        self._is_ready, self._status = True, self._status or status
        self._notifier.send(protocol.ready(self._status))

    def report_status(self, status: str) -> None:
        """Replace the line of ``systemctl status``; before the start is complete and during a stop it is not sent."""
        self._status = status
        if self._is_ready:
            self._notifier.send(protocol.status_line(status))

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Report a reload for the duration of the block. Before the start is complete and during a stop: nothing."""
        if not self._is_ready:
            yield
            return
        self._notifier.send(protocol.reloading(self._monotonic_ns()))
        try:
            yield
        finally:
            if self._is_ready:
                self._notifier.send(protocol.ready(self._status))

    def report_stop(self, responses: int, drain_s: float) -> None:
        """Report that the server stops, and how long that may take, whatever the unit says."""
        self._is_ready = False
        what = {0: "Stopping", 1: "Waiting for 1 response"}.get(
            responses, f"Waiting for {responses} responses"
        )
        self._notifier.send(protocol.stopping(what, timeout_s=drain_s + STOP_MARGIN_S))

    @asynccontextmanager
    async def watchdog(self) -> AsyncIterator[None]:
        """Notify the watchdog from the event loop during the block: a loop that hangs is restarted."""
        if self._notifier.watchdog_interval_s is None:
            yield
            return
        task = asyncio.create_task(self._notify_watchdog(self._notifier.watchdog_interval_s), name="watchdog")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _notify_watchdog(self, interval_s: float) -> None:
        while True:
            self._notifier.send(protocol.WATCHDOG)
            await asyncio.sleep(interval_s)
