"""Run every eviction rule on every trace and write the report: ``python -m bench.policies.memory``."""

import argparse
import time
from pathlib import Path

from bench.policies.memory.lineup import by_budget, table
from bench.policies.memory.report import page, plot
from bench.policies.memory.traces import SEEDS, TRACES

RESULTS = Path(__file__).resolve().parents[2] / "results"
FACTORS = (0.7, 0.9, 1.1, 1.2, 1.25, 1.6)
"""Other budgets, relative to that of the trace."""
SWEPT_SEEDS = SEEDS[:4]


def main() -> None:
    """Write ``memory.md`` and one plot for each trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS, help="directory of the report")
    output: Path = parser.parse_args().output
    started = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    tables = {trace: table(trace) for trace in TRACES}
    budgets = {trace: by_budget(trace, FACTORS, seeds=SWEPT_SEEDS) for trace in TRACES}
    for trace, figures in tables.items():
        (output / f"memory-{trace.name}.svg").write_text(plot(trace, figures))
    (output / "memory.md").write_text(page(tables, budgets))
    print(f"{output / 'memory.md'} after {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
