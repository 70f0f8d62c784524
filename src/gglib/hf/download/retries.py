"""When a download retries, and when it gives up. Pure: time and jitter are arguments.

Only consecutive attempts without progress are counted: as long as bytes arrive, the download continues.
"""

from dataclasses import dataclass

FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 20.0
MAX_ATTEMPTS = 8
"""Consecutive attempts without a byte: about a minute of pauses, enough for a router to come back."""
MAX_RETRY_AFTER_S = 120.0
"""The longest ``Retry-After`` that is waited for; a longer one is reported to the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLimits:
    """Retry parameters; tests use shorter times."""

    first_pause_s: float = FIRST_PAUSE_S
    max_pause_s: float = MAX_PAUSE_S
    max_attempts: int = MAX_ATTEMPTS
    max_retry_after_s: float = MAX_RETRY_AFTER_S


class Retries:
    """Counts consecutive failures."""

    def __init__(self, limits: RetryLimits) -> None:
        self._limits = limits
        self._failures = 0
        self._max_bytes = -1

    def record_failure(self, received_bytes: int, jitter: float) -> float | None:
        """Record a failed attempt; return the pause in seconds before the next one, None to give up.

        ``received_bytes`` is how much of the file is stored, ``jitter`` a random number from 0 to 1. If the server
        starts over each time, only bytes beyond the previous maximum are progress.
        """
        if received_bytes > self._max_bytes and self._max_bytes >= 0:
            self._failures = 0
        self._max_bytes = max(self._max_bytes, received_bytes)
        self._failures += 1
        if self._failures >= self._limits.max_attempts:
            return None
        pause_s = min(self._limits.first_pause_s * 2.0 ** (self._failures - 1), self._limits.max_pause_s)
        return pause_s * (0.5 + jitter / 2)

    def record_retry_after(self, wait_s: float, received_bytes: int, jitter: float) -> float | None:
        """Record a response that asks to wait ``wait_s`` seconds (429); returns as ``record_failure``."""
        pause_s = self.record_failure(received_bytes, jitter)
        if pause_s is None or wait_s > self._limits.max_retry_after_s:
            return None
        # Without jitter all rejected clients would return at the same moment.
        return max(pause_s, wait_s + jitter * min(1.0, wait_s))
