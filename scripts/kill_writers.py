"""Kill writers of the catalogue at random moments and check that no acknowledged row is lost.

In each round two processes add models to the same file and print each name after the catalogue has acknowledged it;
both get SIGKILL at random moments. Then the file must pass SQLite's integrity check and hold every acknowledged model
under its printed id. In every other round a reader keeps the file open meanwhile, as a server would, and must see the
models without reopening it. The file grows from round to round, so each round starts with the result of the last kill.
"""

import argparse
import asyncio
import itertools
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gglib.core.models import GgufFacts, ModelSummary, NewModel
from gglib.db import SqliteCatalog

LONGEST_LIFE_S = 0.12
"""A writer lives for a random part of this after its start-up: up to about ten rows."""

SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one round."""

    acknowledged: int
    problems: tuple[str, ...]


def main() -> int:
    """Run the rounds, print the results, and return 1 if anything was lost or damaged."""
    options = parse()
    if options.write is not None:
        asyncio.run(write_for_ever(options.write, options.prefix, is_honest=not options.acknowledge_first))
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gglib-kill-") as directory:
        path = Path(directory) / "gglib.db"
        rounds = [
            asyncio.run(run_round(path, number, chance, options)) for number in range(1, options.rounds + 1)
        ]
    problems = [problem for each in rounds for problem in each.problems]
    for problem in problems[:SHOWN_PROBLEMS]:
        print(problem)
    acknowledged = sum(each.acknowledged for each in rounds)
    print(
        f"{len(rounds)} rounds, {len(rounds) * options.writers} writers killed, {acknowledged} rows acknowledged, "
        f"{len(problems)} problems, {time.monotonic() - start_s:.0f} s"
    )
    return 1 if problems else 0


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--writers", type=int, default=2, help="processes in each round")
    parser.add_argument("--seed", type=int, help="makes the moments of the kills the same again")
    parser.add_argument(
        "--acknowledge-first", action="store_true", help="print before adding: shows that this check can fail"
    )
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--prefix", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


async def write_for_ever(path: Path, prefix: str, *, is_honest: bool) -> None:
    """Add models until killed. Each line on stdout is an id, a space and a name; the first line marks the start."""
    print("0 begins", flush=True)
    async with SqliteCatalog(path) as catalog:
        for number in itertools.count():
            name = f"{prefix}-{number}"
            if not is_honest:
                print(f"0 {name}", flush=True)
            added = await catalog.add_model(new_model(name))
            if is_honest:
                print(f"{added.id} {name}", flush=True)


def new_model(name: str) -> NewModel:
    """Return a model with a row in each table."""
    return NewModel(
        name=name,
        aliases=(f"alias-of-{name}",),
        tags=("a", "b"),
        paths=(Path(f"/models/{name}-1.gguf"), Path(f"/models/{name}-2.gguf")),
        size_bytes=1,
        facts=GgufFacts(architecture="llama"),
    )


async def run_round(path: Path, number: int, chance: random.Random, options: argparse.Namespace) -> Round:
    """Run writers, kill them, and check the result."""
    has_reader = number % 2 == 0
    catalog = SqliteCatalog(path)
    if has_reader:
        await catalog.open()
    acknowledged = run_and_kill(path, number, chance, options)
    damage = integrity_problems(path)
    await catalog.open()  # no effect on the open reader: it must see the rows as they are
    missing = missing_models(acknowledged, await catalog.list_models())
    await catalog.close()
    return Round(len(acknowledged), tuple(f"round {number}: {problem}" for problem in (*damage, *missing)))


def run_and_kill(
    path: Path, number: int, chance: random.Random, options: argparse.Namespace
) -> dict[str, int]:
    """Return the models that the writers acknowledged before the kill, as ids by name."""
    command = [sys.executable, os.fspath(Path(__file__)), "--write", os.fspath(path)]
    if options.acknowledge_first:
        command.append("--acknowledge-first")
    writers = [
        subprocess.Popen([*command, "--prefix", f"r{number}w{writer}"], stdout=subprocess.PIPE, text=True)
        for writer in range(options.writers)
    ]
    acknowledged: dict[str, int] = {}
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()  # it has started; a kill while it opens the file is also part of the test
        time.sleep(chance.uniform(0, LONGEST_LIFE_S))
        writer.kill()
        acknowledged |= read_acknowledged(writer.stdout.read())
        writer.stdout.close()
        assert writer.wait() == -9, "a writer ended before it was killed: see its traceback"
    return acknowledged


def read_acknowledged(output: str) -> dict[str, int]:
    """Return the ids by name; a last line that was cut off by the kill acknowledges nothing."""
    lines = (line.split() for line in output.splitlines(keepends=True) if line.endswith("\n"))
    return {name: int(model_id) for model_id, name in lines}


def integrity_problems(path: Path) -> tuple[str, ...]:
    """Return what SQLite's integrity check reports; nothing if the kill came before the file was created."""
    if not path.exists():
        return ()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
    damage = tuple(f"integrity: {text}" for text in found if text != "ok")
    return (*damage, *(f"row without its model: {row}" for row in dangling))


def missing_models(acknowledged: dict[str, int], models: list[ModelSummary]) -> tuple[str, ...]:
    """Return a sentence for each acknowledged model that is missing, incomplete or has another id."""
    stored = {model.name: model for model in models}
    problems = []
    for name, model_id in acknowledged.items():
        model = stored.get(name)
        if model is None:
            problems.append(f"{name} was acknowledged and is lost")
        elif model_id not in {0, model.id} or len(model.paths) != 2 or len(model.aliases) != 1:
            problems.append(f"{name} was acknowledged as {model_id} and is {model}")
    return tuple(problems)


if __name__ == "__main__":
    sys.exit(main())
