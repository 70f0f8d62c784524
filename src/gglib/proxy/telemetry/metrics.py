"""What is counted of the requests that are over. Pure: no clock, and no word of how the numbers are shown.

Taking in a request costs 0.9 µs (CPython 3.11, x86-64; ``python -m bench.metrics`` measures it): one look into a dict
finds what counts requests of its kind; the rest is integers and bisections. Nothing is kept of a single request, and
the kinds are bounded: what a client made up (paths, methods) is counted as ``other``, and names of models are the
catalogue's.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

from gglib.core.errors import UpstreamError, UpstreamStalledError
from gglib.proxy.telemetry.records import RequestRecord

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Of every histogram, each bound included: from an answer of gglib's own to as long as anybody waits here."""

UPSTREAM_CODES = frozenset((UpstreamError.code, UpstreamStalledError.code))
"""The errors that are the engine's: it could not be reached, it broke off, it fell silent."""

OTHER = "other"
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
"""Those of RFC 9110, and PATCH."""


class Histogram:
    """Counts times by their size; ``counts`` has one place for each of ``BOUNDS_S`` and one for what is beyond."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class ModelMetrics:
    """What one model answered. Tokens are those that its answers told of."""

    __slots__ = (
        "chunks",
        "completion_tokens",
        "first_byte",
        "first_byte_streamed",
        "prompt_tokens",
        "waited",
    )

    def __init__(self) -> None:
        self.chunks = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.waited = Histogram()
        """From the moment that its name was understood until the model was there, for those that got to it."""
        self.first_byte = Histogram()
        """From a request's arrival to the first byte of the body, of answers with status 200 at once ..."""
        self.first_byte_streamed = Histogram()
        """... and of streams, where that is the first token, or a comment of an engine that takes long for it."""


class RequestLabels(NamedTuple):
    """What requests are told apart by. ``model`` and ``status`` are empty where a request got to none."""

    route: str
    method: str
    model: str
    status: str


class _Series:
    """The counters of one kind; but for the first it shares them with other kinds."""

    __slots__ = ("count", "duration", "model")

    def __init__(self, duration: Histogram, model: ModelMetrics) -> None:
        self.count = 0
        self.duration = duration
        self.model = model


class RequestMetrics:
    """Counts. ``route_of`` names the route of a path; it has to return one of a few names, whatever it is given."""

    def __init__(self, route_of: Callable[[str], str]) -> None:
        self._route_of = route_of
        self._series: dict[RequestLabels, _Series] = {}
        self._cache: dict[tuple[str, str, str | None, int | None], _Series] = {}
        """By what stands in a record, where that is the kind's own name."""
        self.durations: dict[tuple[str, str], Histogram] = {}
        """From arrival to the end of the answer, by route and model."""
        self.models: dict[str, ModelMetrics] = {}
        """By name; with an empty one for what got to no model."""
        self.errors: dict[tuple[str, str], int] = {}
        """By model and the code of the error."""
        self.refusals: dict[int, int] = {}
        """By status: what the HTTP server refused before it was a request."""

    @property
    def requests(self) -> dict[RequestLabels, int]:
        """How many requests of each kind there were."""
        return {kind: counters.count for kind, counters in self._series.items()}

    def record(self, record: RequestRecord) -> None:
        """Take in a request that is over."""
        kind = self._cache.get((record.path, record.method, record.model, record.status))
        if kind is None:
            kind = self._series_for(record)
        kind.count += 1
        kind.duration.add(record.duration_s)
        if record.waited_s is not None:
            self._record_response(record, kind.model, record.waited_s)
        if record.error_code is not None:
            key = (record.model or "", record.error_code)
            self.errors[key] = self.errors.get(key, 0) + 1

    def record_refusal(self, status: int) -> None:
        """Take in what the HTTP server refused before it was a request."""
        self.refusals[status] = self.refusals.get(status, 0) + 1

    @staticmethod
    def _record_response(record: RequestRecord, model: ModelMetrics, waited_s: float) -> None:
        model.waited.add(waited_s)
        model.chunks += record.chunks
        if record.prompt_tokens is not None:
            model.prompt_tokens += record.prompt_tokens
        if record.completion_tokens is not None:
            model.completion_tokens += record.completion_tokens
        if record.first_byte_s is not None and record.status == 200:
            times = model.first_byte_streamed if record.is_streamed else model.first_byte
            times.add(record.first_byte_s)

    def _series_for(self, record: RequestRecord) -> _Series:
        route, model = self._route_of(record.path), record.model or ""
        method = record.method if record.method in _METHODS else OTHER
        name = RequestLabels(route, method, model, "" if record.status is None else str(record.status))
        kind = self._series.get(name)
        if kind is None:
            duration = self.durations.setdefault((route, model), Histogram())
            kind = self._series[name] = _Series(duration, self.models.setdefault(model, ModelMetrics()))
        if (route, method) == (record.path, record.method):
            self._cache[record.path, record.method, record.model, record.status] = kind
        return kind
