"""The port of the request history: records finished requests, searches them, and adds up usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.history.requests import RequestFilter, RequestPage, StoredRequest
from gglib.core.history.usage import KeyUse, UsageQuery, UsageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryStatistics:
    """Counts since the start, and the size of the history."""

    recorded: int = 0
    """Requests that were stored, in rows of their own or aggregated."""
    aggregated: int = 0
    """Requests that share a row with others, because there were too many in a second. Usage counts each."""
    lost: int = 0
    """Requests of which neither row nor usage could be stored."""
    error: str | None = None
    """Why the last write failed; None since a write has succeeded."""
    size_bytes: int = 0


class RequestSearchPort(Protocol):
    """Reads the history. Failures are a ``HistoryError``."""

    async def find_requests(
        self, wanted: RequestFilter, *, limit: int, before: int | None = None, after: int | None = None
    ) -> RequestPage:
        """Return the newest ``limit`` requests that fit, newest first.

        Only those with numbers (``StoredRequest.id``) below ``before`` and above ``after``, where these are set.
        Includes everything that ``record`` was called with before.
        """
        ...

    async def find_request(self, request: str) -> StoredRequest | None:
        """Return a request by its number in decimal digits or, if there is none, its ``request_id`` (the newest)."""
        ...

    async def read_bodies(self, number: int) -> RecordedBodies | None:
        """Return the recorded bodies of the request with this ``number``; None if there are none."""
        ...

    async def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        """Return the usage, grouped and sorted by the fields of ``query.by`` in their order."""
        ...


class RequestHistoryPort(RequestSearchPort, Protocol):
    """Records finished requests, and reads the history."""

    def record(self, records: Sequence[RequestRecord]) -> None:
        """Queue finished requests for storage. Never blocks and never raises; the caller no longer changes them."""
        ...

    async def recent_use(self, since_s: float) -> tuple[KeyUse, ...]:
        """Return the requests with a key that ended at ``since_s`` or later, in seconds since the epoch.

        Only those that count for limits: that were admitted to a model (``waited_s`` is set). Refused ones do not.
        """
        ...

    def statistics(self) -> HistoryStatistics:
        """Return the current counts."""
        ...
