"""When a process that keeps ending is started again. Pure; times in seconds."""

FIRST_DELAY_S = 1.0
MAX_DELAY_S = 30.0
STEADY_S = 60.0
"""After so long, a process counts as one that does not keep ending."""


class Restarts:
    """The starts of one process: the first at once, the next after 1, 2, 4 and up to 30 s."""

    def __init__(self, *, first_delay_s: float = FIRST_DELAY_S) -> None:
        self._first_delay_s = first_delay_s
        self._starts = 0
        self._last_s = 0.0

    def is_due(self, now_s: float) -> bool:
        """Whether it may be started now."""
        return now_s >= self.next_s

    @property
    def next_s(self) -> float:
        """When it may be started."""
        if not self._starts:
            return 0.0
        return self._last_s + min(self._first_delay_s * 2.0 ** min(self._starts - 1, 10), MAX_DELAY_S)

    def started(self, now_s: float) -> None:
        """Note a start."""
        self._starts += 1
        self._last_s = now_s

    def running(self, now_s: float) -> None:
        """Note that it runs."""
        if self._starts and now_s - self._last_s >= STEADY_S:
            self._starts = 0
