"""Measures reads of the catalogue with 500 models: unchanged (the common case) and after a change (rare)."""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from gglib.core.models import GgufFacts, NewModel
from gglib.db import SqliteCatalog
from gglib.db.connections import writing
from gglib.db.home_paths import HomePaths
from gglib.db.rows import insert_model


def main() -> None:
    """Print the medians, in microseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(measure(Path(directory) / "gglib.db", options.models, options.rounds))


async def measure(path: Path, models: int, rounds: int) -> None:
    """Fill a catalogue and time its reads."""
    async with SqliteCatalog(path) as catalog:
        fill(path, models)
        last = f"org/model-{models - 1}:Q4_K_M"
        print(f"{models} models, median of {rounds} reads")
        print(f"  list_models, unchanged    {await median_us(catalog.list_models, rounds):9.1f} us")
        for kind, name in (("exact", last), ("alias", f"alias-{models - 1}"), ("unknown", "nobody")):
            elapsed_us = await median_us(partial(catalog.resolve_model, name), rounds)
            print(f"  resolve_model, {kind:10} {elapsed_us:9.1f} us")
        reload_us = [await time_reload_us(catalog, path, number) for number in range(30)]
        print(f"  list_models, changed      {statistics.median(reload_us):9.1f} us")


def fill(path: Path, models: int) -> None:
    """Add the models in one transaction: only reading is measured."""
    with writing(path) as connection:
        for number in range(models):
            insert_model(connection, HomePaths(path.parent), new_model(number), added_at=0)


def new_model(number: int) -> NewModel:
    """Return a typical model."""
    return NewModel(
        name=f"org/model-{number}:Q4_K_M",
        aliases=(f"alias-{number}",),
        tags=("bench",),
        paths=(Path(f"/models/model-{number}.gguf"),),
        size_bytes=1,
        facts=GgufFacts(architecture="llama"),
    )


async def median_us(read: Callable[[], Awaitable[object]], rounds: int) -> float:
    """Return the median time of one read in microseconds."""
    times_ns = []
    for _ in range(rounds):
        start_ns = time.perf_counter_ns()
        await read()
        times_ns.append(time.perf_counter_ns() - start_ns)
    return statistics.median(times_ns) / 1000


async def time_reload_us(catalog: SqliteCatalog, path: Path, number: int) -> float:
    """Return the time of the first read after another connection has written, in microseconds."""
    with writing(path) as connection:
        connection.execute("UPDATE models SET description = ? WHERE id = 1", (str(number),))
    start_ns = time.perf_counter_ns()
    models = await catalog.list_models()
    elapsed_ns = time.perf_counter_ns() - start_ns
    assert models[0].description == str(number)
    return elapsed_ns / 1000


if __name__ == "__main__":
    main()
