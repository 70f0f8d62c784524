"""The download speed over a sliding window. Pure; the time is an argument."""

from collections import deque

WINDOW_S = 5.0
"""Long enough to bridge a pause between two blocks, short enough to reveal a lost connection soon."""
_SHORTEST_S = 0.5
"""Shortest interval that yields a meaningful speed."""


class Speed:
    """Bytes per second over the last ``WINDOW_S``. A few samples per second are enough."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now_s: float, done_bytes: int) -> None:
        """Add a sample of the total so far; a smaller total restarts the measurement."""
        if self._samples and done_bytes < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now_s, done_bytes))
        self._drop_old(now_s)

    def bytes_per_s(self, now_s: float) -> int | None:
        """Return the speed; None while there are too few samples, or if no data arrived in the window."""
        self._drop_old(now_s)
        if not self._samples:
            return None
        since_s, before = self._samples[0]
        passed_s, received = now_s - since_s, self._samples[-1][1] - before
        return round(received / passed_s) if passed_s >= _SHORTEST_S and received > 0 else None

    def _drop_old(self, now_s: float) -> None:
        """Drop samples older than the window, except the last one before it: the start of the measurement."""
        while len(self._samples) > 1 and self._samples[1][0] <= now_s - WINDOW_S:
            self._samples.popleft()
        if len(self._samples) == 1 and self._samples[0][0] < now_s - WINDOW_S:
            self._samples.clear()
