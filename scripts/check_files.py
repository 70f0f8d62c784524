"""Run the files of a home through many random sequences: the long version of ``test_model_of_files``.

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
MOST_OF_A_BATCH = 500
"""Sequences per process: hypothesis remembers its examples and becomes slower."""
TEST = "tests/integration/files/test_model_of_files.py"


def main() -> int:
    """Run all batches, a few at a time, and return 1 if one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=10, help="in each sequence at most")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1, help="of the first batch; the others count on from it")
    parser.add_argument("--goes-on", action="store_true", help="run all batches, whatever fails")
    options = parser.parse_args()
    started = time.monotonic()
    batch_size = min(MOST_OF_A_BATCH, -(-options.sequences // options.jobs))
    batches = -(-options.sequences // batch_size)
    waiting = list(range(options.seed, options.seed + batches))
    running: list[subprocess.Popen[str]] = []
    done = failed = 0
    while waiting or running:
        while waiting and len(running) < options.jobs:
            running.append(start(waiting.pop(0), batch_size, options.steps))
        ended = next((batch for batch in running if batch.poll() is not None), None)
        if ended is None:
            time.sleep(0.2)
            continue
        running.remove(ended)
        if ended.returncode:
            failed += 1
            print(ended.communicate()[0], flush=True)
            if not options.goes_on:
                for batch in running:
                    batch.terminate()
                return 1
        done += batch_size
        print(f"{done} sequences, {failed} batches failed, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


def start(seed: int, sequences: int, steps: int) -> subprocess.Popen[str]:
    """Start a batch with a seed."""
    environment = os.environ | {
        "GGLIB_FILES_EXAMPLES": str(sequences),
        "GGLIB_FILES_STEPS": str(steps),
        "GGLIB_FILES_SEED": str(seed),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", TEST]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


if __name__ == "__main__":
    sys.exit(main())
