"""The limits of one key and what its requests use of them: decides whether the next one may run. Pure.

Requests count when they are admitted, tokens when they are known, at the end of a request. Until then an estimate is
reserved. All times are seconds of one clock.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from gglib.core.api_keys import KeyLimits
from gglib.proxy.limits.estimates import INITIAL_COMPLETION_TOKENS
from gglib.proxy.limits.window import WINDOW_S, SlidingWindow

_WEIGHT = 0.2
"""Weight of the last request in the recent averages."""
_INITIAL_DURATION_S = 1.0
_MIN_WAIT_S = 0.001


class LimitName(Enum):
    """The limits, by their names in the settings."""

    RPM = "rpm"
    TPM = "tpm"
    PARALLEL = "parallel"


@dataclass(frozen=True, slots=True)
class Excess:
    """Why a request is refused: it would exceed ``limit``."""

    name: LimitName
    limit: int
    used: int
    """What is used or reserved, without the refused request."""
    requested: int
    """The estimate for the refused request, of a limit of tokens; 0 of the others."""
    wait_s: float
    """After that the same request is admitted, if no other one of the key came before it and, for tokens and parallel
    requests, those in progress have ended. More than 0, at most 60."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a key uses at a moment."""

    requests: int
    """Admitted in the last 60 seconds, while ``rpm`` was set."""
    tokens: int
    """Of requests that ended in the last 60 seconds, while ``tpm`` was set."""
    reserved_tokens: int
    """Estimate for the requests in progress."""
    running: int
    """Requests in progress."""
    requests_reset_s: float
    tokens_reset_s: float
    """Seconds until nothing is used, without further requests."""


class KeyMeter:
    """The use of one key. ``limits`` may be replaced at any time: what was used stays."""

    __slots__ = (
        "_completion",
        "_duration_s",
        "_requests",
        "_reserved",
        "_running",
        "_tokens",
        "limits",
        "name",
    )

    def __init__(self, name: str, limits: KeyLimits) -> None:
        self.name = name
        self.limits = limits
        self._requests = SlidingWindow()
        self._tokens = SlidingWindow()
        self._reserved = 0
        self._running = 0
        self._completion = float(INITIAL_COMPLETION_TOKENS)
        """Recent average of the tokens of a completion."""
        self._duration_s = _INITIAL_DURATION_S
        """Recent average duration of a request."""

    @property
    def completion_estimate(self) -> int:
        """The expected tokens of a completion whose request has no limit."""
        return math.ceil(self._completion)

    def check(self, now_s: float, tokens: int | None) -> Excess | None:
        """Return why a request with an estimate of ``tokens`` is refused now; None: it may begin.

        ``tokens`` None: the request computes none, so that ``tpm`` does not apply to it.
        If several limits are reached, the one with the longest wait is returned.
        """
        limits, found = self.limits, []
        if limits.parallel is not None and self._running >= limits.parallel:
            wait_s = min(max(self._duration_s, _MIN_WAIT_S), WINDOW_S)
            found.append(Excess(LimitName.PARALLEL, limits.parallel, self._running, 0, wait_s))
        if limits.rpm is not None and (used := self._requests.used(now_s)) >= limits.rpm:
            wait_s = self._requests.wait_s(now_s, limits.rpm - 1)
            found.append(Excess(LimitName.RPM, limits.rpm, used, 0, wait_s))
        if limits.tpm is not None and tokens is not None:
            used = self._tokens.used(now_s) + self._reserved
            if used and used + tokens > limits.tpm:
                wait_s = self._token_wait_s(now_s, tokens)
                found.append(Excess(LimitName.TPM, limits.tpm, used, tokens, wait_s))
        return max(found, key=lambda excess: excess.wait_s, default=None)

    def begin(self, now_s: float, tokens: int) -> None:
        """Count a request that ``check`` has admitted, with its estimate or 0. ``end`` has to follow."""
        self._running += 1
        self._reserved += tokens
        if self.limits.rpm is not None:
            self._requests.add(now_s, 1)

    def end(
        self, now_s: float, reserved: int, *, prompt: int, completion: int | None, duration_s: float
    ) -> None:
        """End a request: its tokens replace what ``begin`` reserved. ``completion`` None: it generates none."""
        self._running -= 1
        self._reserved -= reserved
        self._duration_s += _WEIGHT * (duration_s - self._duration_s)
        if completion is not None:
            self._completion += _WEIGHT * (completion - self._completion)
        if self.limits.tpm is not None and (tokens := prompt + (completion or 0)):
            self._tokens.add(now_s, tokens)

    def restore(self, requests: Sequence[tuple[float, int]], tokens: Sequence[tuple[float, int]]) -> None:
        """Add what finished requests used: the numbers of requests by time of admission, and of tokens by time of end.

        Both in the order of time; what is older than 60 seconds has no effect.
        """
        for time_s, number in requests:
            self._requests.add(time_s, number)
        for time_s, number in tokens:
            self._tokens.add(time_s, number)

    def use(self, now_s: float) -> KeyUse:
        """Return the current use."""
        return KeyUse(
            self._requests.used(now_s),
            self._tokens.used(now_s),
            self._reserved,
            self._running,
            self._requests.wait_s(now_s),
            self._tokens.wait_s(now_s),
        )

    def _token_wait_s(self, now_s: float, tokens: int) -> float:
        """Return when a request with ``tokens`` can begin, if those in progress use what is reserved for them."""
        limit = self.limits.tpm or 0
        room = limit - self._reserved - tokens
        wait_s = self._tokens.wait_s(now_s, room)
        if room < 0 and self._reserved:
            wait_s = max(wait_s, self._duration_s)
        return min(max(wait_s, _MIN_WAIT_S), WINDOW_S)
