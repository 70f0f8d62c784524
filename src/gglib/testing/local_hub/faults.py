"""What can go wrong with an answer, as values; and which answer it happens to."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from gglib.testing.local_hub.record import Place


class Cut(Enum):
    """How a connection ends too early."""

    FIN = "fin"
    """As if all had been said."""
    RESET = "reset"
    """As a broken network or a crash does it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One accident, or several at once. The default does nothing."""

    status: int | None = None
    """Answered instead, with ``body`` and ``headers``."""
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    """Put into the head; a header of the same name that the answer has gives way."""
    location: str | None = None
    """Answered with a redirect to this address (302, or ``status``); ``{path}`` in it: the request's path and query."""
    raw: bytes | None = None
    """Sent instead of a response, after which the connection is closed."""
    stalls: bool = False
    """Nothing is said until the client leaves or the hub ends."""
    bytes_per_s: float | None = None
    """The body is sent no faster."""
    cut_after_bytes: int | None = None
    """The connection ends after so many bytes of the body."""
    cut: Cut = Cut.FIN
    length_delta: int = 0
    """Added to Content-Length: the body is longer (negative) or shorter (positive) than the head says."""
    flips_byte_at: int | None = None
    """The byte at this offset of the file is another one; the length is right."""
    ignores_range: bool = False
    """All of the file with 200, whatever part was asked for."""
    ignores_if_range: bool = False
    """The part that was asked for, though the file is another one."""
    content_range: str | None = None
    """Stands in the head of a part instead of the truth."""
    hides_length: bool = False
    """The body comes in chunks, without a Content-Length."""
    without_headers: tuple[str, ...] = ()
    """Left out of the head."""


def rate_limited(retry_after_s: int | None = 1) -> Fault:
    """Return 429 as the hub says it: ``Retry-After``, and the draft's ``RateLimit`` headers, which the hub sends."""
    limits: tuple[tuple[str, str], ...] = (("RateLimit-Policy", '"fixed window";"api";q=500;w=300'),)
    if retry_after_s is not None:
        limits += (("Retry-After", str(retry_after_s)), ("RateLimit", f'"api";r=0;t={retry_after_s}'))
    return Fault(status=429, body=b'{"error":"We had to rate limit you."}', headers=limits)


def failing(status: int = 503) -> Fault:
    """Return a server error, with the page that a load balancer shows."""
    page = b"<html><body><h1>%d</h1></body></html>" % status
    return Fault(status=status, body=page, headers=(("Content-Type", "text/html"),))


@dataclass(slots=True)
class Rule:
    """A fault, and whom it befalls. ``end()`` takes it back."""

    fault: Fault
    applies: Callable[[Place, str, str], bool]
    """Asked with the host, the file's name and the target."""
    times: int | None
    used: int = 0
    """How many answers it befell."""

    def end(self) -> None:
        """Let it befall no more."""
        self.times = 0


@dataclass(slots=True)
class Faults:
    """The rules in force; the first one that applies is used."""

    _rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rule: Rule) -> None:
        """Put a rule behind the others."""
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._rules.clear()

    def take(self, place: Place, subject: str, target: str) -> Fault:
        """Return what befalls this request; used up by being returned."""
        with self._lock:
            for rule in self._rules:
                if (rule.times is None or rule.used < rule.times) and rule.applies(place, subject, target):
                    rule.used += 1
                    return rule.fault
        return NO_FAULT


NO_FAULT = Fault()
