"""How long an interactive request waits beside a batch job: ``python -m bench.priorities``.

One gglib serves one tiny model with four slots. In each round, in turns: an interactive client alone; beside 32 clients
in a loop without a priority; beside the same 32 clients with ``x-gglib-priority: batch``. Each interactive request is
short, and follows the response of the previous one after a moment. Measured: the time to the first byte of the
interactive responses (median, p95, worst), and of the batch responses (median, worst). ``--quick`` is a smoke run.
"""

import argparse
import asyncio
import math
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import httpx2
from bench.swap import served

from gglib.core.models import ModelSettings, NewModel
from gglib.db import SqliteCatalog
from gglib.gguf import read_gguf
from gglib.testing import write_tiny_gguf

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench/results/priorities.md"
BATCH_CLIENTS = 32
BATCH_TOKENS = 200
TOKENS = 16
PAUSE_S = 0.05


@dataclass(slots=True)
class Waits:
    """Times to the first byte in seconds."""

    interactive: list[float] = field(default_factory=list)
    batch: list[float] = field(default_factory=list)


BATCH = {"x-gglib-priority": "batch"}
SIDES: dict[str, dict[str, str] | None] = {
    "alone": None,
    f"beside {BATCH_CLIENTS} clients without a priority": {},
    f"beside {BATCH_CLIENTS} batch clients": BATCH,
}
"""The headers of the other clients; None: there are none."""


async def main() -> None:
    """Measure all sides in turns, and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=40, help="interactive requests per round and side")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds, requests = (1, 3) if options.quick else (options.rounds, options.requests)
    waits = {side: Waits() for side in SIDES}
    with tempfile.TemporaryDirectory(prefix="gglib-priorities-") as directory:
        home = Path(directory)
        await add_model(home)
        with served(home) as address:
            async with httpx2.AsyncClient(
                base_url=f"http://{address}", timeout=600, trust_env=False
            ) as client:
                await first_byte_s(client, TOKENS, {})
                for _ in range(rounds):
                    for side, headers in SIDES.items():
                        await measure(client, requests, headers, waits[side])
                        print(f"{side}: {figures(waits[side].interactive)}", flush=True)
    if not options.quick:
        RESULT.write_text(report(waits, rounds, requests))


async def add_model(home: Path) -> None:
    """Add the tiny model, with one thread."""
    path = write_tiny_gguf(home / "tiny.gguf", context_length=2048)
    async with SqliteCatalog(home / "gglib.db") as catalog:
        settings = ModelSettings(context=2048, engine_args=("--threads", "1"))
        facts = read_gguf(path)
        await catalog.add_model(
            NewModel(
                name="tiny", paths=(path,), size_bytes=path.stat().st_size, facts=facts, settings=settings
            )
        )


async def measure(
    client: httpx2.AsyncClient, requests: int, headers: dict[str, str] | None, waits: Waits
) -> None:
    """Send interactive requests, one after the other, beside the other clients."""
    others = [] if headers is None else [loop(client, headers, waits.batch) for _ in range(BATCH_CLIENTS)]
    tasks = [asyncio.create_task(other) for other in others]
    await asyncio.sleep(1 if tasks else 0)
    for _ in range(requests):
        waits.interactive.append(await first_byte_s(client, TOKENS, {}))
        await asyncio.sleep(PAUSE_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def loop(client: httpx2.AsyncClient, headers: dict[str, str], waits: list[float]) -> None:
    """Send one request after the other."""
    while True:
        waits.append(await first_byte_s(client, BATCH_TOKENS, headers))


async def first_byte_s(client: httpx2.AsyncClient, tokens: int, headers: dict[str, str]) -> float:
    """Return the time to the first generated text of a streamed response, and read it to its end."""
    body = {"model": "tiny", "prompt": "once upon a time", "max_tokens": tokens, "stream": True}
    started, first = time.perf_counter(), None
    async with client.stream("POST", "/v1/completions", json=body, headers=headers) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if first is None and line.startswith("data: "):
                first = time.perf_counter() - started
    assert first is not None
    return first


def figures(waits: list[float]) -> str:
    """Return median, p95 and worst wait in milliseconds, as cells of a table."""
    ordered = sorted(waits)
    p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return " | ".join(f"{seconds * 1000:.0f}" for seconds in (statistics.median(ordered), p95, ordered[-1]))


def report(waits: dict[str, Waits], rounds: int, requests: int) -> str:
    """Return the page of results."""
    rows = []
    for side, found in waits.items():
        batch = figures(found.batch) if found.batch else "- | - | -"
        rows.append(f"| {side} | {figures(found.interactive)} | {batch} |")
    return "\n".join(
        [
            "# Interactive requests beside a batch job",
            "",
            f"Written by `python -m bench.priorities`: {rounds} rounds, all sides in turns, {requests} interactive",
            f"requests each ({TOKENS} tokens); the {BATCH_CLIENTS} other clients send requests of {BATCH_TOKENS}",
            "tokens in a loop. The embedded engine with a tiny model, four slots, one thread. Times to the first byte",
            f"of the response in milliseconds. {os.cpu_count()} cores, CPython {platform.python_version()},",
            f"xllamacpp {version('xllamacpp')}, {datetime.now(UTC):%Y-%m-%d}.",
            "",
            "| | interactive, median | p95 | worst | other clients, median | p95 | worst |",
            "|---|--:|--:|--:|--:|--:|--:|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    asyncio.run(main())
