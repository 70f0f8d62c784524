"""Sends periodic heartbeats on a waiting stream until the engine's response begins: SSE comments by default."""

import asyncio
from typing import Protocol, Self

from gglib.http.headers import Headers
from gglib.http.tasks import BackgroundTask
from gglib.proxy.response import Response


class HeartbeatForm(Protocol):
    """The form of heartbeats; an ``Exchange`` has one."""

    @property
    def stream_headers(self) -> Headers:
        """The headers of the stream."""
        ...

    def heartbeat(self) -> bytes:
        """Return one heartbeat."""
        ...


class Heartbeat:
    """Sends heartbeats during a block or until ``stop``; an interval of 0 s disables them.

    ``form`` None: SSE comments.

    Most streams begin before the first heartbeat is due. So a timer, which is cheap, waits for that moment and then
    starts the task.
    """

    __slots__ = ("_form", "_interval_s", "_response", "_task", "_timer")

    def __init__(self, response: Response, interval_s: float, form: HeartbeatForm | None = None) -> None:
        self._response = response
        self._form = form
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
        form = self._form
        while True:
            if form is None:
                await self._response.send_heartbeat()
            else:
                await self._response.send_heartbeat(form.heartbeat(), form.stream_headers)
            await asyncio.sleep(self._interval_s)
