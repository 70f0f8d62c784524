"""Counters and histograms of finished requests. Pure: no clock and no output format.

Recording a request costs 0.9 µs (CPython 3.11, x86-64; ``python -m bench.metrics`` measures it): one dict lookup finds
the series; the rest is integer arithmetic and bisection. No single request is stored, and the number of series is
bounded: unknown paths and methods count as ``other``, model names are those of the catalogue, and names of keys and
nodes those that were configured since the start. The series of a removed key or node stay, because sums over counters
must not fall.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

from gglib.core.errors import UpstreamError, UpstreamStalledError
from gglib.core.history.records import RequestRecord

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Inclusive upper bounds of the buckets of durations."""
BOUNDS_TOKENS_PER_S = (
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    15.0,
    20.0,
    30.0,
    40.0,
    60.0,
    80.0,
    120.0,
    160.0,
    240.0,
    480.0,
    960.0,
)
"""Inclusive upper bounds of the buckets of speeds: from large models on a CPU to small ones on a GPU."""

UPSTREAM_CODES = frozenset((UpstreamError.code, UpstreamStalledError.code))
"""Codes of engine failures: unreachable, connection broken, stalled."""

OTHER = "other"
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
"""The methods of RFC 9110, and PATCH."""


class Histogram:
    """A histogram, of durations by default; ``counts`` has one bucket for each bound and one for larger values."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = BOUNDS_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Add one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class TokenCounts:
    """The tokens of one model and key, as responses report them."""

    __slots__ = ("cached", "completion", "prompt")

    def __init__(self) -> None:
        self.prompt = 0
        self.cached = 0
        """Prompt tokens that the engine had in its cache, a part of ``prompt``."""
        self.completion = 0


class ModelMetrics:
    """The metrics of one model."""

    __slots__ = ("chunks", "first_byte", "first_byte_streamed", "speed", "tokens", "waited")

    def __init__(self) -> None:
        self.chunks = 0
        self.tokens: dict[str, TokenCounts] = {}
        """By the name of the key; the empty name collects requests without a key."""
        self.waited = Histogram()
        """Wait from the resolved model name to admission, of admitted requests."""
        self.first_byte = Histogram()
        """Time to the first byte of the body, of responses with status 200 without streaming."""
        self.first_byte_streamed = Histogram()
        """The same for streams: the first token, or an earlier comment of the engine."""
        self.speed = Histogram(BOUNDS_TOKENS_PER_S)
        """Generation speed in tokens per second, of responses for which it is known."""

    @property
    def prompt_tokens(self) -> int:
        """The prompt tokens of all keys."""
        return sum(tokens.prompt for tokens in self.tokens.values())

    @property
    def completion_tokens(self) -> int:
        """The generated tokens of all keys."""
        return sum(tokens.completion for tokens in self.tokens.values())


class RequestLabels(NamedTuple):
    """The labels of a request. ``model``, ``status`` and ``key`` are empty if the request has none."""

    route: str
    method: str
    model: str
    status: str
    key: str = ""
    """The name of its access key."""


class _Series:
    """The counters of one combination of labels; all but ``count`` are shared with other series."""

    __slots__ = ("count", "duration", "model", "tokens")

    def __init__(self, duration: Histogram, model: ModelMetrics, tokens: TokenCounts) -> None:
        self.count = 0
        self.duration = duration
        self.model = model
        self.tokens = tokens


class RequestMetrics:
    """All metrics of requests. ``route_of`` maps any path and method to one of a few route names."""

    def __init__(self, route_of: Callable[[str, str], str]) -> None:
        self._route_of = route_of
        self._series: dict[RequestLabels, _Series] = {}
        self._cache: dict[tuple[str, str, str | None, int | None, str | None], _Series] = {}
        """Series by a record's own values, if its path and method are used as labels unchanged."""
        self.durations: dict[tuple[str, str], Histogram] = {}
        """Time from arrival to the end of the response, by route and model."""
        self.models: dict[str, ModelMetrics] = {}
        """By model name; the empty name collects requests without a model."""
        self.errors: dict[tuple[str, str], int] = {}
        """By model and error code."""
        self.key_errors: dict[tuple[str, str], int] = {}
        """By name of the access key and error code; requests without a key are not counted here."""
        self.refusals: dict[int, int] = {}
        """By status: connections and malformed requests that the HTTP server refused."""

        self.nodes: dict[str, int] = {}
        """Number of requests by the node that served them; those of the server's own machine are not counted here."""

    @property
    def requests(self) -> dict[RequestLabels, int]:
        """Number of requests by labels."""
        return {labels: series.count for labels, series in self._series.items()}

    @property
    def has_keys(self) -> bool:
        """Whether a request had an access key."""
        return any(labels.key for labels in self._series)

    @property
    def keys(self) -> set[str]:
        """The names of the access keys of all requests."""
        return {labels.key for labels in self._series if labels.key}

    def record(self, record: RequestRecord) -> None:
        """Record a finished request."""
        series = self._cache.get((record.path, record.method, record.model, record.status, record.key_name))
        if series is None:
            series = self._series_for(record)
        series.count += 1
        series.duration.add(record.duration_s)
        if record.waited_s is not None:
            self._record_response(record, series, record.waited_s)
        if record.error_code is not None:
            self._record_error(record, record.error_code)
        if record.node is not None:
            self.nodes[record.node] = self.nodes.get(record.node, 0) + 1

    def record_refusal(self, status: int) -> None:
        """Record a connection or malformed request that the HTTP server refused."""
        self.refusals[status] = self.refusals.get(status, 0) + 1

    def _record_error(self, record: RequestRecord, code: str) -> None:
        by_model = (record.model or "", code)
        self.errors[by_model] = self.errors.get(by_model, 0) + 1
        if record.key_name:
            by_key = (record.key_name, code)
            self.key_errors[by_key] = self.key_errors.get(by_key, 0) + 1

    @staticmethod
    def _record_response(record: RequestRecord, series: _Series, waited_s: float) -> None:
        model, tokens = series.model, series.tokens
        model.waited.add(waited_s)
        model.chunks += record.chunks
        if record.prompt_tokens is not None:
            tokens.prompt += record.prompt_tokens
        if record.completion_tokens is not None:
            tokens.completion += record.completion_tokens
        if record.cached_tokens is not None:
            tokens.cached += record.cached_tokens
        if record.tokens_per_s is not None:
            model.speed.add(record.tokens_per_s)
        if record.first_byte_s is not None and (record.sent_status or record.status) == 200:
            times = model.first_byte_streamed if record.is_streamed else model.first_byte
            times.add(record.first_byte_s)

    def _series_for(self, record: RequestRecord) -> _Series:
        route, model = self._route_of(record.path, record.method), record.model or ""
        method = record.method if record.method in _METHODS else OTHER
        status, key = "" if record.status is None else str(record.status), record.key_name or ""
        labels = RequestLabels(route, method, model, status, key)
        series = self._series.get(labels)
        if series is None:
            duration = self.durations.setdefault((route, model), Histogram())
            of_model = self.models.setdefault(model, ModelMetrics())
            tokens = of_model.tokens.setdefault(key, TokenCounts())
            series = self._series[labels] = _Series(duration, of_model, tokens)
        if (route, method) == (record.path, record.method):
            self._cache[record.path, record.method, record.model, record.status, record.key_name] = series
        return series
