"""The record of requests to the hub's hosts, and of what they sent."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum


class Host(Enum):
    """The host that a request was sent to."""

    HUB = "hub"
    CDN = "cdn"
    """The host that serves large files: another name and port than the hub's."""
    FOREIGN = "foreign"
    """An unrelated host, which must never receive a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request, as it arrived, and its outcome so far."""

    number: int
    """Of the request, in the order of arrival, from 0."""
    connection: int
    """Number of its connection."""
    host: Host
    authority: str
    """Its Host header."""
    method: str
    target: str
    """Path and query, as sent."""
    headers: Mapping[str, str]
    """Names in lower case."""
    file_name: str = ""
    """The name of the requested file inside its repository; empty for API requests."""
    status: int | None = None
    """None before the response, or if the response was not HTTP."""
    sent_bytes: int = 0
    """Bytes of the body passed to the network so far."""
    is_finished: bool = False

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def range(self) -> str | None:
        """Its Range header."""
        return self.headers.get("range")

    @property
    def token(self) -> str | None:
        """Its Authorization header."""
        return self.headers.get("authorization")


class Record:
    """The recorded requests. Any thread writes; reads return copies."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seen: list[RecordedRequest] = []

    def add(self, seen: RecordedRequest) -> int:
        """Append a request and return its number."""
        with self._changed:
            self._seen.append(replace(seen, number=len(self._seen)))
            self._changed.notify_all()
            return len(self._seen) - 1

    def update(
        self, number: int, *, status: int | None = None, sent_bytes: int = 0, is_finished: bool = False
    ) -> None:
        """Record the outcome of a request: its status, further bytes, its end."""
        with self._changed:
            seen = self._seen[number]
            self._seen[number] = replace(
                seen,
                status=seen.status if status is None else status,
                sent_bytes=seen.sent_bytes + sent_bytes,
                is_finished=seen.is_finished or is_finished,
            )
            self._changed.notify_all()

    def read(self) -> list[RecordedRequest]:
        """Return all requests so far, oldest first."""
        with self._changed:
            return list(self._seen)

    def clear(self) -> None:
        """Remove all requests, unless one is in progress."""
        with self._changed:
            if all(seen.is_finished for seen in self._seen):
                self._seen.clear()

    def wait_for_requests(self, count: int, timeout_s: float) -> bool:
        """Wait for ``count`` requests; False after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._seen) >= count, timeout_s)
