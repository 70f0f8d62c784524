"""Measures the request history: ``python -m bench.history [--rows 1000000] [--write]``.

Writes rows through ``SqliteHistory`` into a temporary directory, in commits of 500 as at 1,000 requests a second, and
in smaller ones; then searches them. Times are of whole calls, with the opening of the file; the median of several.
``--write`` writes ``bench/results/history.md``.
"""

import argparse
import asyncio
import platform
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.core.history.records import RequestRecord
from gglib.core.history.requests import RequestFilter
from gglib.core.history.usage import UsageField, UsageQuery
from gglib.db import SqliteHistory

RESULTS = Path(__file__).parent / "results" / "history.md"
ROUNDS = 7
COMMIT_ROWS = 500
SMALL_COMMITS = ((100, 20_000), (10, 5_000), (1, 500))
"""Rows in a commit, and rows in all."""
FIRST_S = 1_790_000_000.0
MIB = 1 << 20

ROUTES = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/messages", "/api/chat")
MODELS = tuple(f"model-{n}-Q4_K_M" for n in range(12))
KEYS = tuple(f"team-{n}" for n in range(20))
PROGRAMS = ("openai-python", "claude-code", "curl", "open-webui", "continue", "LangChain")
ERRORS = ("engine_failed", "context_too_long", "queue_timeout", "request_invalid")

Find = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Timed:
    """The time of one kind of search."""

    name: str
    rows: int
    median_ms: float
    worst_ms: float


