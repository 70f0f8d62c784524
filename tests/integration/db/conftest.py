"""Fixtures of the SQLite catalogue: a model to add, an open catalogue, and other processes that add models."""

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from gglib.core.models import GgufFacts, NewModel
from gglib.db import SqliteCatalog
from gglib.db.connections import prepare

NO_MODEL = 65_534

ADD_MODELS = """
import asyncio, sys
from pathlib import Path
from gglib.core.models import GgufFacts, NewModel
from gglib.db import SqliteCatalog

async def main(path, *names):
    async with SqliteCatalog(Path(path)) as catalog:
        for name in names:
            facts = GgufFacts(architecture="llama")
            await catalog.add_model(NewModel(name=name, paths=(Path(name),), size_bytes=1, facts=facts))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a catalogue that does not exist yet, in a new directory."""
    home = tmp_path / "home"
    home.mkdir()
    return home / "gglib.db"


@pytest.fixture
async def catalog(path: Path) -> AsyncIterator[SqliteCatalog]:
    """Yield an open, empty catalogue."""
    async with SqliteCatalog(path, clock=lambda: 1_700_000_000.9) as opened:
        yield opened


@pytest.fixture
def new_model() -> Callable[..., NewModel]:
    """Return a factory of models that requires only a name."""

    def make(name: str, **fields: object) -> NewModel:
        defaults: dict[str, object] = {
            "paths": (Path(f"/models/{name}.gguf"),),
            "size_bytes": 1,
            "facts": GgufFacts(architecture="llama"),
        }
        return NewModel(name=name, **{**defaults, **fields})  # type: ignore[arg-type] # the tests name real fields

    return make


@pytest.fixture
def adding(path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return a function that starts a process which adds models with the given names and exits."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*names: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", ADD_MODELS, os.fspath(path), *names]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(params=["empty", "with a catalogue"])
def read_only_path(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a path in a read-only directory; root, which bypasses permissions, switches to another user."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "gglib.db"
        if request.param != "empty":
            prepare(path)
        path.parent.chmod(0o555)
        if user == 0:
            os.seteuid(NO_MODEL)
        yield path
        os.seteuid(user)
        path.parent.chmod(0o755)
