"""The deadline of a connection in its current phase. Pure: time is an argument, in seconds of any monotonic clock.

A connection has one deadline at a time. The server checks all of them once a second and when the next one is due, so
no request sets or cancels a timer. ``TRANSITIONS`` has all legal transitions between phases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

NO_DEADLINE = float("inf")
MAX_GAP_FACTOR = 3
"""A slow client that blocks other requests may pause for this many times its longest gap between reads, or this many
times ``blocking_write_s`` if it has not read yet."""

LINGERING_S = 2.0
"""Lingering close: how long input is discarded after the whole response is sent, so that the client can read it."""
TIMED_OUT_LINGERING_S = 0.25
"""The same for a client that has already missed a deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineLimits:
    """Timeouts in seconds; 0 disables a timeout."""

    head_s: float
    """To receive a request head."""
    body_s: float
    """To receive a body. Received bytes extend it, at ``body_min_rate``."""
    body_min_rate: int
    """Bytes a second."""
    write_s: float
    """For a client that reads nothing of its response."""
    idle_s: float
    """Between two requests."""
    blocking_write_s: float = 0
    """Replaces ``write_s`` while the response blocks other requests; 0 disables this."""


class Phase(Enum):
    """What the connection waits for."""

    NEW = "new"
    """No data received yet."""
    IDLE = "idle"
    """Between two requests."""
    HEAD = "head"
    BODY = "body"
    QUEUE = "queue"
    """The body waits for the memory budget."""
    RESPONSE = "response"
    """The request handler; the client has no deadline."""
    WRITE_BLOCKED = "write blocked"
    """The client has to read buffered output."""
    LINGERING = "lingering close"
    """Input is discarded while the client reads the last response."""


class PhaseEvent(Enum):
    """What changes the phase of a connection."""

    RESPONSE_COMPLETE = "response complete"
    HEAD_STARTED = "head started"
    BODY_STARTED = "body started"
    BODY_QUEUED = "body queued"
    REQUEST_COMPLETE = "request complete"
    """Or the body has failed: in both cases nothing more is expected from the client."""
    WRITE_BLOCKED = "write blocked"
    WRITE_PROGRESS = "client reads"
    LINGERING_CLOSE = "lingering close"


_NEW, _IDLE, _HEAD, _BODY = Phase.NEW, Phase.IDLE, Phase.HEAD, Phase.BODY
_QUEUE, _RESPONSE = Phase.QUEUE, Phase.RESPONSE
_WRITE_BLOCKED, _LINGERING = Phase.WRITE_BLOCKED, Phase.LINGERING
_OPEN = [phase for phase in Phase if phase is not _LINGERING]

TRANSITIONS: Mapping[tuple[Phase, PhaseEvent], Phase] = MappingProxyType(
    {(phase, PhaseEvent.RESPONSE_COMPLETE): _IDLE for phase in (_RESPONSE, _BODY, _QUEUE, _WRITE_BLOCKED)}
    | {(phase, PhaseEvent.HEAD_STARTED): _HEAD for phase in (_NEW, _IDLE, _HEAD)}
    | {
        (phase, PhaseEvent.BODY_STARTED): _BODY
        for phase in (_NEW, _IDLE, _HEAD, _BODY, _QUEUE, _WRITE_BLOCKED)
    }
    | {(phase, PhaseEvent.BODY_QUEUED): _QUEUE for phase in (_BODY, _QUEUE, _WRITE_BLOCKED)}
    | {(phase, PhaseEvent.REQUEST_COMPLETE): _RESPONSE for phase in _OPEN}
    | {(phase, PhaseEvent.WRITE_BLOCKED): _WRITE_BLOCKED for phase in _OPEN}
    | {(phase, PhaseEvent.LINGERING_CLOSE): _LINGERING for phase in Phase}
    | {
        (_WRITE_BLOCKED, PhaseEvent.WRITE_PROGRESS): _WRITE_BLOCKED,
        # The next request begins while the client still reads the last response.
        (_WRITE_BLOCKED, PhaseEvent.HEAD_STARTED): _WRITE_BLOCKED,
        # The loop may pause writing after the end of the response.
        (_LINGERING, PhaseEvent.WRITE_BLOCKED): _LINGERING,
    }
)
"""The phase after each event; any other transition is a bug in ``ClientConnection``."""


