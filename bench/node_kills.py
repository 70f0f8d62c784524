"""Requests for six models on three nodes, one of which is killed every 20 s: ``python -m bench.node_kills``.

Front and nodes are real servers with scripted engines, each on a host of its own (network and process namespaces). The
requests arrive at random, streamed or not; some clients leave. Every request must end with its own answer, or, if it
was a stream of a node that was just killed, with one error event. The nodes' swaps, models in memory and stored
requests must agree with the scheduler's promises, and nothing may be left of a killed node. The exit code is 1 if
something does not. The same seed makes the same requests and kills; their interleaving still differs between runs.

Needs Linux, and root or user namespaces.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.integration.cluster.kills.storm import KillsPlan, KillsReport, kill_nodes, storm_cluster
from tests.integration.cluster.scenarios import Fault
from tests.support.network.network import missing

SHOWN_COMPLAINTS = 20


def main() -> int:
    """Print how the requests ended, and what is wrong; return 1 if anything is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--requests-per-s", type=float, default=12.0)
    parser.add_argument("--kill-every-s", type=float, default=20.0)
    parser.add_argument(
        "--faults",
        nargs="+",
        default=[Fault.KILLED.name.lower()],
        choices=[fault.name.lower() for fault in Fault],
        help="what happens to the nodes (default: killed)",
    )
    options = parser.parse_args()
    if (reason := missing()) is not None:
        raise SystemExit(reason)
    plan = KillsPlan(
        seed=options.seed,
        requests=options.requests,
        requests_per_s=options.requests_per_s,
        kill_every_s=options.kill_every_s,
        faults=tuple(Fault[name.upper()] for name in options.faults),
    )
    print(f"seed {plan.seed}: {plan.requests} requests, {plan.requests_per_s:g} a second", flush=True)
    report = run(plan)
    print(report)
    for complaint in report.ends.complaints[:SHOWN_COMPLAINTS]:
        print(f"  {complaint}")
    return 1 if report.ends.complaints else 0


def run(plan: KillsPlan) -> KillsReport:
    """Run the servers for the length of a storm."""
    with (
        tempfile.TemporaryDirectory(prefix="gk-") as directory,
        storm_cluster(Path(directory), plan) as machines,
    ):
        return asyncio.run(kill_nodes(plan, machines))


if __name__ == "__main__":
    sys.exit(main())
