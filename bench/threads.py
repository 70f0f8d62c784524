"""Several engines that compute at once on a CPU, and one alone: ``python -m bench.threads``.

Each round sends the same request to each engine of each side in turn, and then to two and to three of them at once. The
sides differ in how threads wait for each other and in their number:

- before: libgomp's default, a thread for each core;
- one: as gglib launches an engine with ``max_models = 1``;
- several: as gglib launches engines with a higher ``max_models``;
- asleep: threads sleep at once instead of spinning (``GOMP_SPINCOUNT=0``, as ``OMP_WAIT_POLICY=passive``);
- divided: the cores divided between three engines (``--threads``).

Linux only. ``--favour`` (root) is for a busy machine: a single engine runs at real-time priority, several get
a larger share of the processor than other programs. ``--quick`` is a smoke run that writes nothing.
"""

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.slots import ask_all, body_of, spec_of
from bench.swap import starter

from gglib.core.models import RunningTarget
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.local.launch import launch_engine
from gglib.runtime.local.launch_config import LaunchConfig
from gglib.system import read_cores

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench/results/threads.md"
CONTEXT = 1024
ENGINES = 3
LIMIT_S = 4.0
"""A request that takes longer is cancelled and counts as this long."""
WORK = {"24 tokens generated": (1, 24), "prompt of 96 tokens": (96, 1)}
"""Tokens of the prompt and of the response."""
FAVOURED_NICE = "-20"
SETTLE_S = 0.5
"""After a cancelled request: its batch still runs."""


@dataclass(frozen=True, slots=True)
class Side:
    """A way to launch engines."""

    spins: str | None = None
    """Value of ``GOMP_SPINCOUNT``; None: gglib's."""
    engine_args: tuple[str, ...] = ()
    max_models: int = ENGINES


