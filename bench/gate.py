"""The hot path of this tree compared with another commit's, in one run: ``make bench-gate [ARGS="--base REF"]``.

Runs ``bench.hot_path`` of both trees alternately, old first in odd pairs and new first in even pairs, so that other
load on the machine affects both. Prints the processor time of a request for each pair and the median of the ratios (old
time / new time: above 1 is faster than before); exits with 1 if a median is below ``--floor``.

The base is the commit before HEAD, or HEAD itself if the tree has uncommitted changes. It is checked out into a
temporary git worktree, and runs with its own ``bench/hot_path.py`` and this environment's packages.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODES = {"short": (), "streams": ("--stream",), "alone": ("--stream", "--alone")}


def git(*arguments: str) -> str:
    """Run git in the project's root and return its output."""
    done = subprocess.run(("git", *arguments), cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Yield a temporary worktree of a commit."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "base"
        git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


def measure(tree: Path, arguments: tuple[str, ...]) -> float:
    """Return the microseconds per request of one run of a tree's hot path."""
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'src'}{os.pathsep}{tree}"}
    command = (sys.executable, "-m", "bench.hot_path", "--bare", *arguments)
    done = subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout)


def ratios(base: Path, arguments: tuple[str, ...], pairs: int) -> Iterator[float]:
    """Measure both trees alternately; yield old time / new time of each pair."""
    for number in range(pairs):
        order = (base, ROOT) if number % 2 == 0 else (ROOT, base)
        times = {tree: measure(tree, arguments) for tree in order}
        print(
            f"  {times[base]:7.1f} µs before, {times[ROOT]:7.1f} µs now, ratio {times[base] / times[ROOT]:.3f}",
            flush=True,
        )
        yield times[base] / times[ROOT]


def main() -> None:
    """Compare, print, and exit with 1 if a median is below the floor."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", help="commit to compare with")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--floor", type=float, default=0.9, help="the least median of the ratios")
    parser.add_argument("--mode", choices=MODES, action="append", help="default: all")
    options = parser.parse_args()
    base = git("rev-parse", options.base or ("HEAD" if git("status", "--porcelain") else "HEAD~1"))
    print(f"This tree against {base[:12]}, {options.pairs} pairs each:")
    slower = []
    with checked_out(base) as tree:
        for mode in options.mode or MODES:
            print(mode)
            median = statistics.median(ratios(tree, MODES[mode], options.pairs))
            print(f"  median ratio {median:.3f}")
            if median < options.floor:
                slower.append(mode)
    if slower:
        sys.exit(f"Slower than {options.floor:g} of the base: {', '.join(slower)}.")


if __name__ == "__main__":
    main()
