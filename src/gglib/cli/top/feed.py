"""Follows a server for ``gglib top``: polls its status and requests, and reads its events. Reconnects by itself."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from gglib.cli.history.query import requests_path
from gglib.cli.history.sources import FINISHED, RUNNING
from gglib.cli.server.client import get_json_async, stream_events
from gglib.cli.server.instance import STATUS_PATH
from gglib.cli.server.nodes import NODES_PATH
from gglib.cli.server.response_json import SNAPSHOT, UNNAMED, parse_event
from gglib.cli.server.watch import EVENTS_PATH, REQUEST_EVENTS_PATH
from gglib.cli.top.data import (
    TopData,
    is_of_client,
    with_finished,
    with_running,
    with_status,
    with_swap,
    without_server,
)
from gglib.cli.top.decode import parse_finished, parse_nodes, parse_requests, parse_status, parse_swap
from gglib.cli.top.rates import RateMeter
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError, UpstreamError
from gglib.core.history.requests import RequestFilter
from gglib.http.sse import SseEvent
from gglib.http.tasks import run_until_first_ends

RUNNING_PATH = requests_path(RequestFilter(), limit=1, state=RUNNING)
FAILED_PATH = requests_path(RequestFilter(is_failed=True), limit=20, state=FINISHED)
TIMEOUT_S = 10.0
"""For one reading."""
RECONNECT_S = 1.0
MIN_READING_S = 0.25
"""Between two readings of the status, however many events arrive."""
WAITING = "Waiting for the server ..."


@dataclass(frozen=True, slots=True)
class Source:
    """A server, and when it started in seconds since the epoch; None if that is unknown."""

    server: Endpoint
    started_at: float | None = None


class Feed:
    """The data of a server, kept up to date while ``run`` runs."""

    def __init__(
        self, find: Callable[[], Source], *, interval_s: float, on_change: Callable[[], None] = lambda: None
    ) -> None:
        """``find`` returns the server, also after a restart at another address, and raises ``GglibError``."""
        self._find = find
        self._interval_s = interval_s
        self.on_change = on_change
        self._has_request_events = True
        self._wake = asyncio.Event()
        self._meter = RateMeter(time.monotonic())
        self._has_failed = False
        source = find()
        self.server = source.server
        self.data = TopData(url=source.server.url, started_s=_monotonic(source.started_at))

    async def start(self) -> None:
        """Read everything once. Raises ``GglibError`` if the server does not respond."""
        await self._read()

    async def run(self) -> None:
        """Follow the server until cancelled; while it does not respond, ``data.problem`` says so."""
        while True:
            try:
                await self.follow()
                problem = WAITING  # the stream of events has ended: the server stops
            except UpstreamError as error:
                problem = f"{WAITING} {error}"
            except GglibError as error:  # such as a revoked key
                problem = str(error)
            self.data = without_server(self.data, problem)
            self.on_change()
            await asyncio.sleep(RECONNECT_S)
            with suppress(GglibError):
                source = self._find()
                self.server = source.server
                started_s = _monotonic(source.started_at)
                self.data = replace(self.data, url=source.server.url, started_s=started_s)
                self.data = replace(self.data, has_requests=True, has_nodes=True)
                self._has_request_events = True  # another version may have been started

    async def follow(self) -> None:
        """Poll and read events until the server ends the stream. Raises ``GglibError``."""
        for ended in await run_until_first_ends(self._poll(), self._follow_events()):
            ended.result()

    async def _poll(self) -> None:
        while True:
            await self._read()
            self.on_change()
            self._wake.clear()
            await asyncio.sleep(min(MIN_READING_S, self._interval_s))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._interval_s - MIN_READING_S)):
                    await self._wake.wait()

    async def _read(self) -> None:
        content = await get_json_async(self.server, STATUS_PATH, "Status", timeout_s=TIMEOUT_S)
        self.data = with_status(self.data, parse_status(self.server, content), time.monotonic())
        if self.data.has_requests:
            await self._read_requests()
        if self.data.has_nodes:
            await self._read_nodes()
        self.data = replace(self.data, rates=self._meter.rates(time.monotonic()))

    async def _read_nodes(self) -> None:
        try:
            content = await get_json_async(self.server, NODES_PATH, timeout_s=TIMEOUT_S)
        except UpstreamError:
            raise
        except GglibError:  # an older server
            self.data = replace(self.data, has_nodes=False)
            return
        self.data = replace(self.data, nodes=parse_nodes(self.server, content))

    async def _read_requests(self) -> None:
        try:
            content = await get_json_async(self.server, RUNNING_PATH, timeout_s=TIMEOUT_S)
        except UpstreamError:
            raise
        except GglibError:  # an older server
            self.data = replace(self.data, has_requests=False)
            return
        running = parse_requests(self.server, content).running
        now_s = time.monotonic()
        self.data = with_running(self.data, running, now_s)
        self._meter.add_running(self.data.running, now_s)
        if not self._has_failed:
            await self._read_failed()

    async def _read_failed(self) -> None:
        """Read the last failed requests of the history, once; one that cannot be read has none."""
        try:
            content = await get_json_async(self.server, FAILED_PATH, timeout_s=TIMEOUT_S)
        except UpstreamError:
            raise
        except GglibError:
            self._has_failed = True
            return
        self._has_failed = True
        for request in parse_requests(self.server, content).requests:
            if is_of_client(request):
                ago_s = max(0.0, time.time() - request.ended_at_s)
                self.data = with_finished(self.data, request, time.monotonic() - ago_s)

    async def _follow_events(self) -> None:
        path = REQUEST_EVENTS_PATH if self._has_request_events else EVENTS_PATH
        try:
            async with stream_events(self.server, path) as events:
                async for event in events:
                    self._take(event)
                    if event.name == UNNAMED:  # the error that ends the stream
                        return
        except UpstreamError:
            raise
        except GglibError:  # an older server may refuse the parameter
            if not self._has_request_events:
                raise
            self._has_request_events = False
            await self._follow_events()

    def _take(self, event: SseEvent) -> None:
        if event.name == "request_started":  # the next reading has it, if it still runs
            return
        content: Mapping[str, Any] = parse_event(self.server, f"GET {EVENTS_PATH}", event)
        now_s = time.monotonic()
        if event.name == "request_finished":
            request = parse_finished(self.server, content)
            if is_of_client(request):
                self._meter.add_finished(request, now_s)
                self.data = with_finished(self.data, request, now_s)
        elif event.name == SNAPSHOT:
            self.data = with_status(self.data, parse_status(self.server, content), now_s)
        elif event.name == "swap":
            self.data = with_swap(self.data, parse_swap(self.server, content), now_s)
        if event.name != "request_finished":
            self._wake.set()


def _monotonic(epoch_s: float | None) -> float | None:
    """Return a time in seconds since the epoch as one of ``time.monotonic``."""
    return None if epoch_s is None else time.monotonic() - (time.time() - epoch_s)
