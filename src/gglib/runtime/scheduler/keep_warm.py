"""How long an idle model is kept while somebody waits for another one. Pure: ``now`` is an argument.

Agents and programs in a loop ask the same model again moments after an answer. To evict it between two of their
requests costs them, and everybody, a swap each time; to keep it costs whoever waits a moment. Ski rental says how long
a moment may be: as long as the swap back would take, which is at most twice the price of knowing the future. It is
only paid where experience speaks for it: the model's clients were back that soon the last times. While the clients
are not known yet, no more than a loop's turnaround is waited for.

``bench/policies`` shows what this is worth and what it costs (``bench/results/policies.md``).
"""

from collections import deque

QUICK_RETURNS = 2
"""How many quick returns in a row make a model's clients likely to be back. One is often chance."""
TURNAROUND_S = 0.25
"""A client that asks again this soon is a program in a loop, or the next of overlapping requests."""
UNKNOWN_CLIENT_DIVISOR = 4
"""Where a swap costs little, what is risked on unknown clients is no more than this part of it."""


class KeepWarm:
    """Remembers what swaps cost and how soon each model's clients came back."""

    def __init__(self) -> None:
        self._load_s: dict[int, float] = {}
        self._stop_s = 0.0
        self._idle_since: dict[int, float] = {}
        self._returns_s: dict[int, deque[float]] = {}

    def record_load(self, model_id: int, seconds: float) -> None:
        """Take note of what it cost to load a model."""
        self._load_s[model_id] = seconds

    def record_stop(self, seconds: float) -> None:
        """Take note of what it cost to stop one."""
        self._stop_s = seconds

    def record_idle(self, model_id: int, now: float) -> None:
        """Take note that a model's last request has ended."""
        self._idle_since[model_id] = now

    def record_request(self, model_id: int, now: float) -> None:
        """Take note that somebody asks for a model."""
        since = self._idle_since.pop(model_id, None)
        if since is None:
            return
        returns_s = self._returns_s.get(model_id)
        if returns_s is None:
            returns_s = self._returns_s[model_id] = deque(maxlen=QUICK_RETURNS)
        returns_s.append(now - since)

    def keep_until(self, model_id: int) -> float:
        """Return until when an idle model is kept for its clients, whoever else waits."""
        since = self._idle_since.get(model_id)
        return float("-inf") if since is None else since + self.keep_s(model_id)

    def swap_s(self, model_id: int) -> float:
        """Return what it would cost to have the model back: a stop and its load, as they were measured last."""
        return self._load_s.get(model_id, 0.0) + self._stop_s

    def keep_s(self, model_id: int) -> float:
        """Return how long an idle model is kept while somebody waits for another one."""
        swap_s = self.swap_s(model_id)
        returns_s = self._returns_s.get(model_id, ())
        if len(returns_s) < QUICK_RETURNS:
            return min(TURNAROUND_S, swap_s / UNKNOWN_CLIENT_DIVISOR)
        return swap_s if max(returns_s) <= swap_s else 0.0
