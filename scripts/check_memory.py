"""Random requests over six tiny models within a memory budget, on the real engine: the long version of an e2e test.

Prints how many loads there were, and the largest memory that all engines took together (PSS, ten times a second).
The exit code is 1 if a request failed, or if that is above the budget by more than a twentieth.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.conftest import Gglib
from tests.e2e.test_memory_budget import (
    BUDGET,
    CONTEXT,
    LARGE,
    MB,
    TOLERANCE,
    add_models,
    ask,
    memory_watched,
)


def main() -> int:
    """Run the requests, and return 1 if the budget was exceeded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gglib-memory-") as directory:
        (Path(directory) / "files").mkdir()
        gglib = Gglib(Path(directory))
        try:
            add_models(gglib)
            gglib.serve("--max-models", "auto", "--memory", f"{BUDGET // MB}M", "--ctx", str(CONTEXT))
            return check(gglib, options.requests, random.Random(options.seed))
        finally:
            gglib.stop()


MODELS = ("chat", "embedder", "reranker", "chat-b", "chat-c", "embedder-b")


def check(gglib: Gglib, requests: int, draw: random.Random) -> int:
    """Send the requests, one in ten with a large context, and report."""
    failed, started = 0, time.monotonic()
    with memory_watched(gglib) as samples:
        for number in range(requests):
            model = draw.choice(MODELS)
            is_large = model.startswith("chat") and draw.random() < 0.1
            answer = ask(gglib, model, **({"num_ctx": LARGE} if is_large else {}))
            failed += answer.status_code != 200
            if answer.status_code != 200:
                print(f"{number}: {model}: {answer.status_code} {answer.text}")
    loads = sum(gglib.launches(model) for model in MODELS)
    peak = max(samples)
    print(
        f"{requests} requests in {time.monotonic() - started:.0f} s, {failed} failed, {loads} loads; budget "
        f"{BUDGET / MB:.0f} MB, largest measured {peak / MB:.1f} MB ({peak / BUDGET:.3f}) in {len(samples)} samples"
    )
    return 1 if failed or peak > BUDGET * TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())
