"""Run every policy on every trace and write the report: ``python -m bench.policies`` from the project's root."""

import argparse
import time
from functools import partial
from pathlib import Path

from bench.policies.lineup import MAX_WAITS_S, POLICIES, SWEPT
from bench.policies.metrics import Figures, measure
from bench.policies.report import page, plot
from bench.policies.traces import TRACES, Trace

RESULTS = Path(__file__).resolve().parents[1] / "results"
SWEPT_TRACES = ("two-loops", "two-agents", "never-idle", "chat-and-embeddings", "ten-models")
SWAP_FACTORS = (1.0, 0.125)
"""A model of a few billion parameters on an SSD, and a small model whose file is in the page cache."""


def main() -> None:
    """Write ``policies.md`` and one plot for each trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS, help="directory of the report")
    output: Path = parser.parse_args().output
    started = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    machines = {
        factor: {
            trace: {name: measure(trace, policy, swap_factor=factor) for name, policy in POLICIES.items()}
            for trace in TRACES
        }
        for factor in SWAP_FACTORS
    }
    for trace, table in machines[1.0].items():
        (output / f"policies-{trace.name}.svg").write_text(plot(trace, table))
    (output / "policies.md").write_text(page(machines, sweep()))
    print(f"{output / 'policies.md'} after {time.perf_counter() - started:.1f} s")


def sweep() -> dict[tuple[str, float], dict[Trace, Figures]]:
    """Measure other values of ``swap_wait_s``."""
    return {
        (name, swap_wait_s): {
            trace: measure(trace, partial(make, swap_wait_s), swap_wait_s=swap_wait_s)
            for trace in TRACES
            if trace.name in SWEPT_TRACES
        }
        for name, make in SWEPT.items()
        for swap_wait_s in MAX_WAITS_S
    }


if __name__ == "__main__":
    main()
