"""How long a connection may take for what it does now. Pure: time is an argument, in seconds of any one clock.

One deadline at a time. The listener looks at those of all connections once a second, and when the next one is due:
nothing on the way of a request sets or cancels a timer. ``TRANSITIONS`` has all legal moves from phase to phase.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

NO_DEADLINE = float("inf")
MAX_GAP_FACTOR = 3
"""A reader whose last steps were so far apart may take as many times as long for the next one, while it is in the way
of others; one that was not seen to read yet, as many times ``blocking_write_s``."""

LINGERING_S = 2.0
"""How long what a client still sends is thrown away once it was sent all of its answer: it has time to read that."""
TIMED_OUT_LINGERING_S = 0.25
"""The same for a client that has let a deadline pass already: its connection ends there and not two seconds later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineLimits:
    """Times in seconds; what each is for is in ``ProxyOptions``."""

    head_s: float
    body_s: float
    body_min_rate: int
    write_s: float
    idle_s: float
    blocking_write_s: float = 0
    """Shortens ``write_s`` while the answer keeps another model from its turn; 0 does not."""


class Phase(Enum):
    """What a connection does."""

    NEW = "new"
    """Nothing has come yet."""
    IDLE = "idle"
    """A response is over, and no other request has begun."""
    HEAD = "head"
    BODY = "body"
    QUEUE = "queue"
    """The body waits for room among all bodies."""
    RESPONSE = "response"
    """Nothing is waited for from the client."""
    WRITE_BLOCKED = "write blocked"
    """What is written waits for the client to read."""
    LINGERING = "lingering close"
    """What still comes is thrown away, so that the client can read its last response."""


class PhaseEvent(Enum):
    """What moves a connection from phase to phase."""

    RESPONSE_COMPLETE = "response complete"
    HEAD_STARTED = "head started"
    BODY_STARTED = "body started"
    BODY_QUEUED = "body queued"
    REQUEST_COMPLETE = "request complete"
    """Or its body has failed: either way the client has nothing more to do for it."""
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
        # The next request begins while the last response is still read.
        (_WRITE_BLOCKED, PhaseEvent.HEAD_STARTED): _WRITE_BLOCKED,
        # A loop may say so after the end of the response.
        (_LINGERING, PhaseEvent.WRITE_BLOCKED): _LINGERING,
    }
)
"""The phase after each event; what is not here is a fault of the connection."""


