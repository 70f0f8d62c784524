"""Run the scheduler through many random sequences: the long version of ``tests/property/promises``.

Runs the state machines of these tests, without hypothesis, in several processes. Each sequence has a seed of its own:
``--machine memory --seed N --sequences 1`` repeats it. A violated promise is printed with the seed and the steps of its
sequence, and the exit code is 1. The run ends at the first one, or with ``--keep-going`` lists all.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.property.promises.walk import MACHINES, WalkError, walk

BATCH = 1_000
"""Sequences for each task of a process."""


def main() -> int:
    """Run the sequences of each machine, and return 1 if one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=100_000, help="for each machine (default 100000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--machine", action="append", choices=sorted(MACHINES), help="default: all")
    parser.add_argument("--seed", type=int, default=1, help="of the first sequence; the next ones count up")
    parser.add_argument("--keep-going", action="store_true", help="run all sequences; list every failure")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.sequences)
    has_failed = False
    for machine in options.machine or MACHINES:
        has_failed |= not _run(machine, seeds, options.jobs, keep_going=options.keep_going)
        if has_failed and not options.keep_going:
            break
    return 1 if has_failed else 0


def _run(machine: str, seeds: range, jobs: int, *, keep_going: bool) -> bool:
    """Run the sequences of one machine in several processes; return whether all of them passed."""
    started = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        parts = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
        tasks = [pool.submit(_walk_all, machine, part, keep_going=keep_going) for part in parts]
        done = steps = failed = 0
        for task in as_completed(tasks):
            failures, taken = task.result()
            for failure in failures:
                print(failure, flush=True)
            if failures and not keep_going:
                pool.shutdown(cancel_futures=True)
                return False
            done, steps, failed = done + 1, steps + taken, failed + len(failures)
            if done % 10 == 0 or done == len(tasks):
                so_far = min(done * BATCH, len(seeds))
                seconds = time.monotonic() - started
                print(f"{machine}: {so_far} sequences, {steps} steps, {seconds:.0f} s", flush=True)
    if failed:
        print(f"{machine}: {failed} of {len(seeds)} sequences failed")
    return not failed


def _walk_all(machine: str, seeds: range, *, keep_going: bool) -> tuple[list[str], int]:
    """Run sequences; return the report of the first that failed, or of all, and the number of steps."""
    failures: list[str] = []
    steps = 0
    for seed in seeds:
        try:
            steps += walk(machine, seed)
        except WalkError as error:
            failures.append(str(error))
            if not keep_going:
                break
    return failures, steps


if __name__ == "__main__":
    sys.exit(main())
