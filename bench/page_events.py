"""What an open page costs a server, and the memory of an idle one: ``python -m bench.page_events --base TREE``.

Two checkouts are compared (``--tree``, by default this one, with ``--base``), each as ``gglib serve`` with eight models
in memory, whose engine is the scripted upstream. In turn, for each:

- *idle*: resident memory (RSS, PSS) some seconds after the start, before the first request.
- *watched, nothing happens*: processor time of the server while one page follows ``/gglib/events?requests=true``.
- *busy*: five streamed requests a second, each half a second long, over all models; no page is open.
- *busy, watched*: the same with one page. The difference is what the page costs.

Processor time is that of all threads, as a share of one core. The cases are measured in this order and in the reverse
one; base and tree take turns, in reversed order in every second pair. Medians are printed as Markdown. Linux only.
"""

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import run
from urllib.parse import urlsplit

from bench.proxies.machine import Cores, cpu_s, pss_mb
from bench.proxies.requests import PATH, chat_body
from bench.proxies.sides import ask, process, wait_until, write_engine

from gglib.testing import write_tiny_gguf

ROOT = Path(__file__).parent.parent
MODELS = tuple(f"model-{number}" for number in range(8))
EVENTS_PATH = "/gglib/events?requests=true"
REQUESTS_PER_S = 5
CHUNKS, CHUNKS_PER_S = 10, 20
CASES = (("watched", True, False), ("busy", False, True), ("busy, watched", True, True))
"""Name, whether a page is open, and whether requests are sent."""
SETTLE_S = 3.0
"""After the start, before the memory is read; and after the loads, which are followed by measurements of the engines.
"""


@dataclass(slots=True)
class Figures:
    """The results of one server."""

    rss_mb: float = 0.0
    pss_mb: float = 0.0
    cores: dict[str, float] = field(default_factory=dict)
    """Processor time by case, as a share of one core."""
    events_per_s: dict[str, float] = field(default_factory=dict)
    """Events of the busy page, by name."""
    bytes_per_s: float = 0.0

    def named(self) -> dict[str, float]:
        """Return the rows of the table."""
        return {
            "idle: RSS, MB": self.rss_mb,
            "idle: PSS, MB": self.pss_mb,
            **{f"{case}: % of a core": 100 * share for case, share in self.cores.items()},
            "busy page: events a second": sum(self.events_per_s.values()),
            "busy page: snapshots a second": self.events_per_s.get("snapshot", 0.0),
            "busy page: kB a second": self.bytes_per_s / 1000,
        }


@dataclass(slots=True)
class Page:
    """Counts what a page receives."""

    events: Counter[str] = field(default_factory=Counter)
    received_bytes: int = 0

    async def follow(self, port: int) -> None:
        """Follow the events until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {EVENTS_PATH} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                self.received_bytes += len(line)
                if line.startswith(b"event: "):
                    self.events[line.split()[1].decode()] += 1
        finally:
            writer.close()


@contextmanager
def server(tree: Path, directory: Path, cores: Cores) -> Iterator[tuple[int, int]]:
    """Run the server of a tree for the block, with the models in its catalogue; yields its pid and its port."""
    engine = write_engine(directory)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GGLIB_", "LLAMA_"))}
    path = os.pathsep.join((str(tree / "src"), str(tree)))
    environment |= {"GGLIB_HOME": str(directory / "home"), "PYTHONPATH": path}
    program = [sys.executable, "-m", "gglib"]
    files = [str(write_tiny_gguf(directory / f"{name}.gguf")) for name in MODELS]
    for name, file in zip(MODELS, files, strict=True):
        command = [*program, "add", file, "--name", name]
        run(command, env=environment, check=True, capture_output=True, cwd=directory)
    log = directory / "gglib.log"
    serve = [*program, "serve", "--port", "0", "--engine", str(engine), "--max-models", str(len(MODELS))]
    with process(serve, cores.proxy, log, environment) as child:
        wait_until(lambda: "Listening on" in log.read_text(), child, log)
        url = next(line.split()[-1] for line in log.read_text().splitlines() if "Listening on" in line)
        yield child.pid, urlsplit(url).port or 80


def body_for(model: str, *, chunks: int, chunks_per_s: int = 0) -> bytes:
    """Return a request of a stream for a model."""
    body = chat_body(stream_id="12345678", chunks=chunks, chunks_per_s=chunks_per_s)
    return body.replace(b'"model":"bench"', f'"model":"{model}"'.encode())


async def request(port: int, model: str) -> None:
    """Send one request and read its stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = body_for(model, chunks=CHUNKS, chunks_per_s=CHUNKS_PER_S)
    head = f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    received = await reader.read()
    writer.close()
    if b"[DONE]" not in received:
        raise RuntimeError(f"a response is incomplete: {received[-500:]!r}")


