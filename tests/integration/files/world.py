"""Homes, and a hub whose repositories get newer versions: shared by the tests of files."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.waiting import wait_until

from gglib.cli.app import cli
from gglib.testing.local_hub import LocalHub, PauseGate

from . import tiny
from .zygote import PYTHONPATH, Child, Zygotes

MEMORY = "/dev/shm"  # noqa: S108 - all writes are synced, so they go to memory if possible
LIMIT_S = 120.0
"""Time limit of a process; far above its usual duration, also on a busy machine."""
VISION, BIG = "ada/eyes-GGUF", "ada/big-GGUF"
Q4, Q8, MMPROJ = "eyes-Q4_K_M.gguf", "eyes-Q8_0.gguf", "mmproj-F16.gguf"
SHARDS = tuple(f"Q4_K_M/big-Q4_K_M-{number:05}-of-00002.gguf" for number in (1, 2))
BIG_MMPROJ = "mmproj-big-F16.gguf"


_zygotes: list[Zygotes] = []


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a finished command."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """The output on stdout and stderr."""
        return self.stdout + self.stderr


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a file."""

    inode: int
    size_bytes: int
    modified_ns: int
    sha256: str


def file_state(path: Path) -> FileState:
    """Return the current state of a file."""
    status = path.lstat()
    return FileState(status.st_ino, status.st_size, status.st_mtime_ns, tiny.sha256(path.read_bytes()))