class Deadlines:
    """The phase of one connection and its deadline. A transition that is not in ``TRANSITIONS`` raises RuntimeError.

    The two transitions that every request makes compare the phase in place; the table is consulted only for others.
    """

    __slots__ = ("_gap_s", "_has_timed_out", "_limits", "_progress_s", "_unsent_bytes", "deadline_s", "phase")

    def __init__(self, limits: DeadlineLimits, now_s: float) -> None:
        self._limits = limits
        self._unsent_bytes = 0
        self._progress_s = now_s
        self._gap_s: float | None = None
        """The longest time between two steps of a client whose writes were blocked; None where it has made none yet."""
        self._has_timed_out = False
        self.phase = _NEW
        self.deadline_s = _deadline_after(now_s, limits.head_s)

    def become_idle(self, now_s: float) -> None:
        """Note that an answer is over and no other request has begun."""
        if self.phase is not _RESPONSE:
            self._next_phase(PhaseEvent.RESPONSE_COMPLETE)
        idle_s = self._limits.idle_s
        self.phase, self._gap_s = _IDLE, None
        self.deadline_s = now_s + idle_s if idle_s > 0 else NO_DEADLINE

    def begin_head(self, now_s: float) -> None:
        """Note that a request has begun; the head of a first one has been waited for since the connection began."""
        if self.phase is _IDLE:
            self.deadline_s = _deadline_after(now_s, self._limits.head_s)
        self.phase = self._next_phase(PhaseEvent.HEAD_STARTED)

    def begin_body(self, now_s: float) -> None:
        """Note that a body is read."""
        self.phase = self._next_phase(PhaseEvent.BODY_STARTED)
        self.deadline_s = _deadline_after(now_s, self._limits.body_s)

    def receive_body(self, size_bytes: int, now_s: float) -> None:
        """Note that some of the body has come: that buys time, so that a slow upload goes on and a drip does not.

        Never more than the limit in advance: an upload that sends 60 MB at once and then nothing would hold them for
        a day.
        """
        if self.phase is _BODY:
            bought_s = self.deadline_s + size_bytes / self._limits.body_min_rate
            self.deadline_s = (
                min(bought_s, now_s + self._limits.body_s) if self._limits.body_s > 0 else NO_DEADLINE
            )

    def queue_body(self, now_s: float) -> None:
        """Note that a body waits for room among all bodies: that is not the client's time. ``begin_body`` goes on."""
        self.phase = self._next_phase(PhaseEvent.BODY_QUEUED)
        self.deadline_s = _deadline_after(now_s, self._limits.body_s)

    def begin_response(self) -> None:
        """Note that nothing is waited for from the client."""
        if self.phase is not _IDLE:
            self._next_phase(PhaseEvent.REQUEST_COMPLETE)
        self.phase, self.deadline_s = _RESPONSE, NO_DEADLINE

    def block_write(self, now_s: float, unsent_bytes: int) -> None:
        """Note that the client does not read as fast as it is answered."""
        self.phase = self._next_phase(PhaseEvent.WRITE_BLOCKED)
        if self.phase is _LINGERING:
            self.begin_lingering_close(now_s, unsent_bytes)
            return
        self._unsent_bytes, self._progress_s = unsent_bytes, now_s
        self.deadline_s = _deadline_after(now_s, self._limits.write_s)

    def record_read(self, now_s: float) -> None:
        """Note that a client whose writes are blocked has read some of its answer."""
        self.phase = self._next_phase(PhaseEvent.WRITE_PROGRESS)
        self._gap_s = max(now_s - self._progress_s, self._gap_s or 0)
        self._progress_s = now_s

    def begin_lingering_close(self, now_s: float, unsent_bytes: int) -> None:
        """Note that what still comes is thrown away: for as long as the answer is being taken, and a moment more."""
        self.phase = self._next_phase(PhaseEvent.LINGERING_CLOSE)
        self._unsent_bytes = unsent_bytes
        lingering_s = TIMED_OUT_LINGERING_S if self._has_timed_out else LINGERING_S
        self.deadline_s = _deadline_after(now_s, self._limits.write_s if unsent_bytes else lingering_s)

    def check(self, now_s: float, unsent_bytes: int, *, is_blocking_others: bool = False) -> Phase | None:
        """Return the phase that has lasted too long, or None. A client that took something of its answer is living.

        ``is_blocking_others`` says that the end of the answer is waited for by requests for another model.
        """
        if unsent_bytes != self._unsent_bytes:
            if self.phase is _WRITE_BLOCKED:
                if unsent_bytes < self._unsent_bytes:
                    self.record_read(now_s)
                    self.block_write(now_s, unsent_bytes)
                self._unsent_bytes = unsent_bytes
            elif self.phase is _LINGERING:
                self.begin_lingering_close(now_s, unsent_bytes)
        is_blocking = (
            is_blocking_others and self.phase is _WRITE_BLOCKED and self._limits.blocking_write_s > 0
        )
        if now_s < (min(self.deadline_s, self._blocking_deadline_s()) if is_blocking else self.deadline_s):
            return None
        self._has_timed_out = self.phase is not _QUEUE
        return self.phase

    def _blocking_deadline_s(self) -> float:
        blocking_write_s = self._limits.blocking_write_s
        limit_s = (
            blocking_write_s * MAX_GAP_FACTOR
            if self._gap_s is None
            else max(blocking_write_s, self._gap_s * MAX_GAP_FACTOR)
        )
        return self._progress_s + limit_s

    def _next_phase(self, event: PhaseEvent) -> Phase:
        """Return the phase after ``event``. Raises RuntimeError where that is no legal move."""
        try:
            return TRANSITIONS[self.phase, event]
        except KeyError:
            raise RuntimeError(f"No move from {self.phase} on {event}.") from None


def _deadline_after(now_s: float, limit_s: float) -> float:
    """Return when a time that begins now is over; a limit of 0 is none."""
    return now_s + limit_s if limit_s > 0 else NO_DEADLINE
