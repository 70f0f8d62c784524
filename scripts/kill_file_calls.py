"""Kill gglib at every call that changes a file, and check that no row is wrong, no file is lost, and a retry succeeds.

A library preloaded into the process (``tests/integration/files/file_calls.c``) counts its calls to open, write, rename,
link, unlink, fsync and the like below the home, and ends the process at one of them. Each scenario runs once to count
the calls, and then once for each call. After each kill ``gglib list`` runs, then the command again, and the result is
compared with the result without the kill. Needs Linux and a C compiler.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.integration.files import old_home, tiny
from tests.integration.files.world import (
    BIG,
    SHARDS,
    VISION,
    Home,
    Hub,
    assert_is,
    file_state,
    files_of,
    new_place,
    unexplained,
)
from tests.integration.files.zygote import Ended, Moment, Zygote
from tests.support.waiting import wait_until

from gglib.testing.local_hub import LocalHub

BIG_TARGET, EYES, OTHER_EYES = f"{BIG}:Q4_K_M", f"{VISION}:Q4_K_M", f"{VISION}:Q8_0"
SHOWN_PROBLEMS = 30
Rows = dict[str, list[bytes]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """The command that is killed, and the expected result."""

    name: str
    prepare: Callable[[Home, Hub, Zygote], None]
    command: tuple[str, ...]
    before: Callable[[Hub], Rows]
    """The rows before the command."""
    after: Callable[[Hub], Rows]
    """The rows after the command."""
    may_be_done: str = ""
    """Output of the second run if the first one was killed after its work was done."""


@dataclass(slots=True)
class Totals:
    """The results of all kills."""

    kills: int = 0
    problems: list[str] = field(default_factory=list)
    pruned: int = 0
    """Kills whose leftovers only a prune removed."""


def fresh(home: Home, hub: Hub, zygote: Zygote) -> None:
    """Start with an empty home."""
    del zygote
    home.ok("list")
    hub.big(1)


def update(home: Home, hub: Hub, zygote: Zygote) -> None:
    """Start with the first version, and publish the second one upstream."""
    del zygote
    hub.big(1)
    home.ok("pull", BIG_TARGET)
    home.ok("set", BIG_TARGET, "--ctx", "2048")
    hub.big(2)


def cut(home: Home, hub: Hub, zygote: Zygote) -> None:
    """Start with a model, and half of the pull of another one."""
    hub.vision(1)
    hub.big(1)
    home.ok("pull", EYES)
    gate = hub.body_gate(SHARDS[1], 1_500)
    child = zygote.start(("pull", BIG_TARGET), home.environment)
    wait_until(lambda: gate.has_been_reached or child.poll() is not None)
    child.kill()
    gate.release()
    child.communicate()
    assert [job["target"] for job in home.unfinished()] == [BIG_TARGET]


def shared(home: Home, hub: Hub, zygote: Zygote) -> None:
    """Start with two quantizations that share one projector."""
    del zygote
    hub.vision(1)
    home.ok("pull", EYES)
    home.ok("pull", OTHER_EYES)


def old(home: Home, hub: Hub, zygote: Zygote) -> None:
    """Start with a home of an older gglib."""
    del zygote
    hub.big(1)
    hub.vision(1)
    old_home.build(home)


def forgotten(home: Home, hub: Hub, zygote: Zygote) -> None:
    """Start with a model without a row in the catalogue."""
    shared(home, hub, zygote)
    home.ok("rm", EYES)


def big(hub: Hub) -> Rows:
    """Return the rows of the two-shard model."""
    del hub
    version = 1
    shards = [tiny.model(f"shard {index} {version}", shard=(index, 2)) for index in range(len(SHARDS))]
    return {BIG_TARGET: [*shards, tiny.projector(f"big {version}")]}


def newer(hub: Hub) -> Rows:
    """Return the rows of the two-shard model after the update."""
    del hub
    shards = [tiny.model(f"shard {index} 2", shard=(index, 2)) for index in range(len(SHARDS))]
    return {BIG_TARGET: [*shards, tiny.projector("big 2")]}


def both(hub: Hub) -> Rows:
    """Return the rows of two quantizations."""
    del hub
    eyes = tiny.projector("mmproj 1")
    return {EYES: [tiny.model("q4 1"), eyes], OTHER_EYES: [tiny.model("q8 1"), eyes]}


def one(hub: Hub, name: str) -> Rows:
    """Return the row of one of the two quantizations."""
    return {name: both(hub)[name]}


def of_old_home(hub: Hub) -> Rows:
    """Return the rows of a home of an older gglib."""
    return {**both(hub), "mine": [tiny.model("mine")], "ada/one-GGUF:Q4_K_M": [tiny.model("one")]}


SCENARIOS = (
    Scenario("fresh pull", fresh, ("pull", BIG_TARGET), lambda _: {}, big),
    Scenario("update", update, ("pull", BIG_TARGET), big, newer),
    Scenario(
        "discard",
        cut,
        ("pull", "--discard", BIG_TARGET),
        lambda hub: one(hub, EYES),
        lambda hub: one(hub, EYES),
        "No unfinished pull",
    ),
    Scenario(
        "rm with a shared projector",
        shared,
        ("rm", EYES, "--files"),
        both,
        lambda hub: one(hub, OTHER_EYES),
        "is not in the catalogue",
    ),
    Scenario("migration", old, ("list",), of_old_home, of_old_home),
    Scenario(
        "prune",
        forgotten,
        ("prune", "--yes"),
        lambda hub: one(hub, OTHER_EYES),
        lambda hub: one(hub, OTHER_EYES),
    ),
)


class Round:
    """One run of a scenario, in a new directory."""

    def __init__(self, scenario: Scenario, hub: Hub, zygote: Zygote, place: Path) -> None:
        self._scenario = scenario
        self._hub = hub
        self._zygote = zygote
        self.home = Home(place / "home", hub)

    def prepare(self) -> None:
        """Create the home, with a file of the user's in it."""
        self._scenario.prepare(self.home, self._hub, self._zygote)
        path = self.home.models / "ada" / "users.gguf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiny.model("user's"))
        self._users = {path: file_state(path)}
        if self._scenario.prepare is old:
            self._users |= {
                self.home.path / name: file_state(self.home.path / name) for name in old_home.USERS
            }

    def run(self, number: int, mode: str, log: Path | None = None) -> Ended:
        """Run the command, which ends itself at call ``number``."""
        moment = Moment(self.home.path, number, mode, log)
        return self._zygote.run(self._scenario.command, self.home.environment, moment)

    def check(self) -> bool:
        """Check the home, run the command again, and compare; return whether a prune was needed."""
        self._compare(either=True)
        again = self.home.run(*self._scenario.command)
        assert "Traceback" not in again.text, again.text
        is_done = self._scenario.may_be_done and self._scenario.may_be_done in again.text
        assert again.returncode == 0 or is_done, again.text
        self._compare(either=False)
        unfinished = [job["target"] for job in self.home.unfinished()]
        assert unfinished == ([BIG_TARGET] if self._scenario.prepare is old else []), unfinished
        if self._scenario.prepare is old:
            self.home.ok("pull", "--discard", BIG_TARGET)
        verified = self.home.run("verify")
        assert verified.returncode == 0, verified.text
        left = [path for path in unexplained(self.home, list(self._users)) if path.name != "gone-Q4_K_M.gguf"]
        if left or self._scenario.prepare is old:
            self.home.ok("prune", "--yes")
            rest = unexplained(self.home, list(self._users))
            assert rest == [], f"a prune leaves {rest}"
            self._compare(either=False)
        return bool(left)

    def _compare(self, *, either: bool) -> None:
        rows = self.home.rows()
        for path, known in self._users.items():
            assert path.exists(), f"{path} is gone"
            assert file_state(path) == known, f"{path} was changed"
        wanted = [self._scenario.after(self._hub)]
        if either:
            wanted.append(self._scenario.before(self._hub))
        assert any(len(rows) == len(one) for one in wanted), f"there are {sorted(rows)}"
        names = {name for one in wanted for name in one}
        for row in rows.values():
            name = next((name for name in names if name in (row["name"], *row["aliases"])), None)
            assert name is not None, f"{row['name']} is not expected"
            contents = [one[name] for one in wanted if name in one]
            found = [file_state(path).sha256 for path in files_of(row)]
            right = [content for content in contents if list(map(tiny.sha256, content)) == found]
            assert right, f"the files of {name} are {[str(path) for path in files_of(row)]} with {found}"
            if name != "mine":
                assert_is(row, right[0])


