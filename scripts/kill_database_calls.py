"""Kill an operation on the catalogue at each of its file calls and check that nothing acknowledged is lost.

``strace`` sends SIGKILL at the n-th call of each kind (pwrite, fsync, rename, ...), for every n. After each kill a new
process opens the catalogue: it must list the models from before or after the operation, from after if the operation was
acknowledged; SQLite must find no damage; no log remains, and only a foreign one is set aside.

    python scripts/kill_database_calls.py [--every N] [add|migrate|repair|restore ...]
"""

import argparse
import asyncio
import collections
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gglib.core.models import GgufFacts, NewModel
from gglib.db import SqliteCatalog
from gglib.db.backup import back_up, restore
from gglib.db.connections import prepare, writing
from gglib.db.home_paths import HomePaths
from gglib.db.rows import insert_model
from gglib.db.wal_repair import repair

CALLS = ("openat", "pwrite64", "write", "ftruncate", "unlink", "rename", "fsync", "fdatasync")
MARK = Path("/gglib-begins-here")
"""A file opened after the imports: calls before this one do not count."""
OLD_FORMAT = Path(__file__).parents[1] / "tests" / "integration" / "db" / "format_2.sql"
ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Kill:
    """The result of one kill."""

    names: str
    is_acknowledged: bool
    damage: str
    files: tuple[str, ...]


def main() -> int:
    """Run the kills and return 1 if any of them did damage."""
    options = parse()
    if options.run is not None:
        operate(options.operations[0], options.run)
        return 0
    if options.list is not None:
        print(*asyncio.run(names_in(options.list)))
        return 0
    if shutil.which("strace") is None:
        print("needs strace")
        return 1
    bad = 0
    for operation in options.operations or OPERATIONS:
        with tempfile.TemporaryDirectory(prefix="gglib-kill-") as directory:
            bad += kill_each_call(operation, Path(directory), every=options.every)
    return 1 if bad else 0


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("operations", nargs="*", choices=[*OPERATIONS, []])
    parser.add_argument("--every", type=int, default=1, help="kill at each N-th call only")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def add(path: Path, *names: str) -> None:
    """Add models, each in a transaction of its own."""
    prepare(path)
    for name in names:
        facts = GgufFacts(architecture="llama", chat_template="x" * 300)
        model = NewModel(name=name, paths=(Path("/models", name),), size_bytes=1, facts=facts)
        with writing(path) as connection:
            insert_model(connection, HomePaths(path.parent), model, added_at=0)


async def names_in(path: Path) -> list[str]:
    """Return the names of the models, as a command lists them."""
    async with SqliteCatalog(path) as catalog:
        return sorted(model.name for model in await catalog.list_models())


def make_backup(path: Path, count: int) -> Path:
    """Write a backup with ``count`` models beside the database."""
    other = path.with_name("other.db")
    add(other, *(f"b{number}" for number in range(count)))
    back_up(other, path.with_name("backup.db"))
    return path.with_name("backup.db")


def make_small(path: Path) -> None:
    """Make a catalogue of eight models, and a backup of five others."""
    add(path, *(f"a{number}" for number in range(8)))
    make_backup(path, 5)


def make_old(path: Path) -> None:
    """Make a catalogue of an older format."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_FORMAT.read_text(encoding="utf-8"))


def make_replaced(path: Path) -> None:
    """Make a backup of 40 models, copied over a database with a log."""
    small = path.with_name("small.db")
    make_small(small)
    with closing(sqlite3.connect(small, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM models").fetchall()
        add(small, "x", "y")
        shutil.copyfile(f"{small}-wal", f"{path}-wal")
    shutil.copyfile(make_backup(path, 40), path)


OPERATIONS: dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]] = {
    "add": (make_small, lambda path: add(path, "new")),
    "migrate": (make_old, prepare),
    "repair": (make_replaced, repair),
    "restore": (make_small, lambda path: restore(path, path.with_name("backup.db"))),
}


def operate(operation: str, path: Path) -> None:
    """Run the operation that is killed."""
    MARK.exists()
    OPERATIONS[operation][1](path)
    print(ACKNOWLEDGED, flush=True)


def kill_each_call(operation: str, directory: Path, *, every: int) -> int:
    """Return how many kills of the operation did damage."""
    template = directory / "template"
    template.mkdir()
    OPERATIONS[operation][0](template / "gglib.db")
    before = listed(shutil.copytree(template, directory / "before") / "gglib.db")
    counted = shutil.copytree(template, directory / "counted") / "gglib.db"
    moments = list(moments_of(operation, counted))
    after = listed(counted)
    tried = bad = 0
    for call, number in moments[::every]:
        copy = shutil.copytree(template, directory / "killed")
        kill = killed(operation, copy / "gglib.db", call, number)
        shutil.rmtree(copy)
        tried += 1
        allowed = {after} if kill.is_acknowledged else {before, after}
        if (
            kill.names not in allowed
            or kill.damage != "ok"
            or any(is_unwanted(operation, name) for name in kill.files)
        ):
            bad += 1
            print(f"{operation}: killed at {call} {number}: {kill}")
    print(f"{operation}: {tried} kills, {bad} did harm", flush=True)
    return bad


def is_unwanted(operation: str, name: str) -> bool:
    """Whether a file must not remain beside the catalogue: a log, or a file set aside without need."""
    return name.startswith("gglib.db-") and not (operation == "repair" and "set-aside" in name)


def moments_of(operation: str, path: Path) -> Iterator[tuple[str, int]]:
    """Run the operation to its end; yield each of its calls, with how often strace had seen that call by then."""
    trace = path.with_name("trace")
    command = command_of(operation, path)
    watched = f"trace={','.join(CALLS)},stat,newfstatat,statx"
    subprocess.run(["strace", "-f", "-o", trace, "-e", watched, *command], capture_output=True, check=True)
    seen: collections.Counter[str] = collections.Counter()
    has_begun = False
    for line in trace.read_text(errors="replace").splitlines():
        call = line.split("(", 1)[0].split()[-1]
        has_begun = has_begun or f'"{MARK}"' in line
        if call in CALLS and "(" in line:
            seen[call] += 1
            if has_begun:
                yield call, seen[call]
    trace.unlink()


def killed(operation: str, path: Path, call: str, number: int) -> Kill:
    """Kill the operation at a call and check the result."""
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"]
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", *inject, *command_of(operation, path)],
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed(path)
    with closing(sqlite3.connect(path)) as connection:
        damage = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    files = tuple(sorted(each.name for each in path.parent.iterdir()))
    return Kill(names, ACKNOWLEDGED in done.stdout, damage, files)


def listed(path: Path) -> str:
    """Return what another process lists, or its error."""
    done = subprocess.run(
        [sys.executable, __file__, "--list", path], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else f"failed: {done.stderr[-300:]}"


def command_of(operation: str, path: Path) -> list[str]:
    """Return the command line of the process that is killed."""
    return [sys.executable, __file__, operation, "--run", str(path)]


if __name__ == "__main__":
    sys.exit(main())
