"""Publishes the requests that start and finish to subscribers.

Nothing here is on the path of a request. Finished requests come from the recorder's batches; those in progress are
compared with the previous ones by each subscriber, every ``SCAN_INTERVAL_S``. So a request that ends within this time
may have no event of its start.
"""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from gglib.core.history.matching import stored_request
from gglib.core.history.records import RequestRecord
from gglib.core.runtime.event_queue import EventQueue
from gglib.proxy.telemetry.open_requests import OpenRequests
from gglib.proxy.telemetry.request_events import (
    RequestEvent,
    RequestEventsLost,
    RequestFinished,
    RequestStarted,
)

SCAN_INTERVAL_S = 0.2
"""Interval of looking for new requests."""
MAX_QUEUED_EVENTS = 1024
"""Queued events of a slow subscriber; beyond this they are dropped and replaced by ``RequestEventsLost``."""


class RequestSubscription:
    """The events for one subscriber, for the length of a ``with`` block; it takes them at its own pace."""

    def __init__(self, feed: "RequestFeed") -> None:
        self._feed = feed
        self._queue = EventQueue[RequestEvent](MAX_QUEUED_EVENTS, RequestEventsLost())
        self._started: set[str] = set()
        """The ids of the requests in progress whose start was published."""

    def __enter__(self) -> Self:
        self._feed.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._feed.discard(self)

    def put(self, event: RequestEvent) -> None:
        """Queue an event; if the queue is full, replace its events by ``RequestEventsLost``."""
        self._queue.put(event)

    def take(self) -> Sequence[RequestEvent]:
        """Return all queued events, in order."""
        return self._queue.take_all()

    def take_started(self, open_requests: OpenRequests) -> Iterable[RequestStarted]:
        """Return the events of the requests that are new since the last call."""
        running = open_requests.running()
        started = [
            RequestStarted(request=request) for request in running if request.request_id not in self._started
        ]
        self._started = {request.request_id for request in running}
        return started


class RequestFeed:
    """Publishes finished requests to subscribers."""

    def __init__(self) -> None:
        self._subscriptions: set[RequestSubscription] = set()

    @property
    def has_subscribers(self) -> bool:
        """Whether events are worth making."""
        return bool(self._subscriptions)

    def subscribe(self) -> RequestSubscription:
        """Return a subscription. It receives events from the start of its ``with`` block."""
        return RequestSubscription(self)

    def add(self, subscription: RequestSubscription) -> None:
        """Begin to send events."""
        self._subscriptions.add(subscription)

    def discard(self, subscription: RequestSubscription) -> None:
        """Stop sending events."""
        self._subscriptions.discard(subscription)

    def publish(self, records: Sequence[RequestRecord]) -> None:
        """Queue the event of each finished request for every subscriber."""
        for record in records if self._subscriptions else ():
            event = RequestFinished(request=stored_request(record))
            for subscription in self._subscriptions:
                subscription.put(event)
