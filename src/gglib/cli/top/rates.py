"""Requests and tokens per second over the last seconds. Pure: the times are arguments, monotonic seconds.

The tokens of a request come from two sources: the requests in progress, read about once a second, and each finished
request. The tokens since the last reading are spread over the time in which they came, so that a long response that
arrives as a whole is no burst.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gglib.core.history.requests import RunningRequest, StoredRequest

WINDOW_S = 5
"""Rates are means over this time, or over the time since the first reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Per second. A model or a request without a value has no entry."""

    requests: float = 0.0
    tokens: float = 0.0
    requests_by_model: Mapping[str, float] = field(default_factory=dict)
    tokens_by_model: Mapping[str, float] = field(default_factory=dict)
    tokens_by_request: Mapping[str, float] = field(default_factory=dict)
    """By ``request_id``; only of streams that have begun."""


class RateMeter:
    """Adds up requests and tokens in buckets of a second."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._read_s: float | None = None
        """When the requests in progress were read; None before the first time."""
        self._requests: dict[int, dict[str | None, float]] = {}
        self._tokens: dict[int, dict[str | None, float]] = {}
        """Bucket -> model -> sum."""
        self._samples: dict[str, deque[tuple[float, int]]] = {}
        """Request -> when its chunks were read, and their number."""
        self._finished: dict[str, float] = {}
        """When a request finished: a reading that is older may still have it."""

    def add_running(self, running: Sequence[RunningRequest], now_s: float) -> None:
        """Add the tokens of the requests in progress since the last reading; of the first one they are not counted."""
        for request in running:
            if request.request_id in self._finished:
                continue
            samples = self._samples.setdefault(request.request_id, deque())
            if samples:
                before_s, before = samples[-1]
                self._add_tokens(request.model, request.chunks - before, before_s, now_s)
            elif self._read_s is not None:
                begun_s = max(self._read_s, now_s - request.age_s)
                self._add_tokens(request.model, request.chunks, begun_s, now_s)
            if not request.chunks:
                samples.clear()  # the rate of a stream begins with its first part, not with the wait for it
            samples.append((now_s, request.chunks))
            while len(samples) > 2 and samples[1][0] <= now_s - WINDOW_S:
                samples.popleft()
        self._read_s = now_s

    def add_finished(self, request: StoredRequest, now_s: float) -> None:
        """Add a request that has just finished, or several that share a row, and their tokens."""
        samples = self._samples.pop(request.request_id, None)
        self._finished[request.request_id] = now_s
        bucket = self._requests.setdefault(int(now_s), {})
        bucket[request.model] = bucket.get(request.model, 0.0) + request.count
        total = request.completion_tokens
        if total is None:
            return
        begun_s, before = now_s - (request.duration_s - (request.waited_s or 0.0)), 0
        if samples:
            begun_s, before = samples[-1]
        self._add_tokens(request.model, total - before, begun_s, now_s)

    def rates(self, now_s: float) -> Rates:
        """Return the rates, and forget what is older than the window."""
        first = int(now_s) - WINDOW_S
        for buckets in (self._requests, self._tokens):
            for second in [second for second in buckets if second < first]:
                del buckets[second]
        self._forget_requests(now_s - WINDOW_S)
        covered_s = max(1.0, now_s - max(float(first), self._started_s))
        requests = _sums(self._requests, covered_s)
        tokens = _sums(self._tokens, covered_s)
        return Rates(
            requests=sum(requests.values()),
            tokens=sum(tokens.values()),
            requests_by_model={model: value for model, value in requests.items() if model is not None},
            tokens_by_model={model: value for model, value in tokens.items() if model is not None},
            tokens_by_request={id_: rate for id_, rate in map(_rate_of, self._samples.items()) if rate},
        )

    def _forget_requests(self, before_s: float) -> None:
        for id_ in [id_ for id_, samples in self._samples.items() if samples[-1][0] < before_s]:
            del self._samples[id_]
        for id_ in [id_ for id_, at_s in self._finished.items() if at_s < before_s]:
            del self._finished[id_]

    def _add_tokens(self, model: str | None, tokens: int, from_s: float, to_s: float) -> None:
        """Spread tokens evenly over a time; those before the first second that is kept are dropped."""
        if tokens <= 0:
            return
        per_s = tokens / max(to_s - from_s, 1e-3)
        from_s = max(min(from_s, to_s - 1e-3), to_s - WINDOW_S - 1, self._started_s)
        for second in range(int(from_s), int(to_s) + 1):
            share_s = min(to_s, second + 1) - max(from_s, second)
            if share_s > 0:
                bucket = self._tokens.setdefault(second, {})
                bucket[model] = bucket.get(model, 0.0) + per_s * share_s


def _sums(buckets: Mapping[int, Mapping[str | None, float]], covered_s: float) -> dict[str | None, float]:
    sums: dict[str | None, float] = {}
    for bucket in buckets.values():
        for model, value in bucket.items():
            sums[model] = sums.get(model, 0.0) + value / covered_s
    return sums


def _rate_of(item: tuple[str, deque[tuple[float, int]]]) -> tuple[str, float]:
    """Return a request and its tokens per second between the first and the last of its samples."""
    id_, samples = item
    (first_s, first), (last_s, last) = samples[0], samples[-1]
    return id_, (last - first) / (last_s - first_s) if last_s > first_s else 0.0
