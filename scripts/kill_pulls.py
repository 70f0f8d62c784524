"""Kill pulls at random moments: no wrong file, no row without its file, no byte downloaded twice.

In each round a process pulls a model from a local hub and gets SIGKILL: at a random time, after a random number of
bytes, or shortly after the last one, while it verifies, publishes and adds the model. The next round resumes; a
complete model is removed and pulled again. Every other model is sent slowly, so that several connections fetch it.
After each kill:

- there is no version of the model, or its file has the right hash;
- the catalogue has no row, or the row's file exists and is right;
- if the version exists, opening the catalogue restores its row, with the right hash;
- after that ``.incoming`` has only the file in progress and its manifest;
- at most one block per connection was written without being recorded;

and after the next round: none of the bytes recorded at the kill was requested again.
"""

import argparse
import asyncio
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from gglib.app.models.catalog import open_catalog
from gglib.app.models.pulls import planner, puller
from gglib.app.settings import Settings
from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSummary
from gglib.core.part_names import part_manifest_path, part_path
from gglib.db import SqliteCatalog
from gglib.hf import HubAccess, HubLimits, HuggingFaceHub
from gglib.hf.download.byte_ranges import ByteRanges
from gglib.hf.download.connections import ConnectionLimits
from gglib.hf.download.download import DownloadLimits
from gglib.hf.download.manifest import key_of, trusted_progress
from gglib.hf.download.part_file import PartFile, read_boot_id
from gglib.hf.download.segment import BLOCK_BYTES
from gglib.library.search import HEADER_BYTES
from gglib.library.variants.pull_target import read_target
from gglib.library.versions.deleting import collect_retired
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.layout import incoming_key
from gglib.testing import write_tiny_gguf
from gglib.testing.local_hub import Fault, Host, LocalHub, RecordedRequest

REPO, NAME = "ada/coder-GGUF", "coder-Q4_K_M.gguf"
MAX_CONNECTIONS = 4
SLOW_BYTES_PER_S = 15_000_000
"""Rate of each connection, for files that several connections fetch."""
FAST_S, SLOW_S = 0.8, 2.5
"""Approximate longest duration of a pull, from its first output: a random kill time is a fraction of this."""
AFTER_LAST_BYTE_S = 0.06
WHOLE_IS_LEFT_ALONE = 0.7
OVER_S = 20.0
SHOWN_PROBLEMS = 20


@dataclass
class Tally:
    """The results of all rounds."""

    phases: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    several_connections: int = 0
    resumed: int = 0
    whole: int = 0
    repaired: int = 0
    """Complete files without a row: the next start restored the row."""


def main() -> int:
    """Run the rounds, print the results, and return 1 if a file was wrong or a byte was downloaded twice."""
    options = parse()
    if options.pull is not None:
        asyncio.run(pull(Path(options.pull), is_lazy=options.lazy))
        return 0
    print(f"seed {options.seed}", flush=True)
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gglib-kill-") as directory, LocalHub() as hub:
        rounds = Rounds(hub, Path(directory), options).run()
    for problem in rounds.problems[:SHOWN_PROBLEMS]:
        print(problem)
    phases = ", ".join(f"{count} {phase}" for phase, count in sorted(rounds.phases.items()))
    print(f"killed: {phases}")
    print(
        f"{options.kills} kills, {rounds.resumed} resumes, {rounds.several_connections} of several pieces, "
        f"{rounds.whole} came whole ({rounds.repaired} without a row), {len(rounds.problems)} problems, "
        f"{time.monotonic() - start_s:.0f} s"
    )
    return 1 if rounds.problems else 0


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--size-mb", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1, help="makes the moments of the kills the same again")
    parser.add_argument(
        "--lazy", action="store_true", help="note every eighth block only: shows that this check can fail"
    )
    parser.add_argument("--pull", help=argparse.SUPPRESS)
    return parser.parse_args()


async def pull(home: Path, *, is_lazy: bool) -> None:
    """Run as the process that is killed: pull one model, as the command does."""
    if is_lazy:
        be_lazy()
    connections = ConnectionLimits(
        max_connections=MAX_CONNECTIONS,
        measure_s=0.1,
        warmup_s=0.05,
        min_remaining_s=0.2,
        min_segment_bytes=1 << 20,
    )
    limits = HubLimits(download=DownloadLimits(connections=connections))
    settings = Settings(home=home)
    print("begins", flush=True)
    hub = HuggingFaceHub(HubAccess(endpoint=os.environ["HF_ENDPOINT"]), limits)
    async with hub, open_catalog(settings) as store:
        plan = await (await planner(settings, store, hub)).plan(read_target(f"{REPO}:Q4_K_M"))
        await puller(settings, store, hub).pull(plan, lambda _: None)


