"""Run every policy on every trace and write the report: ``python -m bench.nodes`` from the project's root."""

import argparse
import time
from pathlib import Path

from bench.nodes.lineup import POLICIES, QUEUEING, SWEPT
from bench.nodes.metrics import measure
from bench.nodes.report import page, plot
from bench.nodes.traces import TRACES

RESULTS = Path(__file__).resolve().parents[1] / "results"
SEEDS = {2: 10, 8: 4, 32: 1}
"""Number of seeds, by number of nodes."""
SWEPT_NODES = 8
MOST_QUEUEING_NODES = 8


def main() -> None:
    """Write ``nodes-placement.md`` and one plot for each trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS, help="directory of the report")
    output: Path = parser.parse_args().output
    started = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    tables = {
        trace: {
            nodes: {
                name: measure(trace, policy, nodes=nodes, seeds=range(seeds))
                for name, policy in POLICIES.items()
                if nodes <= MOST_QUEUEING_NODES or name not in QUEUEING
            }
            for nodes, seeds in SEEDS.items()
        }
        for trace in TRACES
    }
    sweep = {
        trace: {
            weight: measure(trace, policy, nodes=SWEPT_NODES, seeds=range(SEEDS[SWEPT_NODES]))
            for weight, policy in SWEPT.items()
        }
        for trace in TRACES
    }
    for trace, by_nodes in tables.items():
        (output / f"nodes-{trace.name}.svg").write_text(plot(trace, by_nodes))
    (output / "nodes-placement.md").write_text(page(tables, sweep, SEEDS))
    print(f"{output / 'nodes-placement.md'} after {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
