"""What it costs to count a request, and to show what was counted: ``python -m bench.tally``.

Nothing is served: records go into a ``Tally`` in a loop, the best of several rounds counts, and what the loop itself
costs is taken off. Then the text for Prometheus is made of it.
"""

import platform
import time
from collections.abc import Callable

from gglib.core.ports import RuntimeStatus
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.metrics import Tally
from gglib.proxy.telemetry.prometheus import Numbers, expose
from gglib.proxy.telemetry.records import RequestRecord

NOTES = 200_000
ROUNDS = 5
MODELS = 20


def a_record(model: str | None, path: str = "/v1/chat/completions") -> RequestRecord:
    """Return a streamed answer that told its tokens."""
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
    )


def best_ns(step: Callable[[RequestRecord], object], record: RequestRecord) -> float:
    """Return how long one ``step`` takes, at best."""
    rounds = []
    for _ in range(ROUNDS):
        started_ns = time.perf_counter_ns()
        for _ in range(NOTES):
            step(record)
        rounds.append(time.perf_counter_ns() - started_ns)
    return min(rounds) / NOTES


def main() -> None:
    """Measure and print."""
    tally, models = Tally(route_of), [f"model-{n}" for n in range(MODELS)]
    for model in models:
        tally.note(a_record(model))
    loop_ns = best_ns(lambda _: None, a_record("model-7"))
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    for what, record in (
        ("an answer of a model", a_record("model-7")),
        ("an answer of gglib's own", a_record(None, "/health")),
        ("a path that is not served", a_record(None, "/v1/unknown")),
    ):
        print(f"count {what}: {(best_ns(tally.note, record) - loop_ns) / 1000:.2f} µs")
    numbers = Numbers(tally, RuntimeStatus(), 0)
    started_s = time.perf_counter()
    metrics = numbers.collect()
    collected_s = time.perf_counter()
    text = expose(metrics)
    print(
        f"show {MODELS} models: {(collected_s - started_s) * 1000:.1f} ms in the loop, "
        f"{(time.perf_counter() - collected_s) * 1000:.1f} ms in a thread, {len(text):,} bytes"
    )


if __name__ == "__main__":
    main()
