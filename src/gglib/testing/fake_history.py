"""A request history in memory: the history port without a file. Knows nothing of SQLite."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, time

from gglib.core.history.matching import is_failed, matches, stored_request
from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.history.requests import RequestFilter, RequestPage, StoredRequest
from gglib.core.history.usage import KeyUse, UsageField, UsageQuery, UsageRow
from gglib.core.ports.history import HistoryStatistics, RequestHistoryPort

_Group = tuple[float | None, str | None, str | None, str | None]
"""Start of the hour or day, key, model and client; None for what is not grouped by."""


class FakeHistory(RequestHistoryPort):
    """Keeps all records. ``fails_with``, if set, is raised by every method that reads."""

    def __init__(self, *, fails_with: Exception | None = None) -> None:
        self.fails_with = fails_with
        self.requests: list[StoredRequest] = []
        """All stored requests; their numbers count from 1."""
        self._bodies: dict[int, RecordedBodies] = {}

    def record(self, records: Sequence[RequestRecord]) -> None:
        """Store finished requests at once."""
        for record in records:
            number = len(self.requests) + 1
            self.requests.append(stored_request(record, number))
            if record.bodies is not None:
                self._bodies[number] = record.bodies

    async def find_requests(
        self, wanted: RequestFilter, *, limit: int, before: int | None = None, after: int | None = None
    ) -> RequestPage:
        """Return the newest ``limit`` requests that fit, newest first."""
        self._check()
        found = [
            request
            for number, request in enumerate(self.requests, start=1)
            if (before is None or number < before)
            and (after is None or number > after)
            and matches(request, wanted)
        ]
        page = found[: -limit - 1 : -1]
        return RequestPage(requests=tuple(page), next_before=page[-1].id if len(found) > limit else None)

    async def find_request(self, request: str) -> StoredRequest | None:
        """Return a request by its number or, if there is none, its request id (the newest)."""
        self._check()
        if request.isascii() and request.isdigit() and 0 < int(request) <= len(self.requests):
            return self.requests[int(request) - 1]
        return next((found for found in reversed(self.requests) if found.request_id == request), None)

    async def read_bodies(self, number: int) -> RecordedBodies | None:
        """Return the recorded bodies of a request."""
        self._check()
        return self._bodies.get(number)

    async def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        """Return the usage, with hours and days of the local time zone."""
        self._check()
        groups: dict[_Group, list[StoredRequest]] = defaultdict(list)
        if not query.by:
            groups[None, None, None, None] = []
        for request in self.requests:
            if _is_counted(request, query):
                groups[_group(request, query)].append(request)
        rows = [_row(group, requests) for group, requests in groups.items()]
        return tuple(sorted(rows, key=lambda row: [_value(row, field) for field in query.by]))

    async def recent_use(self, since_s: float) -> tuple[KeyUse, ...]:
        """Return the requests with a key that a model served and that ended at ``since_s`` or later."""
        self._check()
        return tuple(
            KeyUse(
                key=request.key,
                started_at_s=request.ended_at_s - request.duration_s,
                ended_at_s=request.ended_at_s,
                tokens=(request.prompt_tokens or 0) + (request.completion_tokens or 0),
            )
            for request in self.requests
            if request.key is not None and request.ended_at_s >= since_s and request.waited_s is not None
        )

    def statistics(self) -> HistoryStatistics:
        """Return the current counts."""
        return HistoryStatistics(recorded=len(self.requests))

    def _check(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with


def _is_counted(request: StoredRequest, query: UsageQuery) -> bool:
    start_s = _hour_s(request.ended_at_s)
    return (
        (query.since_s is None or start_s >= _hour_s(query.since_s))
        and (query.until_s is None or start_s < _hour_s(query.until_s))
        and all(
            wanted is None or (found or "") == wanted
            for wanted, found in (
                (query.key, request.key),
                (query.model, request.model),
                (query.client, request.client),
            )
        )
    )


def _group(request: StoredRequest, query: UsageQuery) -> _Group:
    start_s = None
    if UsageField.HOUR in query.by:
        start_s = _hour_s(request.ended_at_s)
    elif UsageField.DAY in query.by:
        today = datetime.fromtimestamp(request.ended_at_s).astimezone().date()
        start_s = datetime.combine(today, time.min).timestamp()  # naive: with the zone's offset at midnight
    return (
        start_s,
        (request.key or "") if UsageField.KEY in query.by else None,
        (request.model or "") if UsageField.MODEL in query.by else None,
        (request.client or "") if UsageField.CLIENT in query.by else None,
    )


def _row(group: _Group, requests: Sequence[StoredRequest]) -> UsageRow:
    start_s, key, model, client = group
    return UsageRow(
        start_s=start_s,
        key=key,
        model=model,
        client=client,
        requests=len(requests),
        failed=sum(is_failed(request.error, request.status) for request in requests),
        prompt_tokens=sum(request.prompt_tokens or 0 for request in requests),
        completion_tokens=sum(request.completion_tokens or 0 for request in requests),
        cached_tokens=sum(request.cached_tokens or 0 for request in requests),
        busy_s=sum(
            request.duration_s - request.waited_s for request in requests if request.waited_s is not None
        ),
    )


def _value(row: UsageRow, field: UsageField) -> float | str:
    values = {UsageField.KEY: row.key, UsageField.MODEL: row.model, UsageField.CLIENT: row.client}
    return values.get(field, row.start_s) or ""


def _hour_s(time_s: float) -> float:
    """Return the start of the hour of the local time zone, which may be a half hour off UTC's."""
    local = datetime.fromtimestamp(time_s).astimezone()
    return local.replace(minute=0, second=0, microsecond=0).timestamp()