SIDES = {
    "before": Side(spins="300000"),  # the value that libgomp uses without the variable
    "one": Side(max_models=1),
    "several": Side(),
    "asleep": Side(spins="0"),
    "divided": Side(engine_args=("--threads", str(max(1, (read_cores() or 1) // ENGINES)))),
}


@dataclass(frozen=True, slots=True)
class Running:
    """A running engine."""

    target: RunningTarget
    pid: int


@dataclass(slots=True)
class Times:
    """The seconds of one kind of request on one side, round by round."""

    alone: list[float] = field(default_factory=list)
    """Of the first engine."""
    in_turn: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of several engines, one after the other."""
    together: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", type=Path, help="a GGUF file instead of the starter model")
    parser.add_argument("--favour", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    load_before = os.getloadavg()[0]
    times = asyncio.run(run(options.model, rounds=rounds, is_favoured=options.favour))
    text = report(times, rounds=rounds, is_favoured=options.favour, load=(load_before, os.getloadavg()[0]))
    print(text)
    if not options.quick:
        RESULT.write_text(text)


async def run(model: Path | None, *, rounds: int, is_favoured: bool) -> dict[tuple[str, str], Times]:
    """Launch all engines, and measure in rounds; the order of the sides rotates."""
    model = model or await starter()
    times: dict[tuple[str, str], Times] = defaultdict(Times)
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="threads")))
        (home / "engines").mkdir()
        engines = {name: await launch(stack, side, model, home, name) for name, side in SIDES.items()}
        for running in engines.values():
            for engine in running:
                favour(engine.pid, is_favoured=is_favoured)
                await timed([engine], (1, 2))
        for number in range(rounds):
            names = list(SIDES)[number % len(SIDES) :] + list(SIDES)[: number % len(SIDES)]
            for what, tokens in WORK.items():
                for name in names:
                    await measure(engines[name], tokens, times[what, name], is_favoured=is_favoured)
            print(f"round {number + 1} of {rounds}", flush=True)
    return times


async def launch(stack: AsyncExitStack, side: Side, model: Path, home: Path, name: str) -> list[Running]:
    """Launch the engines of one side."""
    os.environ.pop("GOMP_SPINCOUNT", None)
    if side.spins is not None:
        os.environ["GOMP_SPINCOUNT"] = side.spins
    config = LaunchConfig(
        engine=EmbeddedEngine(reason="measured"),
        engines_dir=home / "engines",
        log_dir=home / "logs",
        slots=1,
        concurrent_engines=side.max_models,
    )
    running = []
    for number in range(ENGINES):
        launching = launch_engine(
            spec_of(model, *side.engine_args), context=CONTEXT, name=f"{name}-{number}", config=config
        )
        engine = await stack.enter_async_context(launching)
        running.append(Running(await engine.wait_until_ready(), engine.process.pid))
    return running


async def measure(
    engines: Sequence[Running], tokens: tuple[int, int], times: Times, *, is_favoured: bool
) -> None:
    """Send a request to each engine in turn, then to several at once."""
    alone = []
    for engine in engines:
        set_real_time(engine.pid, is_on=is_favoured)
        alone.append(await timed([engine], tokens))
        set_real_time(engine.pid, is_on=False)
    times.alone.append(alone[0])
    for count in range(2, len(engines) + 1):
        times.in_turn[count].append(sum(alone[:count]))
        times.together[count].append(await timed(engines[:count], tokens))


async def timed(engines: Sequence[Running], tokens: tuple[int, int]) -> float:
    """Return the seconds until all engines have responded, at most ``LIMIT_S``."""
    started_s = time.monotonic()
    requests = [ask_all(engine.target, [body_of(0, *tokens)]) for engine in engines]
    try:
        async with asyncio.timeout(LIMIT_S):
            assert all(all(oks) for oks in await asyncio.gather(*requests))
    except TimeoutError:
        await asyncio.sleep(SETTLE_S)
        return LIMIT_S
    return time.monotonic() - started_s


def favour(pid: int, *, is_favoured: bool) -> None:
    """Give an engine's session a larger share of the processor."""
    if is_favoured:
        Path(f"/proc/{pid}/autogroup").write_text(FAVOURED_NICE)


def set_real_time(pid: int, *, is_on: bool) -> None:
    """Set or reset the real-time priority of all threads of an engine."""
    policy, priority = (os.SCHED_RR, 2) if is_on else (os.SCHED_OTHER, 0)
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setscheduler(int(task.name), policy, os.sched_param(priority))


def report(
    times: dict[tuple[str, str], Times], *, rounds: int, is_favoured: bool, load: tuple[float, float]
) -> str:
    """Return the tables."""
    how = (
        "Beside other programs: an engine alone ran at real-time priority,\nseveral had a larger share of the "
        f"processor than those programs (autogroup priority {FAVOURED_NICE})."
        if is_favoured
        else "All programs had the same priority."
    )
    return f"""# Engines that compute at once

Measured by `python -m bench.threads` on {datetime.now(UTC):%Y-%m-%d}: {read_cores()} cores, load average
{load[0]:.0f} before and {load[1]:.0f} after, {platform.system()} {platform.machine()},
xllamacpp {version("xllamacpp")}, SmolLM2-135M (Q4_1). Seconds, medians of {rounds} rounds;
the slowest round in brackets. {how}
A request was cancelled after {LIMIT_S:.0f} s.

{"".join(table(what, {name: times[what, name] for name in SIDES}) for what in WORK)}\
*before*: libgomp's default, a thread for each core. *one*: as gglib launches an engine with `max_models = 1`, where
only one computes at a time. *several*: as gglib launches engines with a higher `max_models`. *asleep*: threads that
wait sleep at once (`GOMP_SPINCOUNT=0`). *divided*: the cores divided between three engines.
"""


def table(what: str, sides: dict[str, Times]) -> str:
    """Return the table of one kind of request."""
    counts = range(2, ENGINES + 1)
    head = "".join(f" {n} in turn | {n} at once | ratio |" for n in counts)
    rows = "".join(
        f"| {name} | {cell(one.alone)} |"
        + "".join(
            f" {cell(one.in_turn[n])} | {cell(one.together[n])} |"
            f" {statistics.median(one.together[n]) / statistics.median(one.in_turn[n]):.2f} |"
            for n in counts
        )
        + "\n"
        for name, one in sides.items()
    )
    return f"| {what} | 1 alone |{head}\n|---|--:|{'--:|' * 3 * len(counts)}\n{rows}\n"


def cell(values: Sequence[float]) -> str:
    """Return the median and the largest value."""
    return f"{statistics.median(values):.2f} ({max(values):.2f})"


if __name__ == "__main__":
    main()