async def keep_busy(port: int, seconds: float) -> None:
    """Send requests at a constant rate."""
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(round(seconds * REQUESTS_PER_S)):
            await asyncio.sleep(max(0.0, began_s + number / REQUESTS_PER_S - time.monotonic()))
            group.create_task(request(port, MODELS[number % len(MODELS)]))


async def measure(pid: int, port: int, seconds: float) -> Figures:
    """Measure one server."""
    await asyncio.sleep(SETTLE_S)
    figures = Figures(rss_mb=rss_mb(pid), pss_mb=pss_mb([pid]))
    for model in MODELS:
        await asyncio.to_thread(ask, port, "POST", PATH, body_for(model, chunks=1))
    await asyncio.sleep(2 * SETTLE_S)
    await keep_busy(port, SETTLE_S)
    shares: dict[str, list[float]] = {case: [] for case, *_ in CASES}
    for case, is_watched, is_busy in (*CASES, *reversed(CASES)):
        page = Page()
        following = asyncio.create_task(page.follow(port)) if is_watched else None
        await asyncio.sleep(1.0)
        used_s, began_s = cpu_s([pid]), time.monotonic()
        page.events.clear()
        page.received_bytes = 0
        await (keep_busy(port, seconds) if is_busy else asyncio.sleep(seconds))
        took_s = time.monotonic() - began_s
        shares[case].append((cpu_s([pid]) - used_s) / took_s)
        if is_watched and is_busy:
            figures.events_per_s = {name: count / took_s for name, count in page.events.items()}
            figures.bytes_per_s = page.received_bytes / took_s
        if following is not None:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
    figures.cores = {case: statistics.mean(values) for case, values in shares.items()}
    figures.cores["the page, busy"] = figures.cores["busy, watched"] - figures.cores["busy"]
    return figures


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) * 1024 / 1e6


def median_rows(results: Mapping[str, list[Figures]]) -> Iterator[tuple[str, list[str]]]:
    """Yield each figure's name with its median and its range for each side."""
    named = [[figures.named() for figures in side] for side in results.values()]
    for title in named[0][0]:
        columns = [[figures[title] for figures in side] for side in named]
        yield (
            title,
            [
                f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
                for values in columns
            ],
        )


def main() -> None:
    """Compare, and print the medians as a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, help="directory of the checkout to compare with")
    parser.add_argument("--tree", type=Path, default=ROOT, help="directory of the checkout")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="of each case")
    options = parser.parse_args()
    trees = {"base": options.base, "tree": options.tree} if options.base else {"tree": options.tree}
    cores = Cores.of_this_machine()
    results: dict[str, list[Figures]] = {name: [] for name in trees}
    for number in range(options.pairs):
        for name in list(trees) if number % 2 == 0 else list(reversed(trees)):
            with (
                tempfile.TemporaryDirectory(prefix="bench-") as directory,
                server(trees[name].resolve(), Path(directory), cores) as (pid, port),
            ):
                figures = asyncio.run(measure(pid, port, options.seconds))
            results[name].append(figures)
            print(f"{name}: {figures}", file=sys.stderr, flush=True)
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}; {cores}.")
    print(f"Medians of {options.pairs} runs, and their range; {options.seconds:.0f} s for each case.\n")
    print("| |" + "".join(f" {name} |" for name in trees))
    print("|---|" + "---:|" * len(trees))
    for title, cells in median_rows(results):
        print(f"| {title} |" + "".join(f" {cell} |" for cell in cells))


if __name__ == "__main__":
    main()
