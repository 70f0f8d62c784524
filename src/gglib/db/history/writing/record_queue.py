"""The bounded queue between the event loop and the writer's thread."""

import threading
from collections import deque
from collections.abc import Sequence

from gglib.core.history.records import RecordedBodies, RequestRecord

MAX_QUEUED = 200_000
"""Requests that wait while nothing can be written: a few hundred bytes each."""
MAX_BODY_BYTES = 64 << 20
"""Of the bodies of all waiting requests. Those of further ones are dropped, the requests are not."""
BATCH_RECORDS = 10_000
BATCH_BODY_BYTES = 8 << 20


class RecordQueue:
    """Any thread adds; one thread takes batches."""

    def __init__(self, max_queued: int = MAX_QUEUED, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self.limit = max_queued
        self._max_body_bytes = max_body_bytes
        self._records: deque[RequestRecord] = deque()
        self._body_lock = threading.Lock()
        self._body_bytes = 0
        """Size of the bodies of all waiting requests; changed with the lock held."""
        self.dropped_bodies = 0
        """Requests whose bodies were dropped, because there was no room for them."""
        self.lost = 0
        """Requests that were dropped because the queue was full."""
        self.added = 0
        """Requests that were queued."""
        self.wake = threading.Event()
        """Set when there is work."""

    def __len__(self) -> int:
        return len(self._records)

    def add(self, records: Sequence[RequestRecord]) -> None:
        """Add records, except those beyond the limit. Takes no lock that the writer holds for long."""
        room = self.limit - len(self._records)
        if len(records) > room:
            self.lost += len(records) - max(room, 0)
            records = records[: max(room, 0)]
        self._reserve_bodies(records)
        self._records.extend(records)
        self.added += len(records)
        if not self.wake.is_set():
            self.wake.set()

    def _reserve_bodies(self, records: Sequence[RequestRecord]) -> None:
        """Drop the bodies of records for which there is no room."""
        for record in records:
            if record.bodies is None:
                continue
            size = _size_of(record.bodies)
            with self._body_lock:
                if self._body_bytes + size > self._max_body_bytes:
                    record.bodies = None
                    self.dropped_bodies += 1
                else:
                    self._body_bytes += size

    def take(self) -> list[RequestRecord]:
        """Remove and return the oldest records that fit into a batch."""
        taken: list[RequestRecord] = []
        body_bytes = 0
        for _ in range(min(len(self._records), BATCH_RECORDS)):
            record = self._records.popleft()
            taken.append(record)
            if record.bodies is not None:
                body_bytes += _size_of(record.bodies)
                if body_bytes > BATCH_BODY_BYTES:
                    break
        with self._body_lock:
            self._body_bytes -= body_bytes
        return taken

    def put_back(self, records: Sequence[RequestRecord]) -> None:
        """Return what was taken and could not be stored."""
        with self._body_lock:
            self._body_bytes += sum(
                _size_of(record.bodies) for record in records if record.bodies is not None
            )
        self._records.extendleft(reversed(records))


def _size_of(bodies: RecordedBodies) -> int:
    return len(bodies.request) + len(bodies.response)
