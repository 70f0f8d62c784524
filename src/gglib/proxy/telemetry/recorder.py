"""Sees every request when it is over, and tells the log and the metrics.

What is over waits a moment and is looked at together with others: that takes half as long, because the processor
finds what it needs for the second one in its caches. Between two requests it has to fetch all of it anew.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from gglib.proxy.telemetry.access_log import AccessLog
from gglib.proxy.telemetry.metrics import RequestMetrics
from gglib.proxy.telemetry.records import Refusal, RequestRecord
from gglib.proxy.token_usage import read_usage

log = logging.getLogger("gglib.proxy")

FLUSH_INTERVAL_S = 0.2
"""Who watches the log does not notice; who is killed loses no more than this."""
FLUSH_THRESHOLD = 100
"""So many are looked at in less than a millisecond, in which nobody is answered."""


class RequestRecorder:
    """What is known of the requests that are over. ``route_of`` names the route of a path, see ``RequestMetrics``."""

    def __init__(self, route_of: Callable[[str], str]) -> None:
        self._access_log = AccessLog()
        self._metrics = RequestMetrics(route_of)
        self._pending: list[tuple[float, RequestRecord | Refusal, bytes]] = []
        """What was not looked at: when it was over, in seconds since the epoch; what it was; pieces of its answer."""
        self._timer: asyncio.TimerHandle | None = None
        self.connection_count: Callable[[], int] = lambda: 0
        """How many clients are connected; whoever listens sets it."""

    def metrics(self) -> RequestMetrics:
        """Return what was counted, up to this moment."""
        self._process_pending()
        return self._metrics

    def record(self, record: RequestRecord, usage_excerpt: bytes) -> None:
        """Take in a request that is over, and the pieces of its answer that report how many tokens it took."""
        self._pending.append((time.time(), record, usage_excerpt))
        self._schedule_flush()

    def record_refusal(self, refusal: Refusal) -> None:
        """Take in what was refused before it was a request."""
        self._pending.append((time.time(), refusal, b""))
        self._schedule_flush()

    def flush(self) -> None:
        """Look at all that is pending, and hand over what the log is to say."""
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
            except Exception:  # a fault here must hit neither other records nor whoever is answered now
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
