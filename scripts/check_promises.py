"""Run the scheduler through many random sequences: the long version of ``tests/property/promises``.

Runs the state machines of these tests, without hypothesis, in several processes. Each sequence has a seed of its own:
``--machine memory --seed N --sequences 1`` repeats it. A violated promise is printed with the seed and the steps of its
sequence, and the exit code is 1.
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
    options = parser.parse_args()
    for machine in options.machine or MACHINES:
        if not _run(machine, range(options.seed, options.seed + options.sequences), options.jobs):
            return 1
    return 0


def _run(machine: str, seeds: range, jobs: int) -> bool:
    """Run the sequences of one machine in several processes; return whether all of them passed."""
    started = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        parts = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
        tasks = [pool.submit(_walk_all, machine, part) for part in parts]
        done = steps = 0
        for task in as_completed(tasks):
            failure, taken = task.result()
            if failure:
                pool.shutdown(cancel_futures=True)
                print(failure)
                return False
            done, steps = done + 1, steps + taken
            if done % 10 == 0 or done == len(tasks):
                so_far = min(done * BATCH, len(seeds))
                seconds = time.monotonic() - started
                print(f"{machine}: {so_far} sequences, {steps} steps, {seconds:.0f} s", flush=True)
    return True


def _walk_all(machine: str, seeds: range) -> tuple[str, int]:
    """Run sequences; return the report of the first that failed, else an empty text, and the number of steps."""
    steps = 0
    for seed in seeds:
        try:
            steps += walk(machine, seed)
        except WalkError as error:
            return str(error), steps
    return "", steps


if __name__ == "__main__":
    sys.exit(main())
