"""Renders the metrics in the Prometheus text format.

The names follow the conventions of Prometheus: base units, and ``_total`` for counters. Importing prometheus_client
takes a tenth of a second, so only ``routes/metrics.py`` imports this module, at the first scrape.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from gglib.core.nodes import ClusterOverview
from gglib.core.ports import HistoryStatistics, RuntimeStatus
from gglib.core.version import __version__
from gglib.proxy.telemetry.metrics import (
    UPSTREAM_CODES,
    Histogram,
    ModelMetrics,
    RequestMetrics,
)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4.encode()

RATE_LIMITED = "rate_limit_exceeded"
"""Error code of requests beyond a limit of their key."""

_ValueRows = Iterable[tuple[tuple[str, ...], float]]
"""Label values and the metric's value."""
_HistogramRows = Iterable[tuple[tuple[str, ...], Histogram]]


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """The sources of gglib's metrics at one scrape."""

    metrics: RequestMetrics
    status: RuntimeStatus
    connections: int
    history: HistoryStatistics | None = None
    """None: there is no request history."""
    cluster: ClusterOverview = field(default_factory=ClusterOverview)
    """Empty without nodes."""

    def collect(self) -> list[Metric]:
        """Return all metrics of gglib with their current values, as copies."""
        return [
            *self._requests(),
            *self._responses(),
            *self._speeds(),
            *self._failures(),
            *self._failures_of_keys(),
            *self._current(),
            *self._memory(),
            *self._loads_and_swaps(),
            *self._kept_prompts(),
            *self._nodes(),
            *self._request_history(),
            *self._version(),
        ]

    def _requests(self) -> Iterator[Metric]:
        key_label = _key_label(self.metrics)
        yield _counter(
            "requests",
            "Finished requests; status 499: the client disconnected before the end of the response.",
            f"route method model status{key_label}",
            [
                (labels if key_label else labels[:-1], count)
                for labels, count in self.metrics.requests.items()
            ],
        )
        yield _histogram(
            "request_duration_seconds",
            "Time from the arrival of a request to the end of its response.",
            "route model",
            self.metrics.durations.items(),
        )

    def _responses(self) -> Iterator[Metric]:
        models = {name: model for name, model in self.metrics.models.items() if name}
        key_label = _key_label(self.metrics)
        tokens = [
            ((name, key) if key_label else (name,), counts)
            for name, model in models.items()
            for key, counts in model.tokens.items()
        ]
        yield _histogram(
            "model_wait_seconds",
            "Time that admitted requests waited for their model.",
            "model",
            [((name,), model.waited) for name, model in models.items()],
        )
        yield _histogram(
            "first_byte_seconds",
            "Time to the first byte of a model's response with status 200; "
            "of streams, to the first token or an earlier comment of the engine.",
            "model streamed",
            [row for name, model in models.items() for row in _first_bytes(name, model)],
        )
        yield _counter(
            "answer_chunks",
            "Parts of model responses sent to clients.",
            "model",
            [((name,), model.chunks) for name, model in models.items()],
        )
        yield _counter(
            "prompt_tokens",
            "Prompt tokens, as reported by responses.",
            f"model{key_label}",
            [(values, counts.prompt) for values, counts in tokens],
        )
        yield _counter(
            "completion_tokens",
            "Generated tokens, as reported by responses.",
            f"model{key_label}",
            [(values, counts.completion) for values, counts in tokens],
        )
        yield _counter(
            "cached_prompt_tokens",
            "Prompt tokens that engines had in their cache, a part of gglib_prompt_tokens_total.",
            f"model{key_label}",
            [(values, counts.cached) for values, counts in tokens],
        )

    def _speeds(self) -> Iterator[Metric]:
        models = self.metrics.models.items()
        yield _histogram(
            "generation_tokens_per_second",
            "Generation speed of responses in tokens per second, as reported by the engine.",
            "model",
            [((name,), model.speed) for name, model in models if any(model.speed.counts)],
        )

    def _failures(self) -> Iterator[Metric]:
        errors = self.metrics.errors.items()
        yield _counter("request_errors", "Failed requests, by error code.", "model code", errors)
        yield _counter(
            "upstream_errors",
            "Requests that failed because of the engine: unreachable, connection broken or stalled.",
            "model code",
            [(key, count) for key, count in errors if key[1] in UPSTREAM_CODES],
        )
        yield _counter(
            "edge_refusals",
            "Connections and malformed requests that the HTTP server refused, by the status of the response.",
            "status",
            [((str(status),), count) for status, count in self.metrics.refusals.items()],
        )

    def _failures_of_keys(self) -> Iterator[Metric]:
        # A limit's counter begins at 0: Prometheus's rate() and increase() do not see the first value of a series.
        counts = dict.fromkeys(((key, RATE_LIMITED) for key in sorted(self.metrics.keys)), 0)
        yield _counter(
            "key_errors",
            "Failed requests of access keys, by error code; rate_limit_exceeded: refused by a limit of the key.",
            "key code",
            (counts | self.metrics.key_errors).items(),
        )

    def _current(self) -> Iterator[Metric]:
        yield _gauge("client_connections", "Open client connections.", "", [((), self.connections)])
        residents, waiting = self.status.residents, self.status.waiting
        yield _gauge(
            "requests_in_flight",
            "Requests that a model is serving.",
            "model",
            _sums(((resident.model_name,), resident.in_flight) for resident in residents),
        )
        yield _gauge(
            "requests_waiting",
            "Requests waiting for a model.",
            "model",
            _sums(((queue.model_name,), queue.waiting) for queue in waiting),
        )
        yield _gauge(
            "longest_wait_seconds",
            "Wait of the oldest waiting request; 0 if none is waiting.",
            "",
            [((), max((queue.longest_wait_s for queue in waiting), default=0))],
        )
        yield _gauge(
            "resident_models",
            "Models in memory, by state: loading, ready, draining, stopping.",
            "model state",
            _sums(((resident.model_name, resident.state), 1) for resident in residents),
        )

    def _memory(self) -> Iterator[Metric]:
        yield _gauge(
            "model_memory_bytes",
            "Memory of models, measured or expected, by device: ram, gpu0, gpu1.",
            "model device",
            _sums(
                ((resident.model_name, device), size)
                for resident in self.status.residents
                for device, size in resident.size.items()
            ),
        )
        yield _gauge(
            "memory_budget_bytes",
            "Memory budget of all models together, by device; none if memory is not limited.",
            "device",
            [((device,), size) for device, size in self.status.limits.items()],
        )

    def _loads_and_swaps(self) -> Iterator[Metric]:
        loads = [((load.model_name, load.outcome), load) for load in self.status.loads]
        yield _counter(
            "model_loads",
            "Finished loads: ready, failed, or stopped before they were ready.",
            "model outcome",
            [(key, load.count) for key, load in loads],
        )
        yield _counter(
            "model_load_seconds",
            "Total duration of finished loads.",
            "model outcome",
            [(key, load.total_s) for key, load in loads],
        )
        yield _counter(
            "swaps",
            "Swaps, by the reason for the unload; room: nothing was unloaded.",
            "reason",
            [((swap.reason,), swap.count) for swap in self.status.swaps],
        )

    def _kept_prompts(self) -> Iterator[Metric]:
        kept = self.status.kept
        transfers = [] if kept is None else [("save", kept.saved), ("restore", kept.restored)]
        yield _counter(
            "kept_prompts",
            "Prompts that were saved to files at an unload (save), and restored at a load (restore).",
            "operation",
            [((name,), transfer.slots) for name, transfer in transfers],
        )
        yield _counter(
            "kept_prompt_tokens",
            "Tokens of saved and restored prompts.",
            "operation",
            [((name,), transfer.tokens) for name, transfer in transfers],
        )
        yield _counter(
            "kept_prompt_bytes",
            "Bytes that were written to save prompts, and read to restore them.",
            "operation",
            [((name,), transfer.size_bytes) for name, transfer in transfers],
        )
        yield _counter(
            "kept_prompt_seconds",
            "Time that unloads took longer to save prompts, and loads to restore them.",
            "operation",
            [((name,), transfer.seconds) for name, transfer in transfers],
        )
        yield _gauge(
            "kept_prompt_files",
            "Prompts in files on the disk.",
            "",
            [] if kept is None else [((), kept.files)],
        )
        yield _gauge(
            "kept_prompt_files_bytes",
            "Size of the prompts in files on the disk.",
            "",
            [] if kept is None else [((), kept.files_bytes)],
        )
        yield _gauge(
            "kept_prompt_limit_bytes",
            "Limit of the prompts in files: the setting kv_keep.",
            "",
            [] if kept is None else [((), kept.limit_bytes)],
        )

    def _nodes(self) -> Iterator[Metric]:
        nodes = self.cluster.nodes
        yield _gauge(
            "node_up",
            "1 if the node takes requests, else 0; with the machine of this server.",
            "node",
            [((node.name,), int(node.takes_requests)) for node in nodes],
        )
        yield _gauge(
            "node_requests_in_progress",
            "Requests that this server has sent to a node and that have not ended.",
            "node",
            [((node.name,), self.cluster.sent.get(node.name, 0)) for node in nodes],
        )
        yield _gauge(
            "node_requests_waiting",
            "Requests that wait at a node, also those of other clients.",
            "node",
            [
                ((node.name,), sum(queue.waiting for queue in node.status.waiting))
                for node in nodes
                if node.answers
            ],
        )
        yield _gauge(
            "node_resident_models",
            "Models in the memory of a node, by state: loading, ready, draining, stopping.",
            "node state",
            _sums(((node.name, resident.state), 1) for node in nodes for resident in node.residents),
        )
        yield _counter(
            "node_requests",
            "Finished requests that a node served; those of this server's own machine are not among them.",
            "node",
            [((node,), count) for node, count in self.metrics.nodes.items()],
        )
        # Begins at 0: Prometheus's rate() and increase() do not see the first value of a series.
        lost = dict.fromkeys((node.name for node in nodes), 0) | dict(self.cluster.lost)
        yield _counter(
            "node_lost_requests",
            "Requests that a node lost: it died, was cut off or refused them; most are served by another node then.",
            "node",
            [((node,), count) for node, count in lost.items()],
        )

    def _request_history(self) -> Iterator[Metric]:
        history = self.history
        outcomes = _history_outcomes(history) if history is not None else []
        yield _counter(
            "history_requests",
            "Finished requests by what the history stored: a row (stored), a row shared with others (aggregated), "
            "or nothing (lost).",
            "outcome",
            [((outcome,), count) for outcome, count in outcomes],
        )
        yield _gauge(
            "history_size_bytes",
            "Size of the request history on the disk.",
            "",
            [] if history is None else [((), history.size_bytes)],
        )
        yield _gauge(
            "history_write_failing",
            "1 if the last write of the request history failed, else 0.",
            "",
            [] if history is None else [((), int(history.error is not None))],
        )

    @staticmethod
    def _version() -> Iterator[Metric]:
        yield _gauge(
            "build_info", "Always 1; the label is gglib's version.", "version", [((__version__,), 1)]
        )


