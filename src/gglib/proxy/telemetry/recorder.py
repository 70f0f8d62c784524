"""Records finished requests in batches for the access log and the metrics.

A batch takes half the time of single records, because code and data stay in the CPU caches from one record to the next.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gglib.proxy.telemetry.access_log import AccessLog
from gglib.proxy.telemetry.metrics import RequestMetrics
from gglib.proxy.telemetry.records import Refusal, RequestRecord
from gglib.proxy.token_usage import read_usage

log = logging.getLogger("gglib.proxy")

FLUSH_INTERVAL_S = 0.2
"""Too short to notice in the log; a killed process loses at most the records of this interval."""
FLUSH_THRESHOLD = 100
"""A batch of this size blocks the event loop for less than a millisecond."""


class RequestRecorder:
    """Records finished requests. ``route_of`` maps a path and a method to the route, see ``RequestMetrics``."""

    def __init__(self, route_of: Callable[[str, str], str]) -> None:
        self._access_log = AccessLog()
        self._metrics = RequestMetrics(route_of)
        self._pending: list[tuple[float, RequestRecord | Refusal, bytes]] = []
        """Unprocessed records: end in seconds since the epoch, record, excerpts of the response body."""
        self._timer: asyncio.TimerHandle | None = None
        self._connection_counts: list[Callable[[], int]] = []

    def connection_count(self) -> int:
        """Return the number of client connections of all servers that use this recorder."""
        return sum(count() for count in self._connection_counts)

    @contextmanager
    def counting(self, connection_count: Callable[[], int]) -> Iterator[None]:
        """Include the connections of a server during the block."""
        self._connection_counts.append(connection_count)
        try:
            yield
        finally:
            self._connection_counts.remove(connection_count)

    def metrics(self) -> RequestMetrics:
        """Return the metrics of all requests recorded so far."""
        self._process_pending()
        return self._metrics

    def record(self, record: RequestRecord, usage_excerpt: bytes) -> None:
        """Record a finished request. ``usage_excerpt`` are the parts of its response that report token usage."""
        self._pending.append((time.time(), record, usage_excerpt))
        self._schedule_flush()

    def record_refusal(self, refusal: Refusal) -> None:
        """Record a connection or malformed request that the HTTP server refused."""
        self._pending.append((time.time(), refusal, b""))
        self._schedule_flush()

    def flush(self) -> None:
        """Process all pending records and flush the access log."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._process_pending()
        self._access_log.flush()

    def _process_pending(self) -> None:
        pending, self._pending = self._pending, []
        for at_s, item, usage_excerpt in pending:
            try:
                self._process(item, at_s, usage_excerpt)
            except Exception:  # a bug here must not affect other records or requests
                log.exception("%s: cannot be counted or logged", item.request_id)

    def _process(self, item: RequestRecord | Refusal, at_s: float, usage_excerpt: bytes) -> None:
        if isinstance(item, RequestRecord):
            item.prompt_tokens, item.completion_tokens = read_usage(usage_excerpt)
            self._metrics.record(item)
            self._access_log.record(item, at_s)
        else:
            self._metrics.record_refusal(item.status)
            self._access_log.record_refusal(item, at_s)

    def _schedule_flush(self) -> None:
        if len(self._pending) >= FLUSH_THRESHOLD:
            self._process_pending()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_INTERVAL_S, self.flush)
