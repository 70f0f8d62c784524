"""Compares gglib with no proxy, nginx and Caddy in one run on a machine: ``python -m bench.proxies`` (``make bench``).

Linux only. nginx, Caddy and wrk must be installed; missing programs are skipped. The starter model is downloaded as
``gglib up`` does, if it is not cached yet.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from bench.proxies import engine, machine, wrk
from bench.proxies.machine import Cores, pss_mb
from bench.proxies.plot import plot
from bench.proxies.report import page
from bench.proxies.results import DISTURBED_SHARE, SUMMED, Results, disturbance
from bench.proxies.scenarios import FULL, QUICK, ROOT, SCENARIOS, Figures, Scenario, Tools
from bench.proxies.sides import PROGRAMS, STARTERS, Side, find_program, started

RESULTS = ROOT / "bench/results"
ENGINE = "engine"
NAMES = (*(scenario.name for scenario in SCENARIOS), ENGINE)


def main() -> None:
    """Measure, print the page, and write it with its JSON and its plot."""
    options = _options()
    if sys.platform != "linux":
        sys.exit("This reads Linux's /proc and pins processes: it runs on Linux only.")
    sides, scenarios = _available(options.proxies, options.only)
    signal.signal(signal.SIGTERM, _leave)
    machine.raise_descriptor_limit()
    cores = Cores.of_this_machine()
    os.sched_setaffinity(0, cores.load)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            results = _measure(sides, scenarios, Path(directory), cores, is_quick=options.quick)
    except KeyboardInterrupt:
        sys.exit("Interrupted: all that was started has been ended, and nothing is written.")
    options.output.mkdir(parents=True, exist_ok=True)
    text = page(results)
    print(text)
    for ending, content in (("md", text), ("json", results.as_json()), ("svg", plot(results))):
        (options.output / f"proxies.{ending}").write_text(content)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.proxies", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of about a minute")
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=NAMES, metavar="SCENARIO", help=", ".join(NAMES)
    )
    parser.add_argument(
        "--proxies", type=_side_names, default=tuple(STARTERS), help=f"some of {','.join(STARTERS)}"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="directory of the results")
    return parser.parse_args()


def _side_names(text: str) -> tuple[str, ...]:
    names = text.split(",")
    if unknown := set(names) - set(STARTERS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return tuple(name for name in STARTERS if name in names)


def _available(sides: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Skip sides and scenarios whose program is missing, and say how to install it."""
    missing = [name for name in PROGRAMS if name in sides and find_program(name) is None]
    for name in missing:
        print(f"{name} is not installed and is left out; on Debian: apt-get install {name}", file=sys.stderr)
    has_wrk = shutil.which("wrk") is not None
    if not has_wrk:
        print(
            "wrk is not installed: no whole answers are measured; on Debian: apt-get install wrk",
            file=sys.stderr,
        )
    by_wrk = {scenario.name for scenario in SCENARIOS if scenario.needs_wrk}
    return (
        [name for name in sides if name not in missing],
        [name for name in NAMES if name in names and (has_wrk or name not in by_wrk)],
    )


def _measure(
    names: Sequence[str], scenarios: Sequence[str], directory: Path, cores: Cores, *, is_quick: bool
) -> Results:
    scale = QUICK if is_quick else FULL
    tools = Tools(scale, wrk.write_script(directory / "post.lua"))
    programs = [name for name in (*PROGRAMS, "wrk") if find_program(name)]
    results = Results(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine.kind(),
        pinning=str(cores),
        versions=machine.versions(programs),
        is_quick=is_quick,
        load_cores=len(cores.load),
        rounds={name: {side: [] for side in names} for name in scenarios},
        memory_mb={},
    )
    with started(names, directory, cores) as sides:
        results.memory_mb["at rest"] = _memory(sides)
        for number in range(scale.rounds):
            for scenario in SCENARIOS:
                if scenario.name in scenarios:
                    _progress(f"{scenario.name}, round {number + 1} of {scale.rounds}")
                    _take_turns(results, scenario, tools, sides, first=number)
        results.memory_mb["after the run"] = _memory(sides)
    if ENGINE not in scenarios:
        return results
    home = directory / "engine"
    home.mkdir(mode=0o700)
    real = asyncio.run(engine.measure(names, home, cores, rounds=scale.engine_rounds, on_progress=_progress))
    return replace(results, rounds=results.rounds | {ENGINE: real})


def _take_turns(
    results: Results, scenario: Scenario, tools: Tools, sides: Sequence[Side], *, first: int
) -> None:
    """Measure every side, starting with a different one in each round."""
    for turn in range(len(sides)):
        side = sides[(first + turn) % len(sides)]
        results.rounds[scenario.name][side.name].append(_least_disturbed(scenario, tools, side))


def _least_disturbed(scenario: Scenario, tools: Tools, side: Side) -> Figures:
    """Repeat a measurement, a few times at most, if other programs took too much of a core."""
    found: list[Figures] = []
    while len(found) < tools.scale.attempts and (not found or disturbance(found[-1]) > DISTURBED_SHARE):
        found.append(scenario.measure(side, tools))
    best = min(found, key=disturbance)
    # Errors of a disturbed run count all the same.
    return best | {name: sum(figures[name] for figures in found) for name in SUMMED if name in best}


def _memory(sides: Sequence[Side]) -> dict[str, float]:
    return {side.name: pss_mb(side.pids) for side in sides}


def _progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _leave(number: int, frame: FrameType | None) -> None:
    """Exit as Ctrl-C does: every block ends what it started."""
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
