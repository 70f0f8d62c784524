"""A sliding window: sums amounts over the last 60 seconds. Pure; times are seconds of any one clock.

Amounts of the same millisecond share an entry, which has the time of the last one. So an amount never leaves the window
early, at most a millisecond late, and a window has at most 60,001 entries, whatever the limit.
"""

from bisect import bisect_left, bisect_right

WINDOW_S = 60.0
_ENTRIES_PER_S = 1000
_COMPACT_AT = 1024
"""Number of expired entries above which they are removed, once they are more than half of all."""


class SlidingWindow:
    """Amounts by time. Time does not run backwards: an earlier time counts as the last one that was added."""

    __slots__ = ("_expired", "_head", "_times", "_totals")

    def __init__(self) -> None:
        self._times: list[float] = []
        self._totals: list[int] = []
        """For each time the sum of all amounts up to it, so that sums and searches take logarithmic time."""
        self._head = 0
        """Index of the first entry that has not expired."""
        self._expired = 0
        """The total at the entry before ``_head``."""

    def __len__(self) -> int:
        """Return the number of entries in memory, also of expired ones."""
        return len(self._times)

    def add(self, now_s: float, amount: int) -> None:
        """Add an amount, which counts from ``now_s`` until 60 seconds later, exclusively."""
        self._expire(now_s)
        times, totals = self._times, self._totals
        last_s = times[-1] if times else 0.0
        if times and int(now_s * _ENTRIES_PER_S) <= int(last_s * _ENTRIES_PER_S):
            times[-1] = max(last_s, now_s)
            totals[-1] += amount
        else:
            totals.append((totals[-1] if totals else self._expired) + amount)
            times.append(now_s)

    def used(self, now_s: float) -> int:
        """Return the sum of the amounts in the window that ends at ``now_s``."""
        self._expire(now_s)
        return self._totals[-1] - self._expired if self._totals else 0

    def wait_s(self, now_s: float, used: int = 0) -> float:
        """Return the seconds until at most ``used`` remains, if nothing is added; 0 if that is so already."""
        excess = self.used(now_s) - max(0, used)
        if excess <= 0:
            return 0.0
        index = bisect_left(self._totals, self._expired + excess, self._head)
        return self._times[index] + WINDOW_S - now_s

    def _expire(self, now_s: float) -> None:
        times, head = self._times, self._head
        expired_s = now_s - WINDOW_S
        if head == len(times) or times[head] > expired_s:
            return
        self._head = head = bisect_right(times, expired_s, head)
        self._expired = self._totals[head - 1]
        if head == len(times) or (head > _COMPACT_AT and 2 * head > len(times)):
            del times[:head], self._totals[:head]
            self._head = 0
            if not times:
                self._expired = 0
