"""A running server of this tree compared with one of another commit: ``python -m bench.served --base REF``.

Both run ``gglib serve`` as shipped (here with the request history on, as is the default), each pinned to one core, with
the scripted upstream as the engine. wrk loads them alternately, old first in odd pairs and new first in even pairs:
processor time of the server's process (all its threads) per request at 32 connections, and median latency at one
connection. Ratios are new / old: above 1 is slower. Needs wrk and two cores.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.gate import ROOT, checked_out, git
from bench.proxies import wrk
from bench.proxies.machine import Cores
from bench.proxies.sides import Side, serving, write_engine

from gglib.testing import write_tiny_gguf

MEASURES = (
    ("µs of CPU per request, 32 connections", 32, "cpu_ms_per_1000"),
    ("ms p50, 1 connection", 1, "p50_ms"),
)


@contextmanager
def server_of(tree: Path, directory: Path, cores: Cores) -> Iterator[Side]:
    """Run the server of a tree for the block."""
    directory.mkdir()
    path = os.pathsep.join((str(tree / "src"), str(tree)))
    engine = write_engine(directory)
    with serving(
        directory,
        cores,
        write_tiny_gguf(directory / "bench.gguf"),
        serve=("--engine", str(engine)),
        variables={"PYTHONPATH": path},
    ) as side:
        yield side


def main() -> None:
    """Compare, and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", required=True, help="commit to compare with")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    options = parser.parse_args()
    cores = Cores.of_this_machine()
    os.sched_setaffinity(0, cores.load)
    with ExitStack() as stack:
        base = stack.enter_context(checked_out(git("rev-parse", options.base)))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        script = wrk.write_script(directory / "post.lua")
        sides = {
            name: stack.enter_context(server_of(tree, directory / name, cores))
            for name, tree in (("old", base), ("new", ROOT))
        }
        for title, connections, figure in MEASURES:
            print(title)
            ratios = []
            for number in range(options.pairs):
                order = ("old", "new") if number % 2 == 0 else ("new", "old")
                found = {
                    name: wrk.run(sides[name], script, connections=connections, seconds=options.seconds)[
                        figure
                    ]
                    for name in order
                }
                ratios.append(found["new"] / found["old"])
                print(f"  {found['old']:.3f} old, {found['new']:.3f} new, {ratios[-1]:.3f}", flush=True)
            print(f"  median {statistics.median(ratios):.3f}", flush=True)


if __name__ == "__main__":
    main()
