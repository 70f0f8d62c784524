"""Sends 10,000 mutated requests to a proxy in this process, and judges each beside a second reader of requests.

The long version of ``tests/integration/http_server/test_http_mutations.py``. The same seeds make the same requests.
There must be no crash, no 5xx of the proxy's own making but 501 and 505, and no request to the upstream that is not,
byte for byte, what the second reader says was sent; afterwards no connection and no task is left, and memory has stayed
flat. Linux only: it reads the size of the process in ``/proc``.
"""

import argparse
import asyncio
import gc
import os
import sys
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.integration.http_server.mutation_run import Verdict, run_mutants
from tests.integration.http_server.upstream import Recorder, recording
from tests.integration.proxy.support import Proxy, proxy_running
from tests.support.waiting import until

BATCH = 500
WARM_UP = 1000
SHOWN = 20
MIB = 1024 * 1024


def main() -> int:
    """Print what was answered, how the memory grew, and every complaint; return 1 when there was one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=24)
    parser.add_argument("--max-growth-mib", type=float, default=8.0)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.mutants)
    complaints = uvloop.run(run(seeds, options.at_once, options.max_growth_mib))
    for complaint in complaints[:SHOWN]:
        print(f"  {complaint}")
    print(f"{len(complaints)} complaints")
    return 1 if complaints else 0


async def run(seeds: range, at_once: int, max_growth_mib: float) -> list[str]:
    """Send the mutants of ``seeds`` after those of a warm-up, and return what is wrong."""
    async with recording() as upstream, proxy_running(upstream.runtime) as proxy:
        await run_batches(proxy, range(-WARM_UP, 0), upstream, at_once)
        before = resident_bytes()
        verdict = await run_batches(proxy, seeds, upstream, at_once)
        # The test's task, the proxy's one and the upstream's connections.
        await until(lambda: len(asyncio.all_tasks()) == 2 + upstream.open)
        growth_mib = (resident_bytes() - before) / MIB
    print(f"{len(seeds)} mutants; the upstream saw {verdict.words.total()} requests")
    print("answers:", ", ".join(f"{n} x {status}" for status, n in sorted(verdict.statuses.items())))
    print("ends:", ", ".join(f"{n} {stage.value}" for stage, n in verdict.stages.most_common()))
    print(f"memory: {before / MIB:.1f} MiB after the warm-up, {growth_mib:+.1f} MiB at the end")
    if growth_mib > max_growth_mib:
        verdict.complaints.append(f"memory grew by {growth_mib:.1f} MiB")
    return verdict.complaints


async def run_batches(proxy: Proxy, seeds: range, upstream: Recorder, at_once: int) -> Verdict:
    """Send mutants in batches, so that what is remembered of each is forgotten, and add up the verdicts."""
    total = Verdict()
    for start in range(seeds.start, seeds.stop, BATCH):
        batch = range(start, min(start + BATCH, seeds.stop))
        verdict = await run_mutants(proxy.port, batch, upstream, at_once=at_once)
        total.complaints += verdict.complaints
        total.statuses += verdict.statuses
        total.stages += verdict.stages
        total.words["all"] += verdict.words.total()
        if proxy.task.done():
            total.complaints.append(f"the proxy ended in the batch of seed {start}")
            break
    return total


def resident_bytes() -> int:
    """Return how much memory this process has in use."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
