"""The record of what was asked of the hub's hosts, and of what they sent."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum


class Place(Enum):
    """Which of the hosts a request came to."""

    HUB = "hub"
    CDN = "cdn"
    """The host that large files come from: another name and port than the hub's."""
    FOREIGN = "foreign"
    """A host that has nothing to do with the hub: nobody's token may come here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request, as it came, and what became of it until now."""

    number: int
    """Of the request, in the order of arrival, from 0."""
    connection: int
    """Of the connection that it came on."""
    place: Place
    host: str
    """Its Host header."""
    method: str
    target: str
    """Path and query, as they were sent."""
    headers: Mapping[str, str]
    """Names in small letters."""
    subject: str = ""
    """The name of the file it is about, inside its repository; empty for the API's answers."""
    status: int | None = None
    """None while there is no answer, or where none was HTTP."""
    sent_bytes: int = 0
    """Of the body, handed to the network so far."""
    is_over: bool = False

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
    """What was seen. Any thread writes, any thread reads copies."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seen: list[Seen] = []

    def add(self, seen: Seen) -> int:
        """Append a request and return its number."""
        with self._changed:
            self._seen.append(replace(seen, number=len(self._seen)))
            self._changed.notify_all()
            return len(self._seen) - 1

    def tell(
        self, number: int, *, status: int | None = None, sent_bytes: int = 0, is_over: bool = False
    ) -> None:
        """Note what became of a request: its status, further bytes, its end."""
        with self._changed:
            seen = self._seen[number]
            self._seen[number] = replace(
                seen,
                status=seen.status if status is None else status,
                sent_bytes=seen.sent_bytes + sent_bytes,
                is_over=seen.is_over or is_over,
            )
            self._changed.notify_all()

    def read(self) -> list[Seen]:
        """Return all requests until now, oldest first."""
        with self._changed:
            return list(self._seen)

    def clear(self) -> None:
        """Forget those that are over, where nothing is under way; else nothing."""
        with self._changed:
            if all(seen.is_over for seen in self._seen):
                self._seen.clear()

    def wait_for_requests(self, count: int, timeout_s: float) -> bool:
        """Wait until so many requests came; False when the time is over first."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._seen) >= count, timeout_s)
