"""Run many processes on one home for a minute: no wrong row, no lost setting, no traceback.

Several workers run ``gglib`` commands in parallel, each in a separate process: pulls and updates (some of them killed),
removals, settings, verifications, prunes. ``gglib serve`` runs beside them, and newer versions are published upstream.
Each worker alone sets one field of a model that all share, so its last value must persist. At the end the acknowledged
changes are compared with the home's contents.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.integration.files import tiny
from tests.integration.files.expected_homes import ONE, TARGETS, VERSIONS, Target, content_of
from tests.integration.files.world import (
    BIG,
    VISION,
    Done,
    Home,
    Hub,
    file_state,
    files_of,
    new_place,
    unexplained,
)

from gglib.testing.local_hub import LocalHub

FIELDS = ("--ctx", "--idle-ttl", "--alias")
"""Each field is set by one worker only."""
KILLED_PULL = ("pull", "{}", "--yes")
COMMANDS = (
    *(("pull", "{}"), ("pull", "{}"), ("pull", "{}"), KILLED_PULL, KILLED_PULL),
    *(("rm", "{}", "--files"), ("rm", "{}"), ("verify",), ("prune", "--yes"), ("pull", "--discard", "{}")),
)
SHOWN = 30


@dataclass
class Totals:
    """The results of all workers."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    commands: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    sets: int = 0
    kills: int = 0