def new_place() -> Path:
    """Return a new directory with a short path: the path of a Unix socket is limited to about 100 bytes."""
    return Path(tempfile.mkdtemp(prefix="gg-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))


class Hub:
    """A local hub with the repositories of the tests."""

    def __init__(self, hub: LocalHub) -> None:
        self.local = hub
        self.contents: dict[tuple[str, int], dict[str, bytes]] = {}

    def vision(self, version: int, *, projector: int | None = None) -> dict[str, bytes]:
        """Publish a version of a repository with two quantizations that share a projector; return its files."""
        seed = version if projector is None else projector
        files = {
            Q4: tiny.model(f"q4 {version}"),
            Q8: tiny.model(f"q8 {version}"),
            MMPROJ: tiny.projector(f"mmproj {seed}"),
        }
        return self.publish(VISION, files)

    def big(self, version: int) -> dict[str, bytes]:
        """Publish a version of a model of two shards and a projector; return its files."""
        files = {
            name: tiny.model(f"shard {index} {version}", shard=(index, 2))
            for index, name in enumerate(SHARDS)
        }
        return self.publish(BIG, {**files, BIG_MMPROJ: tiny.projector(f"big {version}")})

    def publish(self, repo: str, files: Mapping[str, bytes | None]) -> dict[str, bytes]:
        """Commit files (None removes a file) to a repository, created if missing; return the files that are present."""
        if self.local.has_repository(repo):
            self.local.commit(repo, files)
        else:
            self.local.add_repository(repo, {name: data for name, data in files.items() if data is not None})
        return {name: data for name, data in files.items() if data is not None}

    def body_gate(self, file: str, sent_bytes: int, *, header_bytes: int = 0) -> PauseGate:
        """Pause the senders of a file after ``sent_bytes`` more; ``header_bytes``: bytes that planning reads before."""
        return self.local.pause_after(file, self.local.sent_bytes(file) + header_bytes + sent_bytes)


@dataclass(slots=True)
class Home:
    """A home directory and the commands that run on it."""

    path: Path
    hub: Hub
    variables: dict[str, str] = field(default_factory=dict)
    """Additional environment variables."""
    url: str = ""
    """The URL of the server that was started last."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user with this home and no other settings."""
        scrubbed = {key: value for key, value in os.environ.items() if not key.startswith(("GGLIB_", "HF_"))}
        return scrubbed | {
            "GGLIB_HOME": str(self.path),
            "HOME": str(self.path.parent),
            "HF_HOME": str(self.path.parent / "hf"),
            "HF_ENDPOINT": self.hub.local.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONPATH": PYTHONPATH,
            **self.variables,
        }

    @property
    def models(self) -> Path:
        """The directory of gglib's model files."""
        return self.path / "models"

    @property
    def database(self) -> Path:
        """The path of the catalogue's database."""
        return self.path / "gglib.db"

    def run(self, *arguments: str) -> Done:
        """Run a command in this process, which is faster."""
        only_these: dict[str, str | None] = {**dict.fromkeys(os.environ), **self.environment}
        result = CliRunner().invoke(cli, list(arguments), env=only_these)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    def process(self, *arguments: str) -> Done:
        """Run a command in a separate process."""
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=LIMIT_S)
        return Done(process.returncode or 0, stdout, stderr)

    def start(self, *arguments: str) -> Child:
        """Start a command in a separate process, which is forked and so starts immediately: see ``Zygote``."""
        if not _zygotes:
            _zygotes.append(Zygotes())
        return _zygotes[0].start(arguments, self.environment)

    def ok(self, *arguments: str) -> str:
        """Run a command that must succeed and return its stdout."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.text}"
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """Run a command that must fail with one sentence and return that sentence."""
        done = self.run(*arguments)
        assert done.returncode != 0, f"{arguments}: {done.text}"
        assert "Traceback" not in done.text
        return done.stderr

    @contextmanager
    def stopped(self, *arguments: str, at: PauseGate, ends: int = signal.SIGKILL) -> Iterator[Child]:
        """Start a command, and yield it while it waits at a gate; afterwards it is killed unless it has exited."""
        process = self.start(*arguments)
        try:
            wait_until(lambda: at.has_been_reached or process.poll() is not None)
            if process.poll() is not None:
                raise AssertionError(f"{arguments} ended before the gate: {process.communicate()}")
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(ends)
            at.release()
            process.communicate(timeout=LIMIT_S)

    @contextmanager
    def serving(self) -> Iterator["subprocess.Popen[str]"]:
        """Run ``gglib serve`` on a free port, and yield once it listens; kill it at the end unless it has exited."""
        process = PreloadedProcess(
            [*GGLIB, "serve", "--port", "0"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("Listening on"):
                    self.url = line.split()[-1]
                    break
            else:
                raise AssertionError(process.communicate())
            yield process
        finally:
            process.kill()
            process.communicate(timeout=LIMIT_S)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the models by name, as ``list --json`` prints them."""
        return {row["name"]: row for row in json.loads(self.ok("list", "--json"))}

    def row(self, name: str) -> dict[str, Any]:
        """Return a model by any of its names."""
        found = [row for row in self.rows().values() if name in (row["name"], *row["aliases"])]
        assert len(found) == 1, f"{name} means {len(found)} of {list(self.rows())}"
        return found[0]

    def unfinished(self) -> list[dict[str, Any]]:
        """Return the unfinished pulls, as ``pull --json`` lists them."""
        found: list[dict[str, Any]] = json.loads(self.ok("pull", "--json"))
        return found

    def file_states(self) -> dict[Path, FileState]:
        """Return the state of every file below ``models/``."""
        found = {}
        for path in sorted(self.models.rglob("*")):
            if path.is_file() and not path.is_symlink():
                found[path] = file_state(path)
        return found

    def copied(self, path: Path) -> "Home":
        """Return a copy of this home, made as by ``cp -a``."""
        subprocess.run(["cp", "-a", str(self.path), str(path)], check=True)
        return Home(path, self.hub, dict(self.variables))

    def moved(self, path: Path) -> "Home":
        """Rename this home and return the renamed home."""
        self.path.rename(path)
        return Home(path, self.hub, dict(self.variables))

    def erase(self) -> None:
        """Delete the home."""
        shutil.rmtree(self.path, ignore_errors=True)


def files_of(row: Mapping[str, Any]) -> list[Path]:
    """Return the files of a model, its projector last."""
    return [Path(path) for path in (*row["paths"], *([row["projector"]] if row["projector"] else []))]


def content_of(row: Mapping[str, Any]) -> list[str]:
    """Return the hashes of a model's files."""
    return [file_state(path).sha256 for path in files_of(row)]


def assert_is(row: Mapping[str, Any], contents: Sequence[bytes]) -> None:
    """Fail unless the contents of a model's files, and the hashes in its row, match ``contents``."""
    wanted = [tiny.sha256(content) for content in contents]
    assert content_of(row) == wanted
    noted = [*row["hashes"], *([row["projector_sha256"]] if row["projector"] else [])]
    assert noted == wanted


def assert_nothing_unexplained(home: Home, users: Sequence[Path] = ()) -> None:
    """Fail if, after a prune, a file below ``models/`` belongs to no model, no unfinished pull and no user."""
    home.ok("prune", "--yes")
    assert unexplained(home, users) == []


def unexplained(home: Home, users: Sequence[Path] = ()) -> list[Path]:
    """Return the files below ``models/`` that belong to no model, no unfinished pull and no user."""
    of_rows = {path for row in home.rows().values() for path in files_of(row)}
    directories = {path.parent for path in of_rows}
    incoming = home.models / ".incoming"
    is_pulling = bool(home.unfinished())
    left = []
    for path in home.file_states():
        is_manifest = path.name == ".gglib-version.json" and path.parent in directories
        is_coming = is_pulling and path.is_relative_to(incoming)
        is_home = path == home.models / ".home"
        if not (path in of_rows or path in users or is_manifest or is_coming or is_home):
            left.append(path)
    return left
