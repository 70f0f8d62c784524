"""Sends periodic heartbeats on a waiting stream until the engine's response begins: SSE comments by default."""

import asyncio
from typing import Self

from gglib.http.tasks import BackgroundTask
from gglib.proxy.dialects.base import Exchange
from gglib.proxy.response import Response


class Heartbeat:
    """Sends heartbeats during a block or until ``stop``; an interval of 0 s disables them.

    ``exchange`` determines their form; None: SSE comments.

    Most streams begin before the first heartbeat is due. So a timer, which is cheap, waits for that moment and then
    starts the task.
    """

    __slots__ = ("_exchange", "_interval_s", "_response", "_task", "_timer")

    def __init__(self, response: Response, interval_s: float, exchange: Exchange | None = None) -> None:
        self._response = response
        self._exchange = exchange
        self._interval_s = interval_s
        self._timer: asyncio.TimerHandle | None = None
        self._task: BackgroundTask | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Start sending heartbeats, also after ``stop``."""
        if self._interval_s > 0 and self._timer is None and self._task is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._start_task)

    async def stop(self) -> None:
        """Stop sending heartbeats. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            task, self._task = self._task, None
            await task.stop()

    def _start_task(self) -> None:
        self._timer = None
        self._task = BackgroundTask(self._run)
        self._task.start()

    async def _run(self) -> None:
        exchange = self._exchange
        while True:
            if exchange is None:
                await self._response.send_heartbeat()
            else:
                await self._response.send_heartbeat(exchange.heartbeat(), exchange.stream_headers)
            await asyncio.sleep(self._interval_s)
