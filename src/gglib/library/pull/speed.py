"""How fast something comes, from how much of it had come when. Pure; the time is an argument."""

from collections import deque

WINDOW_S = 5.0
"""Long enough that a pause between two blocks is no zero, short enough that a cut connection is soon seen."""
_SHORTEST_S = 0.5
"""Of less nobody can tell a speed."""


class Speed:
    """Bytes per second over the last ``WINDOW_S``. Whoever notes more often than some times a second only fills it."""

    __slots__ = ("_noted",)

    def __init__(self) -> None:
        self._noted: deque[tuple[float, int]] = deque()

    def add(self, now_s: float, done_bytes: int) -> None:
        """Take in how much has come so far; less than before begins anew."""
        if self._noted and done_bytes < self._noted[-1][1]:
            self._noted.clear()
        self._noted.append((now_s, done_bytes))
        self._forget(now_s)

    def bytes_per_s(self, now_s: float) -> int | None:
        """Return the speed; None while it cannot be told, and when nothing has come for the whole window."""
        self._forget(now_s)
        if not self._noted:
            return None
        since_s, before = self._noted[0]
        passed_s, came = now_s - since_s, self._noted[-1][1] - before
        return round(came / passed_s) if passed_s >= _SHORTEST_S and came > 0 else None

    def _forget(self, now_s: float) -> None:
        """Drop what is older than the window, but for the last one before it, which the window is measured from."""
        while len(self._noted) > 1 and self._noted[1][0] <= now_s - WINDOW_S:
            self._noted.popleft()
        if len(self._noted) == 1 and self._noted[0][0] < now_s - WINDOW_S:
            self._noted.clear()
