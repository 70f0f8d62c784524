"""How long a connection may take for what it does now. Pure: time is an argument, in seconds of any one clock.

One deadline at a time. The listener looks at those of all connections once a second, and when the next one is due:
nothing on the way of a request sets or cancels a timer.
"""

from dataclasses import dataclass
from enum import Enum

FOR_EVER = float("inf")
GAPS_ALLOWED = 3
"""A reader whose last steps were so far apart may take as many times as long for the next one, while it is in the way
of others; one that was not seen to read yet, as many times ``wanted_s``."""

LINGER_S = 2.0
"""How long what a client still sends is thrown away once it was sent all of its answer: it has time to read that."""
LATE_LINGER_S = 0.25
"""The same for a client that has let a deadline pass already: its connection ends there and not two seconds later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatienceLimits:
    """Times in seconds; what each is for is in ``ProxyOptions``."""

    head_s: float
    body_s: float
    body_min_rate: int
    write_s: float
    idle_s: float
    wanted_s: float = 0
    """Shortens ``write_s`` while the answer keeps another model from its turn; 0 does not."""


class Phase(Enum):
    """What a connection does."""

    NEW = "new"
    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    QUEUE = "queue"
    ANSWER = "answer"
    CHOKED = "choked"
    LINGER = "linger"


_NEW, _IDLE, _HEAD, _BODY = Phase.NEW, Phase.IDLE, Phase.HEAD, Phase.BODY
_QUEUE, _ANSWER, _CHOKED, _LINGER = Phase.QUEUE, Phase.ANSWER, Phase.CHOKED, Phase.LINGER


class Patience:
    """The phase of one connection and when it has lasted too long."""

    __slots__ = ("_gap_s", "_is_late", "_limits", "_progress_s", "_unsent_bytes", "deadline_s", "phase")

    def __init__(self, limits: PatienceLimits, now_s: float) -> None:
        self._limits = limits
        self._unsent_bytes = 0
        self._progress_s = now_s
        self._gap_s: float | None = None
        """The longest time between two steps of a client that was choked; None where it has made none yet."""
        self._is_late = False
        self.phase = _NEW
        self.deadline_s = now_s
        self._enter(_NEW, now_s, limits.head_s)

    def rest(self, now_s: float) -> None:
        """Note that an answer is over and no other request has begun."""
        self._gap_s = None
        self._enter(_IDLE, now_s, self._limits.idle_s)

    def begin_head(self, now_s: float) -> None:
        """Note that a request has begun; the head of a first one has been waited for since the connection began."""
        if self.phase is _IDLE:
            self._enter(_HEAD, now_s, self._limits.head_s)
        elif self.phase is _NEW:
            self.phase = _HEAD

    def begin_body(self, now_s: float) -> None:
        """Note that a body is read."""
        self._enter(_BODY, now_s, self._limits.body_s)

    def receive_body(self, size_bytes: int, now_s: float) -> None:
        """Note that some of the body has come: that buys time, so that a slow upload goes on and a drip does not.

        Never more than the limit in advance: an upload that sends 60 MB at once and then nothing would hold them for
        a day.
        """
        if self.phase is _BODY:
            bought_s = self.deadline_s + size_bytes / self._limits.body_min_rate
            self.deadline_s = (
                min(bought_s, now_s + self._limits.body_s) if self._limits.body_s > 0 else FOR_EVER
            )

    def queue_body(self, now_s: float) -> None:
        """Note that a body waits for room among all bodies: that is not the client's time. ``begin_body`` goes on."""
        self._enter(_QUEUE, now_s, self._limits.body_s)

    def answer(self) -> None:
        """Note that nothing is waited for from the client."""
        self.phase, self.deadline_s = _ANSWER, FOR_EVER

    def choke(self, now_s: float, unsent_bytes: int) -> None:
        """Note that the client does not read as fast as it is answered."""
        self._unsent_bytes, self._progress_s = unsent_bytes, now_s
        self._enter(_CHOKED, now_s, self._limits.write_s)

    def take(self, now_s: float) -> None:
        """Note that a choked client has read some of its answer."""
        self._gap_s = max(now_s - self._progress_s, self._gap_s or 0)
        self._progress_s = now_s

    def linger(self, now_s: float, unsent_bytes: int) -> None:
        """Note that what still comes is thrown away: for as long as the answer is being taken, and a moment more."""
        self._unsent_bytes = unsent_bytes
        linger_s = LATE_LINGER_S if self._is_late else LINGER_S
        self._enter(_LINGER, now_s, self._limits.write_s if unsent_bytes else linger_s)

    def look(self, now_s: float, unsent_bytes: int, *, is_wanted: bool = False) -> Phase | None:
        """Return the phase that has lasted too long, or None. A client that took something of its answer is living.

        ``is_wanted`` says that the end of the answer is waited for by requests for another model.
        """
        if unsent_bytes != self._unsent_bytes:
            if self.phase is _CHOKED:
                if unsent_bytes < self._unsent_bytes:
                    self.take(now_s)
                    self.choke(now_s, unsent_bytes)
                self._unsent_bytes = unsent_bytes
            elif self.phase is _LINGER:
                self.linger(now_s, unsent_bytes)
        is_in_the_way = is_wanted and self.phase is _CHOKED and self._limits.wanted_s > 0
        if now_s < (min(self.deadline_s, self._wanted_deadline_s()) if is_in_the_way else self.deadline_s):
            return None
        self._is_late = self.phase is not _QUEUE
        return self.phase

    def _wanted_deadline_s(self) -> float:
        wanted_s = self._limits.wanted_s
        limit_s = (
            wanted_s * GAPS_ALLOWED if self._gap_s is None else max(wanted_s, self._gap_s * GAPS_ALLOWED)
        )
        return self._progress_s + limit_s

    def _enter(self, phase: Phase, now_s: float, limit_s: float) -> None:
        self.phase = phase
        self.deadline_s = now_s + limit_s if limit_s > 0 else FOR_EVER
