"""Measures downloads from a local hub, compared with curl, in one run: ``python -m bench.pull``.

The local hub serves in its own process (the kernel's sendfile, one thread per connection). In each round all sides
fetch the same file one after the other, in rotating order, so that noise affects all:

- gglib: ``HuggingFaceHub.fetch`` with all its guarantees: the SHA-256 of the whole file, a manifest update after each
  block, fsync, and the rename. Without the interpreter's start.
- curl: ``curl -sL -o FILE``: the bytes, in the kernel's memory.
- curl and sync: the same, and ``fsync`` of the file and its directory: as durable as gglib's result.
- curl, sync and hash: the same, and its SHA-256 by hashlib in this process: gglib's guarantees, one after the other.

In memory (tmpfs, where syncing costs nothing) and on the disk; and once with a hub that limits each connection, where
gglib opens several. The file's pages are in the hub's page cache. Linux, with curl.
"""

import argparse
import asyncio
import hashlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

from gglib.core.hub.repository import RemoteFile
from gglib.hf import HubAccess, HuggingFaceHub
from gglib.system.files.durable import sync

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench/results"
REPO, NAME = "ada/coder-GGUF", "coder-Q4_K_M.gguf"
SIDES = ("gglib", "curl", "curl and sync", "curl, sync and hash")
SIZES_MB = (98, 500)
LIMITED_MB, LIMITED_MB_PER_S = 98, 8
MEMORY = Path("/dev/shm")  # noqa: S108 - tmpfs, in a new directory

SERVER = """
import sys
from pathlib import Path
from gglib.testing.local_hub import Fault, LocalHub, Host
with LocalHub() as hub:
    commit = hub.add_repository(sys.argv[2], {sys.argv[3]: Path(sys.argv[1])})
    if int(sys.argv[4]):
        hub.inject_fault(Fault(bytes_per_s=int(sys.argv[4])), file=sys.argv[3], host=Host.CDN)
    print(hub.url, commit, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A file, and the hub that serves it."""

    endpoint: str
    file: RemoteFile

    @property
    def url(self) -> str:
        """The file's URL for curl."""
        return f"{self.endpoint}/{REPO}/resolve/{self.file.revision}/{NAME}"


@dataclass(frozen=True, slots=True)
class Taken:
    """The time of one fetch."""

    wall_s: float
    cpu_s: float
    """Processor time of the client, without the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All rounds of one file in one directory."""

    place: str
    size_mb: int
    limit_mb_per_s: int
    rounds: list[dict[str, Taken]]

    def median_s(self, side: str) -> float:
        """Return the median duration of a side."""
        return statistics.median(one[side].wall_s for one in self.rounds)

    def ratio(self, side: str) -> float:
        """Return how many times faster gglib is than a side: the median of the ratios per round."""
        return statistics.median(one[side].wall_s / one["gglib"].wall_s for one in self.rounds)

    def best_ratio(self, side: str) -> float:
        """Return the ratio of each side's fastest round, which other programs disturbed least."""
        least = {each: min(one[each].wall_s for one in self.rounds) for each in (side, "gglib")}
        return least[side] / least["gglib"]


