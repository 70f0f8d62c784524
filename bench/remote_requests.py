"""A request that a node serves beside one that this machine serves: ``python -m bench.remote_requests``.

In one run, in turns: *local*, ``gglib serve`` with a loaded model; *remote*, a front without models, whose only node is
a second gglib with the same model. The engine of both is the scripted upstream. Local server and front have a core for
themselves; the node shares one with the load and the upstream, so *remote* has the processor time of two machines for
the gglibs, and less than that for the rest. Measured by wrk: median latency at one connection, requests a second at 32.
Ratios are remote / local. Needs wrk and two cores.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from bench.proxies import wrk
from bench.proxies.machine import Cores
from bench.proxies.requests import PATH, chat_body
from bench.proxies.sides import Side, ask, process, serving, wait_until, write_engine

from gglib.testing import write_tiny_gguf

MEASURES = (
    ("ms p50, 1 connection", 1, "p50_ms"),
    ("requests a second, 32 connections", 32, "per_s"),
    ("µs of CPU of the local server or the front per request, 32 connections", 32, "cpu_ms_per_1000"),
)


@contextmanager
def server(directory: Path, cores: Cores) -> Iterator[Side]:
    """Run a gglib with a loaded model for the block."""
    directory.mkdir()
    engine = write_engine(directory)
    model = write_tiny_gguf(directory / "bench.gguf")
    with serving(directory, cores, model, serve=("--engine", str(engine))) as side:
        yield side


@contextmanager
def front(directory: Path, cores: Cores, node: Side) -> Iterator[Side]:
    """Run a front of ``node`` for the block."""
    directory.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GGLIB_", "LLAMA_"))}
    environment |= {"GGLIB_HOME": str(directory / "home"), "GGLIB_NODES": f"node=http://{node.host}"}
    log = directory / "front.log"
    command = [sys.executable, "-m", "gglib", "serve", "--port", "0"]
    with process(command, cores.proxy, log, environment) as child:
        wait_until(lambda: "Listening on" in log.read_text(), child, log)
        url = next(line.split()[-1] for line in log.read_text().splitlines() if "Listening on" in line)
        port = urlsplit(url).port or 80
        wait_until(lambda: b'"bench"' in ask(port, "GET", "/v1/models"), child, log)
        ask(port, "POST", PATH, chat_body(chunks=1))
        yield replace(node, name="remote", port=port, pids=(child.pid,))


def main() -> None:
    """Compare, and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    options = parser.parse_args()
    cores = Cores.of_this_machine()
    elsewhere = Cores(proxy=cores.load, load=cores.load)
    os.sched_setaffinity(0, cores.load)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        script = wrk.write_script(directory / "post.lua")
        node = stack.enter_context(server(directory / "node", elsewhere))
        sides = {
            "local": stack.enter_context(server(directory / "local", cores)),
            "remote": stack.enter_context(front(directory / "front", cores, node)),
        }
        for title, connections, figure in MEASURES:
            print(title)
            ratios = []
            for number in range(options.rounds):
                order = list(sides) if number % 2 == 0 else list(reversed(sides))
                found = {}
                for name in order:
                    figures = wrk.run(sides[name], script, connections=connections, seconds=options.seconds)
                    if figures["errors"]:
                        raise SystemExit(f"{name}: {figures['errors']} requests failed")
                    found[name] = figures[figure]
                ratios.append(found["remote"] / found["local"])
                print(
                    f"  {found['local']:.3f} local, {found['remote']:.3f} remote, {ratios[-1]:.3f}",
                    flush=True,
                )
            print(f"  median {statistics.median(ratios):.3f}", flush=True)


if __name__ == "__main__":
    main()
