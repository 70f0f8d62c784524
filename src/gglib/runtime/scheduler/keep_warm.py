"""How long an idle model is kept warm while a request waits for another model. Pure: ``now`` is an argument.

Agents and loops send their next request moments after a response. Evicting the model between two of their requests
costs a swap each time; keeping it delays the waiting request. The ski-rental rule limits this delay to the time of the
swap back, which costs at most twice the optimum. It applies only if the clients' last ``QUICK_RETURNS`` pauses were
shorter than that. With fewer known pauses, the model is kept for ``TURNAROUND_S`` at most.

One agent that uses two models by turns sends its next request for the first one after the second has answered: keeping
the first would only delay that answer. Such a return is none (``_is_by_turns``), however short it was.

``bench/policies`` measures the benefit and the cost (``bench/results/policies.md``).
"""

import math
from collections import deque

QUICK_RETURNS = 2
"""Consecutive quick returns after which a model's clients are expected to return. A single one is often chance."""
TURNAROUND_S = 0.25
"""The usual pause between the requests of a loop, or between requests that nearly overlap."""
RETURN_WEIGHT = 0.25
"""The weight of the newest return in a model's typical return."""
USE_S = 600.0
"""A model counts as used for so long after its newest request, if the end of that is not known."""
UNKNOWN_CLIENT_DIVISOR = 4
"""With fewer known pauses, a model is kept for at most the time of a swap divided by this."""


class KeepWarm:
    """Records the duration of swaps and how soon each model's clients return."""

    def __init__(self) -> None:
        self._load_s: dict[int, float] = {}
        self._stop_s = 0.0
        self._idle_since: dict[int, float] = {}
        self._in_use: dict[int, float] = {}
        """The time of the newest request of each model with requests. Some have left or were refused (``USE_S``)."""
        self._idle_alone: set[int] = set()
        """The models that became idle while no other one was in use."""
        self._newest_idle_s = -math.inf
        """When a model became idle last."""
        self._returns_s: dict[int, deque[float]] = {}
        self._typical_return_s: dict[int, float] = {}

    def record_load(self, model_id: int, seconds: float) -> None:
        """Record how long a model took to load."""
        self._load_s[model_id] = seconds

    def record_stop(self, seconds: float) -> None:
        """Record how long a model took to stop."""
        self._stop_s = seconds

    def record_idle(self, model_id: int, now: float) -> None:
        """Record that a model's last request has ended."""
        self._idle_since[model_id] = self._newest_idle_s = now
        self._in_use.pop(model_id, None)
        if self._is_one_in_use(now):
            self._idle_alone.discard(model_id)
        else:
            self._idle_alone.add(model_id)

    def record_request(self, model_id: int, now: float) -> None:
        """Record a request for a model."""
        since = self._idle_since.pop(model_id, None)
        is_by_turns = since is not None and self._is_by_turns(model_id, since, now)
        self._in_use[model_id] = now
        if since is None:
            return
        returns_s = self._returns_s.get(model_id)
        if returns_s is None:
            returns_s = self._returns_s[model_id] = deque(maxlen=QUICK_RETURNS)
        returns_s.append(math.inf if is_by_turns else now - since)
        typical_s = self._typical_return_s.get(model_id, now - since)
        self._typical_return_s[model_id] = typical_s + RETURN_WEIGHT * (now - since - typical_s)

    def _is_by_turns(self, model_id: int, since: float, now: float) -> bool:
        """Whether others were used since this model was idle, and none of their requests overlapped with its own.

        Two clients overlap sooner or later, at the latest while one waits for the other's swap.
        """
        is_another_used = self._newest_idle_s > since
        return is_another_used and model_id in self._idle_alone and not self._is_one_in_use(now)

    def _is_one_in_use(self, now: float) -> bool:
        if self._in_use and min(self._in_use.values()) <= now - USE_S:
            self._in_use = {model_id: at for model_id, at in self._in_use.items() if at > now - USE_S}
        return bool(self._in_use)

    def keep_until(self, model_id: int) -> float:
        """Return until when an idle model is kept for its clients."""
        since = self._idle_since.get(model_id)
        return float("-inf") if since is None else since + self.keep_s(model_id)

    def swap_s(self, model_id: int) -> float:
        """Return the duration of a swap back: the last measured stop, and the model's last load."""
        return self._load_s.get(model_id, 0.0) + self._stop_s

    def typical_return_s(self, model_id: int) -> float:
        """Return the moving average of how soon the model's clients return; 0 if unknown."""
        return self._typical_return_s.get(model_id, 0.0)

    def keep_s(self, model_id: int) -> float:
        """Return how long an idle model is kept while a request waits for another model."""
        swap_s = self.swap_s(model_id)
        returns_s = self._returns_s.get(model_id, ())
        if len(returns_s) < QUICK_RETURNS:
            return min(TURNAROUND_S, swap_s / UNKNOWN_CLIENT_DIVISOR)
        return swap_s if max(returns_s) <= swap_s else 0.0