def main() -> None:
    """Measure, print the page and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--output", type=Path, default=RESULTS, help="directory of the report")
    options = parser.parse_args()
    places = (MEMORY, Path(tempfile.gettempdir()))
    cases = [measure(place, size_mb, options.rounds) for place in places for size_mb in SIZES_MB]
    cases.append(measure(MEMORY, LIMITED_MB, min(3, options.rounds), limit_mb_per_s=LIMITED_MB_PER_S))
    text = page(cases)
    print(text)
    (options.output / "pull.md").write_text(text)
    (options.output / "pull.json").write_text(json.dumps([as_json(case) for case in cases], indent=1) + "\n")


def measure(place: Path, size_mb: int, rounds: int, *, limit_mb_per_s: int = 0) -> Case:
    """Return the rounds of a case, after an uncounted warm-up round."""
    sides = SIDES if not limit_mb_per_s else SIDES[:2]
    with (
        tempfile.TemporaryDirectory(prefix="gglib-pull-", dir=place) as directory,
        serving(Path(directory), size_mb * 1_000_000, limit_mb_per_s * 1_000_000) as served,
    ):
        done = []
        for first in islice(cycle(range(len(sides))), rounds + 1):
            order = (*sides[first:], *sides[:first])
            done.append({side: fetch(side, served, Path(directory) / "fetched") for side in order})
    label = "memory" if place == MEMORY else "disk"
    return Case(place=label, size_mb=size_mb, limit_mb_per_s=limit_mb_per_s, rounds=done[1:])


@contextmanager
def serving(directory: Path, size_bytes: int, bytes_per_s: int) -> Iterator[Served]:
    """Run a hub with one file of random bytes, in a separate process."""
    source = directory / "source"
    digest, chance = hashlib.sha256(), random.Random(1)
    with source.open("wb") as stream:
        while (left := size_bytes - stream.tell()) > 0:
            block = chance.randbytes(min(left, 1 << 20))
            digest.update(block)
            stream.write(block)
    command = [sys.executable, "-c", SERVER, os.fspath(source), REPO, NAME, str(bytes_per_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        endpoint, commit = server.stdout.readline().split()
        file = RemoteFile(
            name=NAME, repo=REPO, revision=commit, size_bytes=size_bytes, sha256=digest.hexdigest()
        )
        yield Served(endpoint, file)
        server.communicate()


def fetch(side: str, served: Served, target: Path) -> Taken:
    """Fetch the file with a side, check it, and delete it."""
    taken = timed(lambda: _by_gglib(served, target) if side == "gglib" else _by_curl(side, served, target))
    assert target.stat().st_size == served.file.size_bytes
    target.unlink()
    return taken


def timed(work: Callable[[], None]) -> Taken:
    """Return the duration and the processor time of a call."""
    cpu, wall_s = os.times(), time.perf_counter()
    work()
    wall_s, after = time.perf_counter() - wall_s, os.times()
    return Taken(wall_s, sum(after[:4]) - sum(cpu[:4]))


def _by_gglib(served: Served, target: Path) -> None:
    hub = HuggingFaceHub(HubAccess(endpoint=served.endpoint))
    asyncio.run(hub.fetch(served.file, target, lambda _here, _total: None))


def _by_curl(side: str, served: Served, target: Path) -> None:
    subprocess.run(["curl", "-sfL", "-o", os.fspath(target), served.url], check=True)
    if "sync" in side:
        with target.open("rb") as stream:
            os.fsync(stream.fileno())
        sync(target.parent)
    if "hash" in side:
        with target.open("rb") as stream:
            assert hashlib.file_digest(stream, "sha256").hexdigest() == served.file.sha256


# --- the page ---


def page(cases: list[Case]) -> str:
    """Return the report."""
    free = [case for case in cases if not case.limit_mb_per_s]
    tables = "\n".join(_table(case) for case in free)
    limited = "\n".join(_limited(case) for case in cases if case.limit_mb_per_s)
    curl = subprocess.run(["curl", "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"""# How fast a file comes

Measured by `python -m bench.pull` on {datetime.now(UTC):%Y-%m-%d}: a {os.cpu_count()}-core Linux machine, \
{platform.machine()}; Python {platform.python_version()}, curl {curl}.
Load average at the end: {load}. Hub and client share the machine, so they compete for its cores.

{__doc__.split(chr(10) * 2, 1)[1].strip()}

*Faster* is a side's time by gglib's: above 1, gglib is the faster one. It is the median of the rounds' own ratios, and,
of each side's fastest round, the ratio that other programs disturbed least. CPU is user and system time of the client.

{tables}
## A hub that limits each connection to {LIMITED_MB_PER_S} MB/s

{limited}"""


def _table(case: Case) -> str:
    head = (
        "MB/s, median",
        "ms, median",
        "ms, least",
        "CPU ms, median",
        "gglib faster, median",
        "of the fastest",
    )
    rows = [
        f"## {case.size_mb} MB, {'in memory' if case.place == 'memory' else 'on the disk'}",
        "",
        f"| {len(case.rounds)} rounds | {' | '.join(head)} |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for side in SIDES:
        walls = [one[side].wall_s * 1000 for one in case.rounds]
        cpu_ms = statistics.median(one[side].cpu_s * 1000 for one in case.rounds)
        ratios = (
            "| - | - |" if side == "gglib" else f"| {case.ratio(side):.2f} | {case.best_ratio(side):.2f} |"
        )
        name = "**gglib**" if side == "gglib" else side
        rows.append(
            f"| {name} | {case.size_mb / case.median_s(side):,.0f} | {statistics.median(walls):,.0f} "
            f"| {min(walls):,.0f} | {cpu_ms:,.0f} {ratios}"
        )
    return "\n".join(rows) + "\n"


def _limited(case: Case) -> str:
    gglib, curl = (case.size_mb / case.median_s(side) for side in ("gglib", "curl"))
    return (
        f"{case.size_mb} MB: gglib {gglib:.1f} MB/s with as many connections as it finds worth it, curl "
        f"{curl:.1f} MB/s with its one: {case.ratio('curl'):.2f} times as fast.\n"
    )


def as_json(case: Case) -> dict[str, object]:
    """Return a case as JSON values, with every round."""
    rounds = [
        {side: {"wall_s": taken.wall_s, "cpu_s": taken.cpu_s} for side, taken in one.items()}
        for one in case.rounds
    ]
    return {
        "place": case.place,
        "size_mb": case.size_mb,
        "limit_mb_per_s": case.limit_mb_per_s,
        "rounds": rounds,
    }


if __name__ == "__main__":
    main()
