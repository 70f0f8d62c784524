"""Migrates an older home, killed before each call that changes a file, and reports the result of the next open.

Run as a program, ``python -m tests.integration.library.homes.killed DIRECTORY [EVERY]``: prints a JSON object with the
result of an undisturbed run, and the result after a kill at each call number.
"""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.integration.library.homes.old_home import OldHome, OldModel, sha256_of

from gglib.app.models.catalog import open_catalog
from gglib.app.settings import Settings
from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSource
from gglib.library.versions.ownership import is_own
from gglib.testing import write_tiny_gguf

REPO = "ada/coder-GGUF"
SOURCE = ModelSource(origin="hub", repo=REPO, revision="c0ffee" * 6 + "abcd", file="coder-Q4_K_M.gguf")
CHANGING = frozenset(
    ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate", "sqlite3.connect")
)
CALLS_PER_RUN = 2_000
"""More than a run makes: a run that does not end fails."""


def build(directory: Path) -> None:
    """Write a home with everything that is migrated, each kind once and some twice."""
    old = OldHome(directory)
    folder = old.models / REPO
    folder.mkdir(parents=True)

    def write(name: str, seed: int) -> Path:
        return write_tiny_gguf(folder / name, seed=seed, chat_template=None)

    projector = write("mmproj-F16.gguf", 1)
    for seed, name in ((2, "coder-Q4_K_M"), (3, "coder-Q8_0")):
        path = write(f"{name}.gguf", seed)
        source = replace(SOURCE, file=path.name, sha256=sha256_of(path))
        old.add(OldModel(name, (path,), source, aliases=(f"{REPO}:{name[6:]}",), projector=projector))
        old.record(path, source)
    old.record(projector, SOURCE)
    pinned = write_tiny_gguf(
        _made(old.models / f"{REPO}@v1" / "coder-Q4_K_M.gguf"), seed=4, chat_template=None
    )
    old.add(OldModel("pinned", (pinned,), SOURCE))
    left = write("coder-F16.gguf", 5)
    old.record(left, replace(SOURCE, file=left.name))
    old.add(OldModel("mine", (write("mine.gguf", 6),), is_downloaded=False))

    part = folder / "coder-Q2_K.gguf"
    content = b"GGUF" + b"x" * 100_000
    sha256 = hashlib.sha256(content).hexdigest()
    remote = RemoteFile(
        name=part.name, repo=REPO, revision=SOURCE.revision, size_bytes=len(content), sha256=sha256
    )
    old.part(part, content, 60_000, remote=remote)
    old.pull("cut", f"{REPO}:Q2_K", replace(SOURCE, file=part.name, sha256=sha256), [(part, content)])

    whole = write("coder-Q6_K.gguf", 7)
    old.pull(
        "whole",
        f"{REPO}:Q6_K",
        replace(SOURCE, file=whole.name, sha256=sha256_of(whole)),
        [(whole, whole.read_bytes())],
        is_fetched=True,
    )
    removed = write("coder-Q3_K.gguf", 8)
    old.record(removed, SOURCE)
    old.removal(removed)


def run(directory: Path, kill_at: int | None) -> int:
    """Open a home in a new process; return how many calls changed files, or -1 if it was killed."""
    answer, ask = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            calls = _open(directory, kill_at)
            os.write(ask, str(calls).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(ask)
    _, status = os.waitpid(pid, 0)
    text = os.read(answer, 100)
    os.close(answer)
    if os.WIFSIGNALED(status):
        return -1
    assert os.WEXITSTATUS(status) == 0, f"opening {directory} failed, killed at {kill_at}"
    return int(text)


def seen(directory: Path) -> dict[str, Any]:
    """Return the state of a home, without values that differ between runs."""
    out, put = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with os.fdopen(put, "w") as file:
                json.dump(asyncio.run(_seen(directory)), file)
        finally:
            os._exit(0)
    os.close(put)
    with os.fdopen(out) as file:
        text = file.read()
    os.waitpid(pid, 0)
    value: dict[str, Any] = json.loads(text)
    return value


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    return path


def _open(directory: Path, kill_at: int | None) -> int:
    calls = 0

    def count(event: str, args: tuple[Any, ...]) -> None:
        nonlocal calls
        is_write = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if (is_write or event in CHANGING) and not str(args[0]).startswith("/dev/"):
            calls += 1
            if calls == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            assert calls < CALLS_PER_RUN

    sys.addaudithook(count)
    asyncio.run(_open_and_close(directory))
    return calls


async def _open_and_close(directory: Path) -> None:
    async with open_catalog(Settings(home=directory)):
        pass


async def _seen(directory: Path) -> dict[str, Any]:
    def name(path: Path | None) -> str | None:
        return None if path is None else str(path.relative_to(directory))

    async with open_catalog(Settings(home=directory)) as catalog:
        models, versions = await catalog.list_models(), await catalog.list_versions()
        pulls = await catalog.list_pulls()
    by_id = {version.id: version for version in versions}
    return {
        "models": [
            [
                model.name,
                model.aliases,
                list(map(name, model.all_files)),
                model.source.asked_revision,
                [name(file.path) for file in by_id[model.version_id].files] if model.version_id else None,
            ]
            for model in sorted(models, key=lambda model: model.name)
        ],
        "versions": sorted(
            [[name(file.path) or "", file.sha256 or "", str(is_own(file))] for file in version.files]
            for version in versions
        ),
        "pulls": [[pull.key, pull.is_fetched, [file.key for file in pull.files]] for pull in pulls],
        "files": {
            name(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((directory / "models").rglob("*"))
            if path.is_file() and path.name not in {".home", ".gglib-version.json"}
        },
    }


def main(directory: Path, every: int) -> None:
    """Print the result of each kill."""
    # The same path for every run: pulls are recorded with absolute paths.
    home = directory / "home"
    build(home)
    calls = run(home, None)
    results: dict[str, Any] = {"calls": calls, "undisturbed": seen(home), "killed": {}}
    for kill_at in range(1, calls + 1, every):
        shutil.rmtree(home)
        build(home)
        if run(home, kill_at) == -1:
            run(home, None)
            results["killed"][str(kill_at)] = seen(home)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
