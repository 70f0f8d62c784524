"""Follows the requests of a server: ``gglib requests -f``. Survives restarts of the server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from gglib.cli.context import Options
from gglib.cli.history.sources import FINISHED, PAGE_SIZE, find_requests
from gglib.cli.history.unseen import KEPT_S, UnseenRequests
from gglib.cli.server.client import stream_events
from gglib.cli.server.instance import find_instance, server_endpoint
from gglib.cli.server.response_json import SNAPSHOT, UNNAMED, decoded, parse_event
from gglib.cli.server.watch import EVENTS_PATH, REQUEST_EVENTS_PATH, raise_unless_stopping
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError, UpstreamError
from gglib.core.history.matching import matches
from gglib.core.history.requests import RequestFilter, StoredRequest
from gglib.http.sse import SseEvent

_OPERATION = f"GET {EVENTS_PATH}"
REQUEST_FINISHED = "request_finished"
RECONNECT_S = 1.0
"""Interval of attempts to reach a server that has stopped."""

OVERLAP_S = 2.0
"""Requests are recorded in batches, so a later one may be seen before an earlier one."""

ShowRequest = Callable[[StoredRequest], None]
ShowNote = Callable[[str], None]


def follow(options: Options, wanted: RequestFilter, *, limit: int, show: ShowRequest, note: ShowNote) -> None:
    """Show the newest ``limit`` requests that fit, then each that ends, until Ctrl-C.

    A server that stops is waited for, with a note. Raises ``GglibError`` if there is none at the start, or it refuses.
    """
    asyncio.run(_Follower(options, wanted, limit, show, note).run())


class _Follower:
    def __init__(
        self, options: Options, wanted: RequestFilter, limit: int, show: ShowRequest, note: ShowNote
    ) -> None:
        self._options = options
        self._wanted = wanted
        self._limit = limit
        self._show = show
        self._note = note
        self._unseen = UnseenRequests()
        self._latest_s = self._floor_s = time.time()
        """End of the last request that was seen, and of the first that may be shown later: seconds since the epoch."""
        self._is_first = True
        self._is_waiting = False
        """Whether the stop of the server was noted."""

    async def run(self) -> None:
        server: Endpoint | None = server_endpoint(self._options)
        while True:
            if server is not None:
                try:
                    await self._until_closed(server)
                except UpstreamError:
                    if self._is_first:
                        raise
                except GglibError:
                    if self._is_first:  # the error of an older server without requests says more
                        await find_requests(server, self._wanted, limit=1, state=FINISHED)
                    raise
                self._note_stop(server)
            await asyncio.sleep(RECONNECT_S)
            server = self._find_server()

    async def _until_closed(self, server: Endpoint) -> None:
        """Show requests until the server stops. The stream is opened first: no request ends unseen in between."""
        async with stream_events(server, REQUEST_EVENTS_PATH) as events:
            await self._catch_up(server)
            if self._is_waiting:
                self._note(f"gglib at {server.url} responds again.")
            self._is_first = self._is_waiting = False
            async for request in self._finished(server, events):
                self._latest_s = max(self._latest_s, request.ended_at_s)
                if matches(request, self._wanted) and self._unseen.take_event(request):
                    self._show(request)

    async def _finished(
        self, server: Endpoint, events: AsyncIterator[SseEvent]
    ) -> AsyncIterator[StoredRequest]:
        """Yield the requests of the events; catches up at a snapshot, which may mean that events were lost."""
        is_snapshot_expected = True
        async for event in events:
            if event.name == UNNAMED:
                raise_unless_stopping(server, event, parse_event(server, _OPERATION, event))
                return
            if event.name == REQUEST_FINISHED:
                yield _request_of(server, event)
            elif event.name == SNAPSHOT and not is_snapshot_expected:
                await self._catch_up(server)
            is_snapshot_expected = False

    async def _catch_up(self, server: Endpoint) -> None:
        """Show the newest requests at the start, later those that ended since the last one that was seen."""
        if self._is_first:
            requests = await self._page(server, self._wanted, self._limit) if self._limit else ()
            self._latest_s = self._floor_s = requests[0].ended_at_s if requests else self._floor_s
        else:
            since_s = max(self._floor_s, self._latest_s - OVERLAP_S, self._wanted.since_s or 0.0)
            self._unseen.forget_before(since_s - KEPT_S)
            await self._page(server, replace(self._wanted, since_s=since_s), PAGE_SIZE)

    async def _page(self, server: Endpoint, wanted: RequestFilter, limit: int) -> tuple[StoredRequest, ...]:
        """Show the requests of a page that are new, and return the page."""
        requests = (await find_requests(server, wanted, limit=limit, state=FINISHED)).requests
        for request in self._unseen.take_page(requests):
            self._latest_s = max(self._latest_s, request.ended_at_s)
            self._show(request)
        return requests

    def _note_stop(self, server: Endpoint) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._note(f"gglib at {server.url} stopped; waiting for its next start.")

    def _find_server(self) -> Endpoint | None:
        """Return the server that runs now, whose port may be another one; None if there is none yet."""
        if self._options.remote is not None:
            return self._options.remote
        instance = find_instance(self._options.tolerant_settings(is_quiet=True))
        return None if instance is None else instance.endpoint


def _request_of(server: Endpoint, event: SseEvent) -> StoredRequest:
    """Return the request of an event. Raises ``GglibError``: an event that cannot be read is no lost connection."""
    try:
        return decoded(server, _OPERATION, parse_event(server, _OPERATION, event), StoredRequest)
    except UpstreamError as error:
        raise GglibError(str(error)) from error
