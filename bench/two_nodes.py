"""Two nodes beside one: ``python -m bench.two_nodes``.

In one run, in turns: a front with one node, and a front with two. Each node is ``gglib serve`` with the embedded
engine, the same tiny models, and its default of one model in memory; the fronts have no models. Clients want a random
model each time. With one node, the models take turns in its memory; with two, each has a node nearly all the time. All
processes share the machine's cores, so two nodes compute no faster here: what is measured is the swaps that they save.
An engine has one thread: two engines with a thread for each core wait for one another (``bench.threads``).
Needs the packages of the tests.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.proxies.machine import Cores
from bench.proxies.sides import ask, process, wait_until

from gglib.testing import write_tiny_gguf

MODELS = ("first", "second")
MAX_TOKENS = 8
_PROGRAM = (sys.executable, "-m", "gglib")


@dataclass(frozen=True, slots=True)
class Round:
    """What the clients saw in one round."""

    per_s: float
    p50_s: float
    p95_s: float
    loads: int
    """Loads on all nodes during the round."""


@contextmanager
def serving(directory: Path, cores: Cores, *, models: Sequence[Path] = (), nodes: str = "") -> Iterator[int]:
    """Run ``gglib serve`` for the block, and yield its port. ``nodes`` is the value of ``GGLIB_NODES``."""
    directory.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GGLIB_", "LLAMA_"))}
    environment["GGLIB_HOME"] = str(directory / "home")
    if nodes:
        environment["GGLIB_NODES"] = nodes
    every = cores.proxy | cores.load
    for model in models:
        log, command = directory / "add.log", [*_PROGRAM, "add", str(model), "--engine-args", "--threads 1"]
        with process(command, every, log, environment) as add:
            if add.wait():
                raise RuntimeError(log.read_text())
    log = directory / "serve.log"
    with process([*_PROGRAM, "serve", "--port", "0"], every, log, environment) as child:
        wait_until(lambda: "Listening on" in log.read_text(), child, log)
        url = next(line.split()[-1] for line in log.read_text().splitlines() if "Listening on" in line)
        yield urlsplit(url).port or 80


def measure(front: int, nodes: Sequence[int], *, requests: int, clients: int, seed: int) -> Round:
    """Send requests for random models, from ``clients`` clients at a time."""
    names = random.Random(seed).choices(MODELS, k=requests)
    before = sum(map(_loads, nodes))
    began_s = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        times_s = sorted(pool.map(lambda name: _request(front, name), names))
    seconds = time.monotonic() - began_s
    return Round(
        requests / seconds,
        statistics.median(times_s),
        times_s[int(0.95 * len(times_s))],
        sum(map(_loads, nodes)) - before,
    )


def _request(port: int, model: str) -> float:
    body = {"model": model, "max_tokens": MAX_TOKENS, "messages": [{"role": "user", "content": "Hello"}]}
    began_s = time.monotonic()
    ask(port, "POST", "/v1/chat/completions", json.dumps(body).encode())
    return time.monotonic() - began_s


def _loads(port: int) -> int:
    status = json.loads(ask(port, "GET", "/gglib/status"))
    return sum(load["count"] for load in status["loads"])


def main() -> None:
    """Compare, and print each round and the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=100, help="in each round")
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    cores = Cores.of_this_machine()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        models = [
            write_tiny_gguf(directory / f"{name}.gguf", seed=number) for number, name in enumerate(MODELS)
        ]
        ports = [
            stack.enter_context(serving(directory / f"node-{number}", cores, models=models))
            for number in range(3)
        ]
        lineups = {"one node": ports[:1], "two nodes": ports[1:]}
        fronts = {
            name: stack.enter_context(
                serving(
                    directory / name.replace(" ", "-"),
                    cores,
                    nodes=",".join(f"n{number}=http://127.0.0.1:{port}" for number, port in enumerate(nodes)),
                )
            )
            for name, nodes in lineups.items()
        }
        found: dict[str, list[Round]] = {name: [] for name in lineups}
        print("| round | nodes | requests/s | p50 s | p95 s | loads |\n|---|---|---|---|---|---|")
        for number in range(options.rounds):
            for name in list(lineups) if number % 2 == 0 else list(reversed(lineups)):
                result = measure(
                    fronts[name],
                    lineups[name],
                    requests=options.requests,
                    clients=options.clients,
                    seed=number,
                )
                found[name].append(result)
                print(_row(str(number + 1), name, result), flush=True)
        for name, rounds in found.items():
            columns = zip(*((r.per_s, r.p50_s, r.p95_s, r.loads) for r in rounds), strict=True)
            print(_row("median", name, Round(*map(statistics.median, columns))))


def _row(number: str, name: str, r: Round) -> str:
    return f"| {number} | {name} | {r.per_s:.1f} | {r.p50_s:.3f} | {r.p95_s:.3f} | {r.loads:g} |"


if __name__ == "__main__":
    main()