@contextmanager
def tools() -> Iterator[tuple[Zygote, Path]]:
    """Yield a process that forks, and a directory."""
    place = new_place()
    own = place / "tools"
    own.mkdir()
    try:
        with Zygote(own) as zygote:
            yield zygote, place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def count(scenario: Scenario) -> list[str]:
    """Return the calls of a scenario, one line per call."""
    with tools() as (zygote, place), LocalHub() as local:
        attempt = Round(scenario, Hub(local), zygote, place)
        attempt.prepare()
        log = place / "calls.log"
        ended = attempt.run(0, "count", log)
        assert ended.returncode == 0, ended.text
        return log.read_text().replace(str(place), "").splitlines()


def work(name: str, numbers: list[int], mode: str, lines: list[str]) -> tuple[int, list[str], int]:
    """Run a scenario once for each call; return the kills, the problems, and how often a prune was needed."""
    scenario = next(one for one in SCENARIOS if one.name == name)
    totals = Totals()
    with tools() as (zygote, place):
        for number in numbers:
            what = f"{name}, {mode} at {lines[number - 1]}"
            # A separate hub: requests of a killed pull keep the hub busy for a while.
            with LocalHub() as local:
                attempt = Round(scenario, Hub(local), zygote, place)
                try:
                    attempt.prepare()
                    ended = attempt.run(number, mode)
                    totals.kills += ended.returncode == -9
                    assert "Traceback" not in ended.text, ended.text
                    totals.pruned += attempt.check()
                except Exception as error:  # noqa: BLE001 - each is a finding, and the other runs follow
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    totals.problems.append(
                        f"{what}: {type(error).__name__} ({where.name}): {str(error)[:600]}"
                    )
                finally:
                    attempt.home.erase()
    return totals.kills, totals.problems, totals.pruned


