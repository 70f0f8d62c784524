"""What is counted, in the text that Prometheus reads.

The names are Prometheus's conventions: base units, and ``_total`` for what only grows. Whoever imports this imports
prometheus_client, which takes a tenth of a second: ``routes/metrics.py`` does so when the first one asks, and no one
else.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from gglib.core.ports import RuntimeStatus
from gglib.core.version import __version__
from gglib.proxy.telemetry.metrics import (
    BOUNDS_S,
    UPSTREAM_CODES,
    Histogram,
    ModelMetrics,
    RequestMetrics,
)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4.encode()

_LE = (*map(str, BOUNDS_S), "+Inf")
_Rows = Iterable[tuple[tuple[str, ...], float]]
"""Values of labels, and the number."""
_Times = Iterable[tuple[tuple[str, ...], Histogram]]


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """Where gglib's numbers are found."""

    metrics: RequestMetrics
    status: RuntimeStatus
    connections: int

    def collect(self) -> list[Metric]:
        """Return every metric of gglib: the numbers of this moment, which change no more."""
        return [
            *self._requests(),
            *self._answers(),
            *self._failures(),
            *self._now(),
            *self._models_since_the_start(),
            *self._version(),
        ]

    def _requests(self) -> Iterator[Metric]:
        yield _counter(
            "requests",
            "Requests that are over; a client that left unanswered has status 499.",
            "route method model status",
            self.metrics.requests.items(),
        )
        yield _histogram(
            "request_duration_seconds",
            "From a request's arrival to the end of its answer.",
            "route model",
            self.metrics.durations.items(),
        )

    def _answers(self) -> Iterator[Metric]:
        models = {name: model for name, model in self.metrics.models.items() if name}
        yield _histogram(
            "model_wait_seconds",
            "How long requests waited for their model, those that got to it.",
            "model",
            [((name,), model.waited) for name, model in models.items()],
        )
        yield _histogram(
            "first_byte_seconds",
            "From a request's arrival to the first byte of a model's answer with status 200; "
            "streamed, its first token or an engine's comment before it.",
            "model streamed",
            [row for name, model in models.items() for row in _first_bytes(name, model)],
        )
        yield _counter(
            "answer_chunks",
            "Parts of models' answers that were sent to clients.",
            "model",
            [((name,), model.chunks) for name, model in models.items()],
        )
        yield _counter(
            "prompt_tokens",
            "Tokens of prompts, as far as answers tell them.",
            "model",
            [((name,), model.prompt_tokens) for name, model in models.items()],
        )
        yield _counter(
            "completion_tokens",
            "Tokens that models wrote, as far as answers tell them.",
            "model",
            [((name,), model.completion_tokens) for name, model in models.items()],
        )

    def _failures(self) -> Iterator[Metric]:
        errors = self.metrics.errors.items()
        yield _counter(
            "request_errors", "Requests that failed, by the code of the error.", "model code", errors
        )
        yield _counter(
            "upstream_errors",
            "Those of them where the engine failed: out of reach, broken off or silent.",
            "model code",
            [(key, count) for key, count in errors if key[1] in UPSTREAM_CODES],
        )
        yield _counter(
            "edge_refusals",
            "What was refused before it was a request, by the status of the answer.",
            "status",
            [((str(status),), count) for status, count in self.metrics.refusals.items()],
        )

    def _now(self) -> Iterator[Metric]:
        yield _gauge(
            "client_connections", "Connections of clients that are open.", "", [((), self.connections)]
        )
        residents, waiting = self.status.residents, self.status.waiting
        yield _gauge(
            "requests_in_flight",
            "Requests that a model answers now.",
            "model",
            _sums(((one.model_name,), one.in_flight) for one in residents),
        )
        yield _gauge(
            "requests_waiting",
            "Requests that wait for a model now.",
            "model",
            _sums(((one.model_name,), one.waiting) for one in waiting),
        )
        yield _gauge(
            "longest_wait_seconds",
            "How long the oldest of all that wait now has waited; 0 when nobody does.",
            "",
            [((), max((one.longest_wait_s for one in waiting), default=0))],
        )
        yield _gauge(
            "resident_models",
            "Models in memory, or on their way in or out: loading, ready, draining, stopping.",
            "model state",
            _sums(((one.model_name, one.state), 1) for one in residents),
        )

    def _models_since_the_start(self) -> Iterator[Metric]:
        loads = [((one.model_name, one.outcome), one) for one in self.status.loads]
        yield _counter(
            "model_loads",
            "Loads that are over: ready, failed, or stopped before they were ready.",
            "model outcome",
            [(key, one.count) for key, one in loads],
        )
        yield _counter(
            "model_load_seconds",
            "How long these loads took in all.",
            "model outcome",
            [(key, one.total_s) for key, one in loads],
        )
        yield _counter(
            "swaps",
            "Changes of what is in memory, by the reason why a model left; room: none had to.",
            "reason",
            [((one.reason,), one.count) for one in self.status.swaps],
        )

    @staticmethod
    def _version() -> Iterator[Metric]:
        yield _gauge(
            "build_info", "Always 1; the label is gglib's version.", "version", [((__version__,), 1)]
        )


@dataclass(frozen=True, slots=True)
class _Scrape(Collector):
    """What one scrape shows."""

    metrics: list[Metric]

    def collect(self) -> Iterator[Metric]:
        """Yield gglib's metrics, and those of its process, where the system tells them (Linux)."""
        yield from self.metrics
        yield from ProcessCollector(registry=None).collect()


def render(metrics: list[Metric]) -> bytes:
    """Return metrics, and those of this process, as text of the type ``CONTENT_TYPE``; takes milliseconds."""
    return generate_latest(_Scrape(metrics))


def _first_bytes(name: str, model: ModelMetrics) -> Iterator[tuple[tuple[str, str], Histogram]]:
    for streamed, times in (("false", model.first_byte), ("true", model.first_byte_streamed)):
        if any(times.counts):  # most models are asked in one way only
            yield (name, streamed), times


def _sums(rows: _Rows) -> _Rows:
    """Add up what has the same labels: they may stand in a text only once."""
    sums: dict[tuple[str, ...], float] = {}
    for labels, number in rows:
        sums[labels] = sums.get(labels, 0) + number
    return sums.items()


def _counter(name: str, help_text: str, labels: str, rows: _Rows) -> Metric:
    family = CounterMetricFamily(f"gglib_{name}", help_text, labels=labels.split())
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _gauge(name: str, help_text: str, labels: str, rows: _Rows) -> Metric:
    family = GaugeMetricFamily(f"gglib_{name}", help_text, labels=labels.split())
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _histogram(name: str, help_text: str, labels: str, rows: _Times) -> Metric:
    family = HistogramMetricFamily(f"gglib_{name}", help_text, labels=labels.split())
    for values, times in rows:
        # Each bucket holds what the smaller ones hold; the last one is the count.
        family.add_metric(values, list(zip(_LE, accumulate(times.counts), strict=True)), times.sum_s)
    return family
