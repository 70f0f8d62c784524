"""Kill engines under load, kill them at random points of their streams, and stop gglib at random moments.

The long version of ``tests/integration/chaos``, which defines the accepted outcomes. The proxy and the manager run in
this process with scripted engines. The same seed makes the same requests at the same times; their interleaving still
differs between runs. Linux only: leaks are counted in ``/proc``.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.integration.chaos.deaths import DeathsPlan, deaths
from tests.integration.chaos.report import Report
from tests.integration.chaos.shutdowns import ShutdownsPlan, shutdowns
from tests.integration.chaos.storm import StormPlan, storm

SHOWN_COMPLAINTS = 20


def main() -> int:
    """Run the three scenarios, print their reports, and return 1 if there is a complaint."""
    options = parse()
    logging.disable(logging.CRITICAL)  # every death is logged
    run = uvloop.run if options.loop == "uvloop" else asyncio.run
    print(f"seed {options.seed}", flush=True)
    return 1 if run(run_all(options)) else 0


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=500, help="requests of the storm; 0 skips it")
    parser.add_argument("--clients", type=int, default=8, help="concurrent clients of the storm")
    parser.add_argument("--kills", type=int, default=200, help="engines killed during streams")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of start and shutdown")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    return parser.parse_args()


async def run_all(options: argparse.Namespace) -> int:
    """Run the scenarios and return the number of complaints."""
    with tempfile.TemporaryDirectory(prefix="gglib-chaos-") as directory:
        home, seed = Path(directory), options.seed
        complaints = 0
        if options.requests:
            plan = StormPlan(seed=seed, requests=options.requests, clients=options.clients)
            complaints += show("storm", await storm(plan, made(home / "storm")))
        if options.kills:
            complaints += show(
                "deaths", await deaths(DeathsPlan(seed=seed, kills=options.kills), made(home / "deaths"))
            )
        if options.rounds:
            plan_of_ends = ShutdownsPlan(seed=seed, rounds=options.rounds)
            complaints += show("shutdowns", await shutdowns(plan_of_ends, made(home / "shutdowns")))
    return complaints


def show(name: str, report: Report) -> int:
    """Print a report and return its number of complaints."""
    print(f"{name}: {report}", flush=True)
    for complaint in report.complaints[:SHOWN_COMPLAINTS]:
        print(f"  {complaint}", flush=True)
    return len(report.complaints)


def made(directory: Path) -> Path:
    """Create the directory and return it."""
    directory.mkdir()
    return directory


if __name__ == "__main__":
    sys.exit(main())