def make_record(number: int, random_: random.Random, *, is_mixed: bool = False) -> RequestRecord:
    """Return the record of a request among 1,000 a second: one in 50 failed, one in 500 caused a swap.

    A key has its own two programs, addresses and routes, and three models; ``is_mixed``: every key has all.
    """
    has_failed = random_.random() < 0.02
    team = random_.randrange(len(KEYS))
    spread = random_.randrange(60) if is_mixed else random_.randrange(6)
    model = MODELS[(team + spread % 3 + (spread * 7 if is_mixed else 0)) % len(MODELS)]
    prompt = int(random_.paretovariate(1.2) * 60)
    return RequestRecord(
        method="POST",
        path="/",
        model=model,
        status=random_.choice((400, 404, 429, 500, 503)) if has_failed else 200,
        request_id=f"req_5f0c1d2e3a4b{number:08x}",
        waited_s=0.000_02 if random_.random() < 0.9 else random_.random() * 4,
        first_byte_s=0.03 + random_.random(),
        duration_s=0.1 + random_.random() * 5,
        chunks=100,
        is_streamed=random_.random() < 0.7,
        error_code=random_.choice(ERRORS) if has_failed else None,
        key_name=KEYS[team],
        client=f"10.0.0.{team + spread % 2 + (spread if is_mixed else 0)}",
        prompt_tokens=prompt,
        completion_tokens=random_.randrange(600),
        cached_tokens=prompt // 2,
        ended_at_s=FIRST_S + number / 1000,
        route=ROUTES[(team + spread) % 2 + spread % 3 if is_mixed else (team + spread % 2) % len(ROUTES)],
        program=PROGRAMS[(team + spread % 2 + (spread // 3 if is_mixed else 0)) % len(PROGRAMS)],
        requested_model="gpt-4o" if random_.random() < 0.2 else None,
        profile="coding" if random_.random() < 0.1 else None,
        tokens_per_s=20 + random_.random() * 60,
        swap=f"{random_.choice(MODELS)} -> {model}" if random_.random() < 0.002 else None,
    )


def make_oldest() -> RequestRecord:
    """Return the first record, which alone has rare values."""
    record = make_record(0, random.Random(0))
    record.model, record.key_name, record.program, record.profile = (
        "rare-model",
        "rare-key",
        "rare",
        "rare-profile",
    )
    record.route, record.error_code, record.status, record.node = "/v1/rare", "rare_error", 507, "rare-node"
    record.request_id, record.duration_s, record.swap = "Rare-Request-Id", 900.0, "rare-model -> rare-model"
    record.error_message, record.client = "the rare message", "192.0.2.1"
    return record


def searches(rows: int) -> Iterator[tuple[str, RequestFilter]]:
    """Yield named filters: common values, those of the oldest row, and those of none."""
    end_s = FIRST_S + rows / 1000
    yield "no filter", RequestFilter()
    for name, common, rare in (
        ("key", KEYS[3], "rare-key"),
        ("model", MODELS[3], "rare-model"),
        ("client", "curl", "rare"),
        ("profile", "coding", "rare-profile"),
        ("route", ROUTES[1], "/v1/rare"),
        ("error", ERRORS[0], "rare_error"),
        ("node", "", "rare-node"),
        ("text", "ENGINE_", "rare mess"),
        ("text (request id)", f"{rows // 2:06x}", "rare-request"),
        ("request_id", f"req_5f0c1d2e3a4b{rows - 5:08x}", "Rare-Request-Id"),
    ):
        field = name.split()[0]
        for kind, value in (("common", common), ("oldest", rare), ("none", "there-is-none")):
            yield f"{name}: {kind}", RequestFilter(**{field: value})  # type: ignore[arg-type]
    for name, wanted in (
        ("status 5xx", RequestFilter(statuses=(500, 599))),
        ("status 507: oldest", RequestFilter(statuses=(507, 507))),
        ("failed", RequestFilter(is_failed=True)),
        ("swap", RequestFilter(caused_swap=True)),
        ("min duration 5.09 s", RequestFilter(min_duration_s=5.09)),
        ("min duration: oldest", RequestFilter(min_duration_s=800)),
        ("min duration: none", RequestFilter(min_duration_s=8000)),
        (
            "time: in the middle",
            RequestFilter(since_s=FIRST_S + rows / 2000, until_s=FIRST_S + rows / 2000 + 9),
        ),
        ("time: oldest", RequestFilter(until_s=FIRST_S + 0.001)),
        ("time: none", RequestFilter(since_s=end_s + 1)),
        ("key + model", RequestFilter(key=KEYS[3], model=MODELS[3])),
        ("key + failed", RequestFilter(key=KEYS[3], is_failed=True)),
        ("key + error: none", RequestFilter(key="rare-key", error=ERRORS[0])),
        ("key + swap", RequestFilter(key=KEYS[3], caused_swap=True)),
        ("key + long", RequestFilter(key=KEYS[3], min_duration_s=5.0999)),
        ("model + long: none", RequestFilter(model=MODELS[3], min_duration_s=800)),
        ("failed + long: oldest", RequestFilter(is_failed=True, min_duration_s=800)),
        ("key + time: oldest", RequestFilter(key="rare-key", until_s=FIRST_S + rows / 2000)),
        ("key + text", RequestFilter(key=KEYS[3], text="engine_")),
        ("key + text: none", RequestFilter(key=KEYS[3], text="rare")),
        ("key + request id part", RequestFilter(key="rare-key", text="5f0c1d")),
        ("model + status", RequestFilter(model=MODELS[1], statuses=(400, 499))),
    ):
        yield name, wanted


def write_cpu_us(history: SqliteHistory, records: Sequence[RequestRecord], commit_rows: int) -> float:
    """Store the records, in commits of so many; return the CPU time in microseconds of each."""
    started_s = time.process_time()
    for start in range(0, len(records), commit_rows):
        part = records[start : start + commit_rows]
        for first in range(0, len(part), 100):  # as the recorder does
            history.record(part[first : first + 100])
        history.flush()
    return (time.process_time() - started_s) / len(records) * 1e6


async def timed(name: str, find: Find) -> Timed:
    """Return the times of ``ROUNDS`` calls."""
    times_ms = []
    for _ in range(ROUNDS):
        started_s = time.perf_counter()
        found = await find()
        times_ms.append((time.perf_counter() - started_s) * 1000)
    rows = len(getattr(found, "requests", found if isinstance(found, tuple) else ()))
    return Timed(name, rows, statistics.median(times_ms), max(times_ms))


async def measure(directory: Path, rows: int) -> Iterator[str]:
    """Return the lines of the report."""
    random_ = random.Random(1)
    path = directory / "history.db"
    async with SqliteHistory(path, max_bytes=2**40, max_age_s=1e12) as history:
        history.record([make_oldest()])
        costs = []
        for start in range(1, rows, 50_000):
            records = [make_record(number, random_) for number in range(start, min(start + 50_000, rows))]
            costs.append(write_cpu_us(history, records, COMMIT_ROWS))
            print(f"{start + len(records):,} rows, {costs[-1]:.1f} µs", file=sys.stderr)
    size = path.stat().st_size
    async with SqliteHistory(path, max_bytes=2**40, max_age_s=1e12) as history:
        found = [
            await timed(name, lambda wanted=wanted: history.find_requests(wanted, limit=50))  # type: ignore[misc]
            for name, wanted in searches(rows)
        ]
        found.append(
            await timed(
                "page in the middle",
                lambda: history.find_requests(RequestFilter(), limit=50, before=rows // 2),
            )
        )
        found.append(await timed("1,000 rows", lambda: history.find_requests(RequestFilter(), limit=1000)))
        by = (UsageField.DAY, UsageField.KEY, UsageField.MODEL)
        found.append(await timed("usage by day, key, model", lambda: history.usage(UsageQuery(by=by))))
        found.append(await timed("recent use, 60 s", lambda: history.recent_use(FIRST_S + rows / 1000 - 60)))
    small = []
    async with SqliteHistory(directory / "mixed.db", max_bytes=2**40, max_age_s=1e12) as history:
        records = [make_record(number, random_, is_mixed=True) for number in range(50_000)]
        mixed_us = write_cpu_us(history, records, COMMIT_ROWS)
    async with SqliteHistory(directory / "small.db", max_bytes=2**40, max_age_s=1e12) as history:
        for commit_rows, count in SMALL_COMMITS:
            records = [make_record(number, random_) for number in range(count)]
            small.append((commit_rows, write_cpu_us(history, records, commit_rows)))
    return report(rows, size, (statistics.median(costs), mixed_us), small, found)


def report(
    rows: int,
    size: int,
    costs: tuple[float, float],
    small: Sequence[tuple[int, float]],
    found: Sequence[Timed],
) -> Iterator[str]:
    """Yield the lines of the report."""
    yield "# The request history"
    yield ""
    yield (
        f"`python -m bench.history`, {rows:,} rows. Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, {platform.system()} {platform.machine()}."
    )
    yield ""
    yield f"File: {size / MIB:.0f} MiB, {size / rows:.0f} bytes a row, with usage, names and all that search needs."
    yield ""
    yield "| Rows in a commit | CPU a request, all threads |"
    yield "|---:|---:|"
    yield f"| {COMMIT_ROWS} | {costs[0]:.1f} µs |"
    yield f"| {COMMIT_ROWS}, all keys with all programs and models | {costs[1]:.1f} µs |"
    for commit_rows, cost_us in small:
        yield f"| {commit_rows} | {cost_us:.0f} µs |"
    yield ""
    yield "A commit takes place at most every half second: small commits are those of a server with few requests."
    yield ""
    yield f"First page (50 rows), in ms; {ROUNDS} calls each:"
    yield ""
    yield "| Search | Found | Median | Slowest |"
    yield "|---|---:|---:|---:|"
    for one in found:
        yield f"| {one.name} | {one.rows} | {one.median_ms:.1f} | {one.worst_ms:.1f} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gglib-bench-") as directory:
        text = "\n".join(asyncio.run(measure(Path(directory), arguments.rows))) + "\n"
    print(text)
    if arguments.write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
