"""A server under mixed load for half an hour: ``python -m bench.soak [--minutes 30]``.

``gglib serve`` as shipped with scripted engines; four models of which one is in memory, so that requests swap them; a
tenth of the clients leave; an engine is killed every 20 s; a model is pulled from a local hub and removed every 45 s;
metrics, models and the history are read every 5 s; the page is open in Chromium, if it is installed.

Prints how the requests ended, the slope of the resident memory after ``--warm-up`` minutes, and what the idle process
holds then and at the end. With ``--output`` it writes ``soak.md`` and ``soak.svg`` there. The exit code is 1 if a
request failed whose engine was not killed, the slope is above 2 MB per hour, or descriptors or tasks are left. Linux
only.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.page.browser import chromium, profile, tab
from bench.soak.load import MODELS, Load, LoadPlan, Outcomes
from bench.soak.report import Sample, plot, slope_mb_per_hour
from tests.browser.conftest import CHROMIUM

from gglib.testing import install_scripted_server, write_tiny_gguf
from gglib.testing.local_hub import LocalHub
from gglib.testing.scripted_server.script import Script

ALLOWED_MB_PER_HOUR = 2.0
ALLOWED_IDLE_DESCRIPTORS = 2
"""Connections that keep-alive holds for a moment."""
SETTLE_S = 90.0
"""Without requests, before what is held counts: idle connections close after 75 s."""
LAST_SAMPLES = 3
ENGINE_LIFETIME_S = 24 * 3600.0


@contextmanager
def server(directory: Path, hub: LocalHub, repository: str) -> Iterator[tuple[int, Path]]:
    """Run a watched server; yields its port and the file of its samples."""
    engine = install_scripted_server(directory / "bin", Script(lifetime_s=ENGINE_LIFETIME_S))
    model = write_tiny_gguf(directory / "model.gguf")
    hub.add_repository(repository, {"small-Q4_K_M.gguf": model})
    environment = {
        **os.environ,
        "GGLIB_HOME": str(directory / "home"),
        "GGLIB_SWAP_WAIT_S": "2",
        "HF_ENDPOINT": hub.url,
    }
    for name in MODELS:
        path = write_tiny_gguf(directory / f"{name}.gguf")
        add = [sys.executable, "-m", "gglib", "add", str(path), "--name", name]
        subprocess.run(add, env=environment, check=True, capture_output=True)
    samples = directory / "samples.jsonl"
    command = [sys.executable, "-m", "bench.soak.watched_server", str(samples)]
    child = subprocess.Popen(
        [*command, "serve", "--port", "0", "--engine", str(engine)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    try:
        yield urlsplit(child.stdout.readline().split()[-1]).port or 0, samples
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)
        child.stdout.close()


@asynccontextmanager
async def open_page(port: int) -> AsyncIterator[str]:
    """Keep the page open in Chromium; yields a sentence that says so, or that there is no Chromium."""
    if CHROMIUM is None:
        yield "Chromium is not installed: the page was not open."
        return
    async with (
        chromium() as browser,
        profile(browser) as context,
        tab(context, f"http://127.0.0.1:{port}", "now"),
    ):
        yield "The page was open in Chromium."


async def soak(
    port: int, samples: Path, plan: LoadPlan, minutes: float, warm_up: float
) -> tuple[str, Outcomes, int]:
    """Run the load: a warm-up, a pause, the rest, a pause.

    Returns the page's sentence, the outcomes, and how many samples there were after the first pause.
    """
    outcomes = Outcomes()
    load = Load(port, plan, outcomes)
    async with open_page(port) as sentence:
        await load.run(warm_up * 60)
        await asyncio.sleep(SETTLE_S)
        paused = len(read_samples(samples))
        await load.run((minutes - warm_up) * 60)
        await asyncio.sleep(SETTLE_S)
    return sentence, outcomes, paused


def read_samples(path: Path) -> list[Sample]:
    """Return the samples so far."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def held(samples: Sequence[Sample], name: str) -> int:
    """Return the least of the last samples: a scrape or a poll may be in flight at one of them."""
    return int(min(sample[name] for sample in samples[-LAST_SAMPLES:]))


def main() -> int:
    """Run, print and write; return 1 if something does not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="of load")
    parser.add_argument("--warm-up", type=float, default=10.0, help="minutes that do not count for the slope")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="directory for soak.md and soak.svg")
    options = parser.parse_args()
    plan = LoadPlan(seed=options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as directory,
        LocalHub() as hub,
        server(Path(directory), hub, plan.repository) as (port, path),
    ):
        sentence, outcomes, paused = asyncio.run(soak(port, path, plan, options.minutes, options.warm_up))
        samples = read_samples(path)
    before, after = samples[:paused], samples[paused:]
    counted = after[: -round(SETTLE_S / 5)] or after
    slope = slope_mb_per_hour(counted)
    names = ("descriptors", "tasks", "threads")
    rows = [f"| {name}, idle | {held(before, name)} | {held(after, name)} |" for name in names]
    ends = "\n".join(f"| {name} | {count:,} |" for name, count in sorted(outcomes.ends.items()))
    text = (
        f"# Soak\n\nMade by `python -m bench.soak --minutes {options.minutes:g} --warm-up {options.warm_up:g} "
        f"--seed {plan.seed}`: CPython {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores. {sentence}\n\n"
        f"Resident memory after the warm-up: {counted[0]['rss_bytes'] / 1e6:.1f} MB at first, "
        f"{counted[-1]['rss_bytes'] / 1e6:.1f} MB at the end, slope **{slope:+.2f} MB per hour** "
        f"(least squares of {len(counted)} samples).\n\n![Memory](soak.svg)\n\n"
        f"| Held | after the warm-up | at the end |\n|---|--:|--:|\n" + "\n".join(rows) + "\n\n"
        f"| What | count |\n|---|--:|\n{ends}\n\nComplaints: {len(outcomes.complaints)}.\n"
    )
    print(text)
    for complaint in outcomes.complaints[:20]:
        print(f"  {complaint}")
    if options.output is not None:
        (options.output / "soak.md").write_text(text, encoding="utf-8")
        picture = plot(samples, loaded_from_s=after[0]["s"], slope=slope)
        (options.output / "soak.svg").write_text(picture, encoding="utf-8")
    is_left = held(after, "tasks") > held(before, "tasks") or (
        held(after, "descriptors") > held(before, "descriptors") + ALLOWED_IDLE_DESCRIPTORS
    )
    return 1 if outcomes.complaints or slope > ALLOWED_MB_PER_HOUR or is_left else 0


if __name__ == "__main__":
    sys.exit(main())