@dataclass(frozen=True, slots=True)
class _Scrape(Collector):
    """The metrics of one scrape."""

    metrics: list[Metric]

    def collect(self) -> Iterator[Metric]:
        """Yield gglib's metrics and those of the process (Linux only)."""
        yield from self.metrics
        yield from ProcessCollector(registry=None).collect()


def render(metrics: list[Metric]) -> bytes:
    """Return the metrics and those of this process as text of type ``CONTENT_TYPE``. Takes milliseconds."""
    return generate_latest(_Scrape(metrics))


def _first_bytes(name: str, model: ModelMetrics) -> Iterator[tuple[tuple[str, str], Histogram]]:
    for streamed, times in (("false", model.first_byte), ("true", model.first_byte_streamed)):
        if any(times.counts):  # most models get only one of the two kinds
            yield (name, streamed), times


def _history_outcomes(history: HistoryStatistics) -> list[tuple[str, int]]:
    """Return counts that exclude each other, so that their sum is the number of requests."""
    return [
        ("stored", history.recorded - history.aggregated),
        ("aggregated", history.aggregated),
        ("lost", history.lost),
    ]


def _key_label(metrics: RequestMetrics) -> str:
    """Return the label for the name of the access key: none before a request has a key, as on servers without keys."""
    return " key" if metrics.has_keys else ""


def _sums(rows: _ValueRows) -> _ValueRows:
    """Sum rows with equal labels: each combination may occur only once in the output."""
    sums: dict[tuple[str, ...], float] = {}
    for labels, number in rows:
        sums[labels] = sums.get(labels, 0) + number
    return sums.items()


def _counter(name: str, help_text: str, labels: str, rows: _ValueRows) -> Metric:
    family = CounterMetricFamily(f"gglib_{name}", help_text, labels=labels.split())
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _gauge(name: str, help_text: str, labels: str, rows: _ValueRows) -> Metric:
    family = GaugeMetricFamily(f"gglib_{name}", help_text, labels=labels.split())
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _histogram(name: str, help_text: str, labels: str, rows: _HistogramRows) -> Metric:
    family = HistogramMetricFamily(f"gglib_{name}", help_text, labels=labels.split())
    for values, times in rows:
        # Buckets are cumulative; the last one is the count.
        bounds = (*map(str, times.bounds), "+Inf")
        family.add_metric(values, list(zip(bounds, accumulate(times.counts), strict=True)), times.sum)
    return family
