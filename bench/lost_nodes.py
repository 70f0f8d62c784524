"""What clients see when a node, its machine, its network or the front is lost: ``python -m bench.lost_nodes``.

Front and two nodes are real servers with scripted engines, each on a host of its own (network and process namespaces).
Each scenario loses a node that serves a request of the front, sends four more requests right after it, and repairs
what it broke. The model that is loaded loads for 3 s. Prints a Markdown table with the medians of some rounds, in
seconds:

- *ended*: from the loss to the end of the request that the node served;
- *served*: from the loss to the complete answers of the requests that were sent right after it;
- *moved*: from the loss until the last of the answered requests had arrived at the node that answered it;
- *down*: from the loss until the front sends nothing there any more;
- *forgotten*: from the loss until no process is left of a killed gglib; or, over a cut network, from its repair until
  the node has forgotten the request, read only once it is back;
- *back*: from the repair until the front sends requests there again, with the start of gglib if it was killed.

Needs Linux, and root or user namespaces.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.integration.cluster.scenarios import (
    Fault,
    Moment,
    Outcome,
    blink,
    cluster,
    kill_front,
    lose_node,
)
from tests.support.network.cluster import HostCluster
from tests.support.network.network import missing

SETTLE_S = 60.0
"""Between two rounds: nodes that fail three times within a minute are damped."""


def main() -> None:
    """Run all scenarios, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    if (reason := missing()) is not None:
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory(prefix="gn-") as directory, cluster(Path(directory)) as machines:
        rounds = asyncio.run(all_rounds(machines, options.rounds))
        strays = machines.strays()
    print("| What is lost | Its client received | ended | served | moved | down | forgotten | back |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for outcomes in zip(*rounds, strict=True):
        print(row(outcomes))
    print(f"\nProcesses left: {strays or 'none'}.")


async def all_rounds(machines: HostCluster, count: int) -> list[list[Outcome]]:
    """Return the outcomes of all scenarios by round."""
    rounds: list[list[Outcome]] = []
    for number in range(count):
        outcomes: list[Outcome] = []
        for fault in Fault:
            for moment in Moment:
                if number or outcomes:
                    await asyncio.sleep(SETTLE_S / len(Moment))
                outcomes.append(await lose_node(machines, fault, moment))
                print(f"round {number + 1}: {outcomes[-1].what}", file=sys.stderr, flush=True)
        outcomes += [await blink(machines), await kill_front(machines)]
        rounds.append(outcomes)
    return rounds


def row(outcomes: Sequence[Outcome]) -> str:
    """Return the row of one scenario."""
    first = outcomes[0]
    figures = (
        median(outcome.end_s for outcome in outcomes),
        median(outcome.service_s for outcome in outcomes),
        median(outcome.moved_s for outcome in outcomes),
        median(outcome.down_s for outcome in outcomes),
        median(outcome.forgotten_s for outcome in outcomes),
        median(outcome.return_s for outcome in outcomes),
    )
    return f"| {first.what} | {first.seen} | {' | '.join(figures)} |"


def median(values: Iterable[float | None]) -> str:
    """Return the median of some seconds; a dash if there is none."""
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.2f}" if known else "-"


if __name__ == "__main__":
    main()