class Storm:
    """The workers on one home."""

    def __init__(self, home: Home, hub: Hub, options: argparse.Namespace) -> None:
        self.home = home
        self.hub = hub
        self.options = options
        self.totals = Totals()
        self.end_s = time.monotonic() + options.seconds
        self.acknowledged: dict[str, str] = {}
        self.good: set[tuple[str, tuple[str, ...]]] = {
            (
                target.argument,
                tuple(tiny.sha256(content_of(target.repo, version)[name]) for name in target.files),
            )
            for target in TARGETS
            for version in range(1, VERSIONS + 1)
        }

    def run(self) -> None:
        """Prepare the home, run the workers, and check the result."""
        for repo in (VISION, BIG, ONE):
            self.hub.local.add_repository(repo, content_of(repo, 1))
        mine = self.home.path.with_name("mine.gguf")
        mine.write_bytes(tiny.model("mine"))
        self.home.ok("add", str(mine))
        self.mine = file_state(mine)
        users = self.home.models / "ada" / "users.gguf"
        users.parent.mkdir(parents=True, exist_ok=True)
        users.write_bytes(tiny.model("user's"))
        self.users = {mine: self.mine, users: file_state(users)}
        workers = [
            threading.Thread(target=self._work, args=(number,)) for number in range(self.options.workers)
        ]
        others = [threading.Thread(target=self._publish), threading.Thread(target=self._serve)]
        for thread in (*workers, *others):
            thread.start()
        for thread in (*workers, *others):
            thread.join()
        self._look_at_the_end()

    def _command(self, *arguments: str, kill_after_s: float | None = None) -> Done:
        process = self.home.start(*arguments)
        try:
            stdout, stderr = process.communicate(120 if kill_after_s is None else kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
        text = stdout + stderr
        with self.totals.lock:
            self.totals.commands[arguments[0]] += 1
            self.totals.kills += process.returncode == -9
            if "Traceback" in text or process.returncode not in {0, 1, -9}:
                self.totals.problems.append(
                    f"{' '.join(arguments)} ended with {process.returncode}: {text[-1500:]}"
                )
            elif process.returncode == 1:
                last = (stderr.strip() or stdout.strip()).splitlines()[-1:]
                self.totals.refusals[f"{' '.join(arguments[:2])}: {''.join(last)[:150]}"] += 1
        return Done(process.returncode or 0, stdout, stderr)

    def _work(self, worker: int) -> None:
        chance = random.Random(self.options.seed * 1000 + worker)
        count = 0
        while time.monotonic() < self.end_s:
            count += 1
            if worker < len(FIELDS) and chance.random() < 0.5:
                self._set(worker, count)
                continue
            target = chance.choice(TARGETS)
            what = chance.choice(COMMANDS)
            kill_after_s = chance.uniform(0.02, 0.6) if what == KILLED_PULL else None
            done = self._command(*(word.format(target.argument) for word in what), kill_after_s=kill_after_s)
            if "damaged" in done.stdout:
                self._problem(f"verify during the storm: {done.stdout}")

    def _set(self, worker: int, count: int) -> None:
        option = FIELDS[worker]
        value = {"--ctx": str(1000 + count), "--idle-ttl": f"{count}m", "--alias": f"name-{count}"}[option]
        if self._command("set", "mine", option, value).returncode == 0:
            self.acknowledged[option] = value
            with self.totals.lock:
                self.totals.sets += 1
        self._compare_settings(option)

    def _compare_settings(self, *options: str) -> None:
        done = self._command("list", "--json")
        if done.returncode:
            self._problem(f"list: {done.stderr[-500:]}")
            return
        row = next((row for row in json.loads(done.stdout) if row["name"] == "mine"), None)
        if row is None:
            self._problem("the row 'mine' is gone")
            return
        for option in options:
            wanted = self.acknowledged.get(option)
            ttl = row["idle_ttl_s"]
            found = {
                "--ctx": str(row["context"]),
                "--idle-ttl": None if ttl is None else f"{ttl / 60:.0f}m",
                "--alias": (row["aliases"] or [None])[0],
            }[option]
            if wanted is not None and found != wanted:
                self._problem(f"{option} is {found}, and {wanted} was acknowledged")

    def _publish(self) -> None:
        chance, version = random.Random(self.options.seed), 1
        while time.monotonic() < self.end_s:
            time.sleep(chance.uniform(1, 3))
            version = version % VERSIONS + 1
            for repo in (VISION, BIG, ONE):
                self.hub.local.commit(repo, content_of(repo, version))

    def _serve(self) -> None:
        """Run servers one after the other, request their model list, and end them with SIGTERM or SIGKILL."""
        chance = random.Random(self.options.seed)
        while time.monotonic() < self.end_s:
            process = subprocess.Popen(
                [sys.executable, "-m", "gglib", "serve", "--port", "0"],
                env=self.home.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            url = next((line.split()[-1] for line in process.stdout if line.startswith("Listening on")), None)
            until_s = min(self.end_s, time.monotonic() + chance.uniform(5, 15))
            while url is not None and time.monotonic() < until_s:
                try:
                    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                    with opener.open(
                        f"{url.rstrip('/').removesuffix('/v1')}/v1/models", timeout=10
                    ) as answer:
                        json.load(answer)
                except OSError as error:
                    self._problem(f"serve answered {error}")
                time.sleep(0.3)
            process.send_signal(chance.choice([9, 15, 15]))
            _, errors = process.communicate(timeout=60)
            if "Traceback" in errors:
                self._problem(f"serve: {errors[-1500:]}")

    def _look_at_the_end(self) -> None:
        self._compare_settings(*FIELDS)
        for path, known in self.users.items():
            if not path.exists() or file_state(path) != known:
                self._problem(f"the user's {path} was changed")
        rows = self.home.rows()
        by_name = {target.name: target for target in TARGETS}
        for name, row in rows.items():
            if name != "mine":
                self._check_row(name, row, by_name.get(name))
        verified = self.home.run("verify")
        if verified.returncode:
            self._problem(f"verify: {verified.text}")
        for job in self.home.unfinished():
            self.home.run("pull", "--discard", job["target"])
        self.home.run("prune", "--yes")
        left = unexplained(self.home, list(self.users))
        if left:
            self._problem(f"no model or pull has {left}")
        for target in TARGETS:
            done = self.home.run("pull", target.argument)
            if done.returncode:
                self._problem(f"pull {target.argument} at the end: {done.text}")

    def _check_row(self, name: str, row: dict[str, object], target: Target | None) -> None:
        found = tuple(file_state(path).sha256 if path.exists() else "gone" for path in files_of(row))
        if target is None or (target.argument, found) not in self.good:
            self._problem(f"{name} has {files_of(row)} with {found}, which is no version")

    def _problem(self, what: str) -> None:
        with self.totals.lock:
            self.totals.problems.append(what)


def main() -> int:
    """Run the workers, print the results, and return 1 if there was a problem."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    place = new_place()
    try:
        with LocalHub() as local:
            hub = Hub(local)
            storm = Storm(Home(place / "home", hub), hub, options)
            storm.run()
    finally:
        shutil.rmtree(place, ignore_errors=True)
    totals = storm.totals
    print(f"commands: {dict(totals.commands)}, {totals.kills} killed, {totals.sets} settings acknowledged")
    for sentence, times in totals.refusals.most_common(SHOWN):
        print(f"  {times} x {sentence}")
    for problem in totals.problems[:SHOWN]:
        print(problem)
    print(f"{len(totals.problems)} problems")
    return 1 if totals.problems else 0


if __name__ == "__main__":
    sys.exit(main())