def main() -> int:
    """Run the scenarios, print the results, and return 1 if there was a problem."""
    options = parse()
    with tempfile.TemporaryDirectory() as directory:
        if not Zygote(Path(directory)).counts_calls:
            print("skipped: there is no C compiler ('cc'), or this is not Linux")
            return 0
    problems: list[str] = []
    started_s = time.monotonic()
    for scenario in SCENARIOS:
        if options.only not in scenario.name:
            continue
        lines = count(scenario)
        numbers = list(range(1 + options.offset % options.every, len(lines) + 1, options.every))
        if options.mode == "half":
            numbers = [number for number in numbers if "write" in lines[number - 1].split()[1]]
        parts = [numbers[start :: options.jobs] for start in range(options.jobs)]
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            results = pool.starmap(work, [(scenario.name, part, options.mode, lines) for part in parts])
        kills = sum(result[0] for result in results)
        found = [problem for result in results for problem in result[1]]
        pruned = sum(result[2] for result in results)
        problems += found
        print(
            f"{scenario.name}: {len(lines)} calls, {len(numbers)} tried ({options.mode}), {kills} kills, "
            f"{len(found)} problems, {pruned} needed a prune, {time.monotonic() - started_s:.0f} s",
            flush=True,
        )
        for problem in found[:SHOWN_PROBLEMS]:
            print(f"  {problem}", flush=True)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="scenarios with this text in their name")
    parser.add_argument("--every", type=int, default=1, help="try each so-many-th call only")
    parser.add_argument("--offset", type=int, default=0, help="which of them, with --every")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--mode",
        choices=("kill", "half", "fail"),
        default="kill",
        help="SIGKILL before the call, after half of a write, or let the call fail with EACCES",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
