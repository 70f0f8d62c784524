"""Run the scheduler through many random sequences: the long version of ``tests/property/promises``.

Runs the same hypothesis state machine in several processes with different seeds. A violated promise is printed with the
shortest sequence that violates it, and the exit code is 1.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BATCH = 5_000
"""Sequences per process: hypothesis remembers its examples and becomes slower."""


def main() -> int:
    """Run all batches, a few at a time, and return 1 if one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the first batch; the next batches count up"
    )
    options = parser.parse_args()
    started = time.monotonic()
    batches = -(-options.sequences // BATCH)
    waiting = list(range(options.seed, options.seed + batches))
    running: list[subprocess.Popen[str]] = []
    done = 0
    while waiting or running:
        while waiting and len(running) < options.jobs:
            running.append(start(waiting.pop(0)))
        ended = next((batch for batch in running if batch.poll() is not None), None)
        if ended is None:
            time.sleep(0.2)
            continue
        running.remove(ended)
        if ended.returncode:
            for batch in running:
                batch.terminate()
            print(ended.communicate()[0])
            return 1
        done += BATCH
        print(f"{done} sequences, {time.monotonic() - started:.0f} s", flush=True)
    return 0


def start(seed: int) -> subprocess.Popen[str]:
    """Start a batch with a seed."""
    environment = os.environ | {"GGLIB_PROMISE_EXAMPLES": str(BATCH), "GGLIB_PROMISE_SEED": str(seed)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/property/promises"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


if __name__ == "__main__":
    sys.exit(main())
