"""How many connections a download uses, and which bytes each brings. Pure: time and rates are arguments.

Many servers limit each connection, not each client. So a download starts with one connection, and when that has shown
its rate, twice as many are tried, up to ``MOST_LANES``: they stay if together they are faster by ``WORTHWHILE``, else
the number goes back to what it was and is tried again much later. What would be over before that is known is left
alone.
"""

from dataclasses import dataclass

from gglib.hf.download.byte_ranges import Span, Spans

MOST_LANES = 8
WORTHWHILE = 1.15
MEASURE_S = 0.8
SETTLE_S = 0.6
"""After a change: a new connection has its handshakes, its redirect and a slow start."""
WORTH_TRYING_S = 2.5
"""What will be here sooner than this by itself is not sped up."""
TRY_AGAIN_S = 30.0
LEAST_SHARE_BYTES = 4 * 1024 * 1024
"""A connection that would bring less than this costs more than it brings."""
_ALIGN = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimits:
    """What the policy goes by; tests are quicker."""

    most_lanes: int = MOST_LANES
    measure_s: float = MEASURE_S
    settle_s: float = SETTLE_S
    worth_trying_s: float = WORTH_TRYING_S
    try_again_s: float = TRY_AGAIN_S
    least_share_bytes: int = LEAST_SHARE_BYTES


class LanePolicy:
    """Says how many lanes there should be; told at every look how many bytes have come altogether."""

    def __init__(self, limits: LaneLimits) -> None:
        self._limits = limits
        self._most = limits.most_lanes
        self.lanes = 1
        self._before: tuple[int, float] | None = None  # lanes and their rate, while more are on trial
        self._window: tuple[float, int] | None = None  # time and bytes at its beginning
        self._not_before = float("-inf")
        self._pause_s = limits.try_again_s

    def look(self, now: float, come_bytes: int, missing_bytes: int) -> int:
        """Return how many lanes there should be now."""
        if self._window is None:
            self._window = (now + (self._limits.settle_s if come_bytes else 0.0), come_bytes)
            return self.lanes
        began, come_before = self._window
        if now < began:
            self._window = (began, come_bytes)  # still settling: what comes now does not count
            return self.lanes
        if now - began < self._limits.measure_s:
            return self.lanes
        rate = (come_bytes - come_before) / (now - began)
        self._window = None
        self._judge(now, rate, missing_bytes)
        return self.lanes

    def only(self, lanes: int) -> None:
        """Never use more than so many again: the server cannot send parts."""
        self._most = max(1, lanes)
        self.lanes = min(self.lanes, self._most)
        self._before = self._window = None

    def refused(self, now: float, lanes: int) -> None:
        """Use no more than so many for a while: the server did not take another one."""
        self.lanes = min(self.lanes, max(1, lanes))
        self._before = self._window = None
        self._rest(now)

    def _rest(self, now: float) -> None:
        self._not_before = now + self._pause_s
        self._pause_s *= 2

    def _judge(self, now: float, rate: float, missing_bytes: int) -> None:
        if self._before is not None:
            lanes, rate_before = self._before
            self._before = None
            if rate < rate_before * WORTHWHILE:
                self.lanes = lanes
                self._rest(now)
                return
        is_worth_it = rate > 0 and missing_bytes / rate >= self._limits.worth_trying_s
        if is_worth_it and now >= self._not_before and self.lanes < self._most:
            self._before = (self.lanes, rate)
            self.lanes = min(2 * self.lanes, self._most)


def next_piece(gaps: tuple[Span, ...], taken: tuple[Span, ...], least_bytes: int) -> Span | None:
    """Return what another lane should bring, None where that is not worth one.

    ``gaps`` is what is missing, ``taken`` from where and up to where each lane goes on. A gap that nobody is at comes
    first; else it is the second half of the largest rest of a lane, which then ends where this begins.
    """
    for gap in gaps:
        for piece in Spans.of(_cut(span, gap) for span in taken).holes(gap):
            return piece
    start, end = max(taken, key=lambda span: span[1] - span[0], default=(0, 0))
    middle = start + (end - start) // 2
    middle -= middle % _ALIGN
    if middle - start < least_bytes:
        return None
    return middle, end


def _cut(span: Span, gap: Span) -> Span:
    return max(span[0], gap[0]), min(span[1], gap[1])