class Deadlines:
    """The phase of one connection and its deadline. A transition that is not in ``TRANSITIONS`` raises RuntimeError.

    The two transitions of every request (IDLE to RESPONSE and back) bypass the table: they cost one comparison each.
    """

    __slots__ = ("_gap_s", "_has_timed_out", "_progress_s", "_unsent_bytes", "deadline_s", "limits", "phase")

    def __init__(self, limits: DeadlineLimits, now_s: float) -> None:
        self.limits = limits
        """The current limits; a replacement applies from the next phase on."""
        self._unsent_bytes = 0
        self._progress_s = now_s
        self._gap_s: float | None = None
        """The longest time between two reads of a client while writing was blocked; None before its first read."""
        self._has_timed_out = False
        self.phase = _NEW
        self.deadline_s = _deadline_after(now_s, limits.head_s)

    def become_idle(self, now_s: float) -> None:
        """Enter IDLE: a response is complete and no other request has begun."""
        if self.phase is not _RESPONSE:
            self._next_phase(PhaseEvent.RESPONSE_COMPLETE)
        idle_s = self.limits.idle_s
        self.phase, self._gap_s = _IDLE, None
        self.deadline_s = now_s + idle_s if idle_s > 0 else NO_DEADLINE

    def begin_head(self, now_s: float) -> None:
        """Enter HEAD: a request has begun. The deadline of the first head runs from the start of the connection."""
        if self.phase is _IDLE:
            self.deadline_s = _deadline_after(now_s, self.limits.head_s)
        self.phase = self._next_phase(PhaseEvent.HEAD_STARTED)

    def begin_body(self, now_s: float) -> None:
        """Enter BODY: a body is being read."""
        self.phase = self._next_phase(PhaseEvent.BODY_STARTED)
        self.deadline_s = _deadline_after(now_s, self.limits.body_s)

    def receive_body(self, size_bytes: int, now_s: float) -> None:
        """Extend the deadline by the time that ``size_bytes`` take at the minimum rate: only slower uploads time out.

        The deadline is at most ``body_s`` ahead: otherwise an upload that stalls after 60 MB would occupy that memory
        for most of a day.
        """
        if self.phase is _BODY:
            extended_s = self.deadline_s + size_bytes / self.limits.body_min_rate
            self.deadline_s = (
                min(extended_s, now_s + self.limits.body_s) if self.limits.body_s > 0 else NO_DEADLINE
            )

    def queue_body(self, now_s: float) -> None:
        """Enter QUEUE: a body waits for the memory budget; the body's deadline pauses until ``begin_body``."""
        self.phase = self._next_phase(PhaseEvent.BODY_QUEUED)
        self.deadline_s = _deadline_after(now_s, self.limits.body_s)

    def begin_response(self) -> None:
        """Enter RESPONSE: the request is complete, and the client has no deadline."""
        if self.phase is not _IDLE:
            self._next_phase(PhaseEvent.REQUEST_COMPLETE)
        self.phase, self.deadline_s = _RESPONSE, NO_DEADLINE

    def block_write(self, now_s: float, unsent_bytes: int) -> None:
        """Enter WRITE_BLOCKED: the client does not read as fast as the response is written."""
        self.phase = self._next_phase(PhaseEvent.WRITE_BLOCKED)
        if self.phase is _LINGERING:
            self.begin_lingering_close(now_s, unsent_bytes)
            return
        self._unsent_bytes, self._progress_s = unsent_bytes, now_s
        self.deadline_s = _deadline_after(now_s, self.limits.write_s)

    def record_read(self, now_s: float) -> None:
        """Record that the client has read some of the output while writing was blocked."""
        self.phase = self._next_phase(PhaseEvent.WRITE_PROGRESS)
        self._gap_s = max(now_s - self._progress_s, self._gap_s or 0)
        self._progress_s = now_s

    def begin_lingering_close(self, now_s: float, unsent_bytes: int) -> None:
        """Enter LINGERING: input is discarded until the client has read the response, and a little longer."""
        self.phase = self._next_phase(PhaseEvent.LINGERING_CLOSE)
        self._unsent_bytes = unsent_bytes
        lingering_s = TIMED_OUT_LINGERING_S if self._has_timed_out else LINGERING_S
        self.deadline_s = _deadline_after(now_s, self.limits.write_s if unsent_bytes else lingering_s)

    def check(self, now_s: float, unsent_bytes: int, *, is_blocking_others: bool = False) -> Phase | None:
        """Return the phase that has timed out, or None. A decrease of ``unsent_bytes`` extends the write deadline.

        ``is_blocking_others``: other requests wait for the end of this response.
        """
        if unsent_bytes != self._unsent_bytes:
            if self.phase is _WRITE_BLOCKED:
                if unsent_bytes < self._unsent_bytes:
                    self.record_read(now_s)
                    self.block_write(now_s, unsent_bytes)
                self._unsent_bytes = unsent_bytes
            elif self.phase is _LINGERING:
                self.begin_lingering_close(now_s, unsent_bytes)
        is_blocking = is_blocking_others and self.phase is _WRITE_BLOCKED and self.limits.blocking_write_s > 0
        if now_s < (min(self.deadline_s, self._blocking_deadline_s()) if is_blocking else self.deadline_s):
            return None
        self._has_timed_out = self.phase is not _QUEUE
        return self.phase

    def _blocking_deadline_s(self) -> float:
        blocking_write_s = self.limits.blocking_write_s
        limit_s = (
            blocking_write_s * MAX_GAP_FACTOR
            if self._gap_s is None
            else max(blocking_write_s, self._gap_s * MAX_GAP_FACTOR)
        )
        return self._progress_s + limit_s

    def _next_phase(self, event: PhaseEvent) -> Phase:
        """Return the phase after ``event``. Raises RuntimeError if the transition is illegal."""
        try:
            return TRANSITIONS[self.phase, event]
        except KeyError:
            raise RuntimeError(f"Illegal transition from {self.phase} on {event}.") from None


def _deadline_after(now_s: float, limit_s: float) -> float:
    """Return the time in ``limit_s`` seconds; a limit of 0 is no deadline."""
    return now_s + limit_s if limit_s > 0 else NO_DEADLINE
