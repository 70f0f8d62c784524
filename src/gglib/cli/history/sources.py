"""Where the commands read the history: a running server, which has the last second, too, or the file of this home."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from gglib.cli.history.query import REQUESTS_PATH, USAGE_PATH, request_path, requests_path, usage_path
from gglib.cli.history.results import FoundRequests, ShownBodies, ShownRequest, UsageReport
from gglib.cli.server.response_json import decoded
from gglib.core.history.requests import RequestFilter
from gglib.core.history.usage import UsageQuery, total_usage

if TYPE_CHECKING:
    from gglib.cli.context import Options
    from gglib.core.addresses import Endpoint
    from gglib.core.history.records import RecordedBodies
    from gglib.core.ports.history import RequestSearchPort

PAGE_SIZE = 1000
"""The largest page of ``GET /gglib/requests``."""
RUNNING, FINISHED = "running", "finished"
"""Values of the query's ``state``."""


class HistorySource(Protocol):
    """Reads requests and usage. Failures are a ``GglibError``."""

    def find(
        self, wanted: RequestFilter, *, limit: int, state: str | None = None, before: int | None = None
    ) -> FoundRequests:
        """Return one page of requests, at most ``PAGE_SIZE``."""
        ...

    def show(self, request: str) -> ShownRequest:
        """Return a request by its number or id."""
        ...

    def usage(self, query: UsageQuery) -> UsageReport:
        """Return the usage."""
        ...


class ServerHistory:
    """The history of a running server."""

    def __init__(self, server: "Endpoint") -> None:
        self._server = server

    def find(
        self, wanted: RequestFilter, *, limit: int, state: str | None = None, before: int | None = None
    ) -> FoundRequests:
        """Return one page of requests, without ``before`` with those in progress."""
        return asyncio.run(find_requests(self._server, wanted, limit=limit, state=state, before=before))

    def show(self, request: str) -> ShownRequest:
        """Return a request by its number or id, also one in progress."""
        from gglib.cli.server.client import get_json

        content = get_json(self._server, request_path(request))
        return decoded(self._server, f"GET {REQUESTS_PATH}", content, ShownRequest)

    def usage(self, query: UsageQuery) -> UsageReport:
        """Return the usage; with a key without admin rights, that of the key."""
        from gglib.cli.server.client import get_json

        content = get_json(self._server, usage_path(query))
        return decoded(self._server, f"GET {USAGE_PATH}", content, UsageReport)


async def find_requests(
    server: "Endpoint",
    wanted: RequestFilter,
    *,
    limit: int,
    state: str | None = None,
    before: int | None = None,
) -> FoundRequests:
    """Return one page of the requests of a server. Raises ``GglibError``."""
    from gglib.cli.server.client import get_json_async

    path = requests_path(wanted, limit=limit, state=state, before=before)
    content = await get_json_async(server, path)
    return decoded(server, f"GET {REQUESTS_PATH}", content, FoundRequests)


class FileHistory:
    """The recorded history, while no server runs."""

    def __init__(self, history: "RequestSearchPort", *, is_off: bool) -> None:
        self._history = history
        self.is_off = is_off
        """Whether no further requests are stored."""

    def find(
        self, wanted: RequestFilter, *, limit: int, state: str | None = None, before: int | None = None
    ) -> FoundRequests:
        """Return one page of requests."""
        if state == RUNNING:
            return FoundRequests(is_off=self.is_off)
        page = asyncio.run(self._history.find_requests(wanted, limit=limit, before=before))
        return FoundRequests(requests=page.requests, next_before=page.next_before, is_off=self.is_off)

    def show(self, request: str) -> ShownRequest:
        """Return a request by its number or id. Raises ``RequestNotFoundError``."""
        return asyncio.run(_shown(self._history, request))

    def usage(self, query: UsageQuery) -> UsageReport:
        """Return the usage."""
        return asyncio.run(_usage_report(self._history, query))


class PausedHistory(FileHistory):
    """The history of a running server that stores no requests: those that are stored already, and those in progress."""

    def __init__(self, server: "Endpoint", history: "RequestSearchPort") -> None:
        super().__init__(history, is_off=True)
        self._server = ServerHistory(server)

    def find(
        self, wanted: RequestFilter, *, limit: int, state: str | None = None, before: int | None = None
    ) -> FoundRequests:
        """Return one page of requests, without ``before`` with those in progress."""
        found = super().find(wanted, limit=limit, state=state, before=before)
        if before is not None or state == FINISHED:
            return found
        return replace(found, running=self._server.find(wanted, limit=limit, state=RUNNING).running)

    def show(self, request: str) -> ShownRequest:
        """Return a request by its number or id, also one in progress."""
        from gglib.core.errors import RequestNotFoundError

        try:
            return super().show(request)
        except RequestNotFoundError:
            return self._server.show(request)


async def _shown(history: "RequestSearchPort", request: str) -> ShownRequest:
    from gglib.core.errors import RequestNotFoundError

    found = await history.find_request(request)
    if found is None:
        raise RequestNotFoundError(request)
    bodies = None
    if found.has_bodies and found.id is not None:
        bodies = await history.read_bodies(found.id)
    return ShownRequest(request=found, bodies=None if bodies is None else _body_texts(bodies))


def _body_texts(bodies: "RecordedBodies") -> ShownBodies:
    from gglib.core.history.body_texts import body_texts

    texts = body_texts(bodies)
    return ShownBodies(
        request=texts.request,
        response=texts.response,
        is_request_cut=texts.is_request_cut,
        is_response_cut=texts.is_response_cut,
    )


async def _usage_report(history: "RequestSearchPort", query: UsageQuery) -> UsageReport:
    rows = await history.usage(query)
    return UsageReport(usage=rows, total=total_usage(rows))


def find_all(
    source: HistorySource, wanted: RequestFilter, *, limit: int | None, state: str | None = None
) -> FoundRequests:
    """Return the newest ``limit`` requests, page by page; None: all of them."""
    size = PAGE_SIZE if limit is None else min(limit, PAGE_SIZE)
    found = source.find(wanted, limit=max(1, size), state=state)
    requests = list(found.requests)
    while found.next_before is not None and (limit is None or len(requests) < limit):
        rest = PAGE_SIZE if limit is None else min(limit - len(requests), PAGE_SIZE)
        page = source.find(wanted, limit=rest, state=FINISHED, before=found.next_before)
        requests += page.requests
        has_more = page.next_before is not None and page.next_before < found.next_before  # or a faulty server
        found = replace(found, next_before=page.next_before if has_more else None)
    return replace(found, requests=tuple(requests[:limit]))


def history_source(options: "Options") -> HistorySource:
    """Return the remote server, else that of this home, else the file of this home."""
    from gglib.cli.server.instance import find_instance
    from gglib.db import SqliteHistoryReader

    if options.remote is not None:
        return ServerHistory(options.remote)
    settings = options.tolerant_settings()
    instance = find_instance(settings)
    stored = SqliteHistoryReader(settings.history_database)
    if instance is None or instance.endpoint is None:
        return FileHistory(stored, is_off=not settings.history)
    return ServerHistory(instance.endpoint) if settings.history else PausedHistory(instance.endpoint, stored)
