"""Run every policy on every trace and write the report: ``python -m bench.policies`` from the project's root."""

import argparse
import time
from pathlib import Path

from bench.policies.lineup import MAX_WAITS_S, POLICIES, VARIANTS
from bench.policies.metrics import Figures, measure
from bench.policies.report import page, plot
from bench.policies.traces import TRACES, Trace

RESULTS = Path(__file__).resolve().parents[1] / "results"
SWEPT = ("two-loops", "never-idle", "chat-and-embeddings", "ten-models")


def main() -> None:
    """Write ``policies.md`` and one plot for each trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS, help="directory of the report")
    output: Path = parser.parse_args().output
    started = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    tables = {trace: {name: measure(trace, policy) for name, policy in POLICIES.items()} for trace in TRACES}
    for trace, table in tables.items():
        (output / f"policies-{trace.name}.svg").write_text(plot(trace, table))
    (output / "policies.md").write_text(page(tables, sweep()))
    print(f"{output / 'policies.md'} after {time.perf_counter() - started:.1f} s")


def sweep() -> dict[tuple[str, float], dict[Trace, Figures]]:
    """Measure what other values of ``max_wait_s`` would do."""
    return {
        (name, max_wait_s): {
            trace: measure(trace, lambda make=make, wait_s=max_wait_s: make(wait_s))  # type: ignore[misc]
            for trace in TRACES
            if trace.name in SWEPT
        }
        for name, make in VARIANTS.items()
        for max_wait_s in MAX_WAITS_S
    }


if __name__ == "__main__":
    main()
