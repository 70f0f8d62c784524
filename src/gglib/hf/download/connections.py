"""How many connections a download uses, and which bytes each one fetches. Pure: time and rates are arguments.

Many servers limit the rate of each connection, not of each client. A download starts with one connection. Once its rate
is known, the number is doubled, up to ``MAX_CONNECTIONS``. If the total rate grows by ``MIN_SPEEDUP``, the new number
stays; else the policy reverts to the old one and tries again much later. A download that would end before the
measurement does is left alone.
"""

from dataclasses import dataclass

from gglib.hf.download.byte_ranges import ByteRange, ByteRanges

MAX_CONNECTIONS = 8
MIN_SPEEDUP = 1.15
MEASURE_S = 0.8
WARMUP_S = 0.6
"""After a change: a new connection has its handshakes, its redirect and a slow start."""
MIN_REMAINING_S = 2.5
"""A download that takes less than this to finish is not sped up."""
RETRY_S = 30.0
MIN_SEGMENT_BYTES = 4 * 1024 * 1024
"""A connection for fewer bytes costs more than it gains."""
_ALIGN = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Parameters of the policy; tests use shorter times."""

    max_connections: int = MAX_CONNECTIONS
    measure_s: float = MEASURE_S
    warmup_s: float = WARMUP_S
    min_remaining_s: float = MIN_REMAINING_S
    retry_s: float = RETRY_S
    min_segment_bytes: int = MIN_SEGMENT_BYTES


class ConnectionPolicy:
    """Decides the number of connections from the total of received bytes at each update."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._max = limits.max_connections
        self.connections = 1
        self._baseline: tuple[int, float] | None = (
            None  # connections and their rate, while more are being tried
        )
        self._window: tuple[float, int] | None = None  # time and bytes at its beginning
        self._not_before = float("-inf")
        self._pause_s = limits.retry_s

    def update(self, now: float, received_bytes: int, missing_bytes: int) -> int:
        """Return how many connections to use now."""
        if self._window is None:
            self._window = (now + (self._limits.warmup_s if received_bytes else 0.0), received_bytes)
            return self.connections
        began, received_before = self._window
        if now < began:
            self._window = (began, received_bytes)  # still warming up: these bytes do not count
            return self.connections
        if now - began < self._limits.measure_s:
            return self.connections
        rate = (received_bytes - received_before) / (now - began)
        self._window = None
        self._evaluate(now, rate, missing_bytes)
        return self.connections

    def limit_to(self, connections: int) -> None:
        """Never use more than ``connections`` again: the server does not support ranges."""
        self._max = max(1, connections)
        self.connections = min(self.connections, self._max)
        self._baseline = self._window = None

    def back_off(self, now: float, connections: int) -> None:
        """Use at most ``connections`` for a while: the server refused another one."""
        self.connections = min(self.connections, max(1, connections))
        self._baseline = self._window = None
        self._delay_growth(now)

    def _delay_growth(self, now: float) -> None:
        self._not_before = now + self._pause_s
        self._pause_s *= 2

    def _evaluate(self, now: float, rate: float, missing_bytes: int) -> None:
        if self._baseline is not None:
            connections, rate_before = self._baseline
            self._baseline = None
            if rate < rate_before * MIN_SPEEDUP:
                self.connections = connections
                self._delay_growth(now)
                return
        is_worth_it = rate > 0 and missing_bytes / rate >= self._limits.min_remaining_s
        if is_worth_it and now >= self._not_before and self.connections < self._max:
            self._baseline = (self.connections, rate)
            self.connections = min(2 * self.connections, self._max)


def next_segment(
    gaps: tuple[ByteRange, ...], taken: tuple[ByteRange, ...], least_bytes: int
) -> ByteRange | None:
    """Return the range for another connection, None if none is worth a connection.

    ``gaps`` are the missing ranges, ``taken`` the remaining range of each connection. A gap without a connection comes
    first; else the second half of the largest remaining range, which then ends where the new range begins.
    """
    for gap in gaps:
        for segment in ByteRanges.of(_clip(span, gap) for span in taken).missing_in(gap):
            return segment
    start, end = max(taken, key=lambda span: span[1] - span[0], default=(0, 0))
    middle = start + (end - start) // 2
    middle -= middle % _ALIGN
    if middle - start < least_bytes:
        return None
    return middle, end


def _clip(span: ByteRange, gap: ByteRange) -> ByteRange:
    return max(span[0], gap[0]), min(span[1], gap[1])
