"""When a download tries again, and when it gives up. Pure: time and chance are arguments.

Only tries in a row that brought nothing are counted: as long as bytes come, the download goes on.
"""

from dataclasses import dataclass

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0
MOST_TRIES = 8
"""In a row without a byte: some minute of pauses, which a router needs to come back."""
LONGEST_OBEYED_S = 120.0
"""A server may ask for this much patience; for more, the user is told instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLimits:
    """How patient a download is; tests are less so."""

    first_pause_s: float = FIRST_PAUSE_S
    longest_pause_s: float = LONGEST_PAUSE_S
    most_tries: int = MOST_TRIES
    longest_obeyed_s: float = LONGEST_OBEYED_S


class Retries:
    """Counts what failed in a row."""

    def __init__(self, limits: RetryLimits) -> None:
        self._limits = limits
        self._failed = 0
        self._most_bytes = -1

    @property
    def failed(self) -> int:
        """How many tries in a row brought nothing."""
        return self._failed

    def lost(self, here_bytes: int, chance: float) -> float | None:
        """Take note of a try that ended too early; return the pause in seconds before the next, None to give up.

        ``here_bytes`` is how much of the file is here now, ``chance`` a random number from 0 to 1. A server that
        begins from the beginning again each time makes progress only with the first byte that was never here.
        """
        if here_bytes > self._most_bytes and self._most_bytes >= 0:
            self._failed = 0
        self._most_bytes = max(self._most_bytes, here_bytes)
        self._failed += 1
        if self._failed >= self._limits.most_tries:
            return None
        pause_s = min(self._limits.first_pause_s * 2.0 ** (self._failed - 1), self._limits.longest_pause_s)
        return pause_s * (0.5 + chance / 2)

    def told_to_wait(self, wait_s: float, here_bytes: int, chance: float) -> float | None:
        """Take note of a server that asks for ``wait_s`` seconds of patience (429); as ``lost``."""
        pause_s = self.lost(here_bytes, chance)
        if pause_s is None or wait_s > self._limits.longest_obeyed_s:
            return None
        # Everybody who was sent away comes back at the same moment, unless chance parts them.
        return max(pause_s, wait_s + chance * min(1.0, wait_s))