def be_lazy() -> None:
    """Record only every eighth block."""
    write, writes = PartFile.write, [0]

    def lazy(self: PartFile, data: memoryview, offset: int) -> None:
        writes[0] += 1
        if writes[0] % 8:
            os.pwrite(self._part, data, offset)
            return
        write(self, data, offset)

    PartFile.write = lazy  # type: ignore[method-assign]


class Rounds:
    """All rounds for one target file, which is pulled again once it is complete."""

    def __init__(self, hub: LocalHub, home: Path, options: argparse.Namespace) -> None:
        self._hub = hub
        self._settings = Settings(home=home)
        self._options = options
        self._chance = random.Random(options.seed)
        self._tally = Tally()
        model = write_tiny_gguf(home / "tiny.gguf").read_bytes()
        data = model + random.Random(options.seed).randbytes(options.size_mb * 1_000_000 - len(model))
        commit = hub.add_repository(REPO, {NAME: data})
        sha256 = hashlib.sha256(data).hexdigest()
        self._file = RemoteFile(name=NAME, repo=REPO, revision=commit, size_bytes=len(data), sha256=sha256)
        self._incoming = Incoming(self._settings.models_dir)
        self._target = self._incoming.path(incoming_key(self._file, ""))
        self._is_slow = False

    def _published(self) -> Path | None:
        """Return the model's file in its published version, if there is one."""
        return next((self._settings.models_dir / REPO).glob(f"*/{NAME}"), None)

    def run(self) -> Tally:
        """Kill the requested number of times."""
        while self._tally.phases.total() < self._options.kills:
            noted = self._noted()
            phase = self._kill_one()
            self._settle()
            if phase is not None:
                self._tally.phases[phase] += 1
            self._look(self._tally.phases.total(), noted)
            if self._published() is not None:
                self._begin_again()
        return self._tally

    def _kill_one(self) -> str | None:
        """Start a pull, kill it at a random moment, and return its state; None if it finished before."""
        environment = os.environ | {"HF_ENDPOINT": self._hub.url, "NO_PROXY": "127.0.0.1,localhost"}
        command = [sys.executable, os.fspath(Path(__file__)), "--pull", os.fspath(self._settings.home)]
        if self._options.lazy:
            command.append("--lazy")
        self._hub.forget_requests()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
            assert child.stdout is not None
            child.stdout.readline()
            self._wait_for_the_moment(child)
            child.kill()
            child.wait()
        if child.returncode == 0:
            return None
        assert child.returncode == -9, "a pull failed before it was killed: see its traceback"
        if self._published() is not None:
            return "after the row" if asyncio.run(self._rows()) else "between the version and the row"
        if self._target.exists():
            return "between the last byte and the version"
        here = self._noted().size_bytes
        if here == self._file.size_bytes:
            return "between the last byte and its name"
        return "with a part of it here" if here else "before its first block"

    def _wait_for_the_moment(self, child: "subprocess.Popen[str]") -> None:
        kind = self._chance.choice(["time", "bytes", "bytes", "end"])
        missing = (self._file.size_bytes or 0) - self._noted().size_bytes
        if missing == 0 and self._chance.random() < WHOLE_IS_LEFT_ALONE:
            child.wait()  # otherwise most rounds would only hash a complete file
            return
        if kind == "time":
            time.sleep(self._chance.uniform(0, SLOW_S if self._is_slow else FAST_S))
            return
        wanted = missing if kind == "end" else self._chance.randrange(max(missing, 1))
        deadline = time.monotonic() + OVER_S
        while self._sent() < wanted and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        if kind == "end":
            time.sleep(self._chance.uniform(0, AFTER_LAST_BYTE_S))

    def _sent(self) -> int:
        return sum(one.sent_bytes for one in self._fetches())

    def _fetches(self) -> list[RecordedRequest]:
        """Return the requests for the file, without those that only read its header."""
        header = f"bytes=0-{HEADER_BYTES - 1}"
        return [one for one in self._hub.requests_of(NAME, Host.CDN) if one.range != header]

    async def _rows(self) -> list[ModelSummary]:
        """Return the catalogue's rows as the kill left them."""
        if not self._settings.database.exists():
            return []
        async with SqliteCatalog(self._settings.database) as catalog:
            return await catalog.list_models()

    def _settle(self) -> None:
        """Wait until the hub has noticed that the client disconnected."""
        deadline = time.monotonic() + OVER_S
        while not all(one.is_finished for one in self._hub.requests) and time.monotonic() < deadline:
            time.sleep(0.001)

    def _look(self, number: int, noted_before: ByteRanges) -> None:
        problems = [
            *self._wrong_files(),
            *asyncio.run(self._wrong_rows()),
            *self._twice(noted_before),
            *self._unnoted(),
        ]
        self._tally.problems += [f"kill {number}: {problem}" for problem in problems]
        if noted_before.size_bytes and self._fetches():
            self._tally.resumed += 1
            self._tally.several_connections += len(noted_before) > 1

    async def _wrong_rows(self) -> list[str]:
        rows = await self._rows()
        problems = [
            f"the row {row.name} has no file" for row in rows if not all(path.is_file() for path in row.paths)
        ]
        is_published = self._published() is not None
        self._tally.repaired += is_published and not rows
        async with open_catalog(self._settings) as catalog:
            repaired = await catalog.list_models()
        if is_published and [row.hashes for row in repaired] != [(self._file.sha256,)]:
            problems.append(f"the catalogue has {repaired} for a version that is there")
        return [*problems, *self._left_behind()]

    def _wrong_files(self) -> list[str]:
        published = self._published()
        if published is None:
            return []
        with published.open("rb") as stream:
            is_right = hashlib.file_digest(stream, "sha256").hexdigest() == self._file.sha256
        return [] if is_right else ["the final file is wrong"]

    def _left_behind(self) -> list[str]:
        if not self._incoming.directory.is_dir():
            return []
        names = {path.name for path in self._incoming.directory.iterdir()}
        target = self._target
        others = names - {target.name, part_path(target).name, part_manifest_path(target).name}
        return [f"{name} was left" for name in others]

    def _twice(self, noted: ByteRanges) -> list[str]:
        """Return a sentence for each request for bytes that were recorded when the round began."""
        problems = []
        for one in self._fetches():
            first, _, last = (one.range or "bytes=0-").removeprefix("bytes=").partition("-")
            asked = (int(first), int(last) + 1 if last else self._file.size_bytes or 0)
            missing = sum(end - start for start, end in noted.missing_in(asked))
            if missing != asked[1] - asked[0]:
                problems.append(f"{one.range} was asked for, and {noted.ranges} were here")
        return problems

    def _unnoted(self) -> list[str]:
        """Return a sentence if more than one block per connection was written without being recorded."""
        if not part_path(self._target).exists() or self._target.exists():
            return []
        written = part_path(self._target).stat().st_blocks * 512
        limit = BLOCK_BYTES * MAX_CONNECTIONS if self._is_slow else BLOCK_BYTES
        unnoted = written - self._noted().size_bytes
        return (
            [f"{unnoted} bytes were written and not noted"]
            if unnoted > limit + 8192 * MAX_CONNECTIONS
            else []
        )

    def _noted(self) -> ByteRanges:
        if self._target.exists():
            return ByteRanges.of([(0, self._file.size_bytes or 0)])
        try:
            manifest_bytes, size = (
                part_manifest_path(self._target).read_bytes(),
                part_path(self._target).stat().st_size,
            )
        except FileNotFoundError:
            return ByteRanges()
        key, boot_id = key_of(self._file), read_boot_id()
        found = trusted_progress(manifest_bytes, key=key, boot_id=boot_id, part_size_bytes=size)
        return ByteRanges() if found is None else found[1]

    def _begin_again(self) -> None:
        """Remove the model, and change the connection's speed."""
        self._tally.whole += 1
        asyncio.run(self._forget())
        self._is_slow = not self._is_slow
        self._hub.clear_faults()
        if self._is_slow:
            self._hub.inject_fault(Fault(bytes_per_s=SLOW_BYTES_PER_S), file=NAME, host=Host.CDN)

    async def _forget(self) -> None:
        async with open_catalog(self._settings) as catalog:
            for row in await catalog.list_models():
                await catalog.remove_with_version(row.id)
            await collect_retired(catalog, self._settings.models_dir)


if __name__ == "__main__":
    sys.exit(main())
