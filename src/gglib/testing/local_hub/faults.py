"""Faults of responses, as values, and the rules that select the responses."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from gglib.testing.local_hub.record import Host


class Disconnect(Enum):
    """How a connection is closed early."""

    FIN = "fin"
    """As after a complete response."""
    RESET = "reset"
    """As by a broken network or a crash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, or several at once. The default does nothing."""

    status: int | None = None
    """The status of the response, with ``body`` and ``headers``."""
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    """Added to the head; replace headers of the same name."""
    location: str | None = None
    """A redirect to this address (302, or ``status``); ``{path}`` stands for the request's path and query."""
    raw: bytes | None = None
    """Sent instead of a response, after which the connection is closed."""
    stalls: bool = False
    """Nothing is sent until the client disconnects or the hub ends."""
    bytes_per_s: float | None = None
    """Limits the rate of the body."""
    cut_after_bytes: int | None = None
    """Closes the connection after this many bytes of the body."""
    cut: Disconnect = Disconnect.FIN
    length_delta: int = 0
    """Added to Content-Length: the body is longer (negative) or shorter (positive) than the head says."""
    flips_byte_at: int | None = None
    """The byte at this offset of the file is wrong; the length is right."""
    ignores_range: bool = False
    """Sends the whole file with 200 for every range request."""
    ignores_if_range: bool = False
    """Sends the requested range although the file has changed."""
    content_range: str | None = None
    """Replaces the header of a partial response."""
    hides_length: bool = False
    """Sends the body in chunks, without a Content-Length."""
    without_headers: tuple[str, ...] = ()
    """Removed from the head."""


def rate_limited(retry_after_s: int | None = 1) -> Fault:
    """Return 429 as the hub does: ``Retry-After``, and the draft's ``RateLimit`` headers, which the hub sends."""
    limits: tuple[tuple[str, str], ...] = (("RateLimit-Policy", '"fixed window";"api";q=500;w=300'),)
    if retry_after_s is not None:
        limits += (("Retry-After", str(retry_after_s)), ("RateLimit", f'"api";r=0;t={retry_after_s}'))
    return Fault(status=429, body=b'{"error":"We had to rate limit you."}', headers=limits)


def failing(status: int = 503) -> Fault:
    """Return a server error, with the page of a load balancer."""
    page = b"<html><body><h1>%d</h1></body></html>" % status
    return Fault(status=status, body=page, headers=(("Content-Type", "text/html"),))


@dataclass(slots=True)
class FaultRule:
    """A fault, and the responses that it applies to. ``end()`` removes it."""

    fault: Fault
    applies: Callable[[Host, str, str], bool]
    """Called with the host, the file's name and the target."""
    times: int | None
    used: int = 0
    """How many responses it applied to."""

    def end(self) -> None:
        """Stop applying the fault."""
        self.times = 0


@dataclass(slots=True)
class Faults:
    """The active rules; the first one that applies is used."""

    _rules: list[FaultRule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rule: FaultRule) -> None:
        """Append a rule."""
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def take(self, host: Host, file_name: str, target: str) -> Fault:
        """Return the fault for this request, and count it as used."""
        with self._lock:
            for rule in self._rules:
                if (rule.times is None or rule.used < rule.times) and rule.applies(host, file_name, target):
                    rule.used += 1
                    return rule.fault
        return NO_FAULT


NO_FAULT = Fault()
