"""Measures the cost of recording a request and of rendering the metrics: ``python -m bench.metrics``.

No server runs. Records go into a ``RequestMetrics`` in a loop; the fastest of several rounds counts, less the cost of
the loop itself. Then the Prometheus text is rendered.
"""

import platform
import time
from collections.abc import Callable

from gglib.core.history.records import RequestRecord
from gglib.core.ports import RuntimeStatus
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.metrics import RequestMetrics
from gglib.proxy.telemetry.prometheus import MetricsSnapshot, render

RECORDS = 200_000
ROUNDS = 5
MODELS = 20


def a_record(model: str | None, path: str = "/v1/chat/completions") -> RequestRecord:
    """Return the record of a streamed response that reported its token usage, cached tokens and speed."""
    return RequestRecord(
        method="POST",
        path=path,
        model=model,
        status=200,
        request_id="req_1",
        waited_s=None if model is None else 0.000_02,
        first_byte_s=0.04,
        duration_s=1.7,
        chunks=200,
        prompt_tokens=40,
        completion_tokens=200,
        is_streamed=True,
        error_code=None,
        cached_tokens=None if model is None else 30,
        tokens_per_s=None if model is None else 118.0,
    )


def best_ns(step: Callable[[RequestRecord], object], record: RequestRecord) -> float:
    """Return the shortest time of one ``step`` in nanoseconds."""
    rounds = []
    for _ in range(ROUNDS):
        started_ns = time.perf_counter_ns()
        for _ in range(RECORDS):
            step(record)
        rounds.append(time.perf_counter_ns() - started_ns)
    return min(rounds) / RECORDS


def main() -> None:
    """Measure and print."""
    metrics, models = RequestMetrics(route_of), [f"model-{n}" for n in range(MODELS)]
    for model in models:
        metrics.record(a_record(model))
    loop_ns = best_ns(lambda _: None, a_record("model-7"))
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    for what, record in (
        ("a model's response", a_record("model-7")),
        ("a response of gglib itself", a_record(None, "/health")),
        ("an unknown path", a_record(None, "/v1/unknown")),
    ):
        print(f"record {what}: {(best_ns(metrics.record, record) - loop_ns) / 1000:.2f} µs")
    snapshot = MetricsSnapshot(metrics, RuntimeStatus(), 0)
    started_s = time.perf_counter()
    families = snapshot.collect()
    collected_s = time.perf_counter()
    text = render(families)
    print(
        f"render {MODELS} models: {(collected_s - started_s) * 1000:.1f} ms in the loop, "
        f"{(time.perf_counter() - collected_s) * 1000:.1f} ms in a thread, {len(text):,} bytes"
    )


if __name__ == "__main__":
    main()
