"""A user's operations on a home, with real files and a hub in memory."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gglib.app.models.catalog import open_catalog
from gglib.app.models.library import removals
from gglib.app.models.prune import pruner
from gglib.app.models.pulls import discard_pull, pull_by_name
from gglib.app.settings import Settings
from gglib.core.errors import GglibError
from gglib.core.models import ModelSummary
from gglib.core.versions import PullJob
from gglib.db import SqliteCatalog
from gglib.testing import FakeHub, write_tiny_gguf

REPO = "ada/coder-GGUF"
Q4, Q8 = f"{REPO}:Q4_K_M", f"{REPO}:Q8_0"
State = dict[str, tuple[int, int, int, bytes]]


@dataclass(frozen=True)
class HomeHarness:
    """A home, and the hub that it pulls from. Every operation opens the home anew, as a command does."""

    directory: Path
    hub: FakeHub = field(default_factory=FakeHub)

    @property
    def settings(self) -> Settings:
        """Return its settings."""
        return Settings(home=self.directory)

    @property
    def models(self) -> Path:
        """Return its ``models/``."""
        return self.directory / "models"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SqliteCatalog]:
        """Open the home."""
        async with open_catalog(self.settings) as catalog:
            yield catalog

    async def all(self) -> list[ModelSummary]:
        """Return all models."""
        async with self.opened() as catalog:
            return await catalog.list_models()

    async def pulls(self) -> list[PullJob]:
        """Return the unfinished pulls."""
        async with self.opened() as catalog:
            return await catalog.list_pulls()

    async def pull(self, target: str = Q4) -> ModelSummary:
        """Pull or update a model."""
        async with self.opened() as catalog:
            return await pull_by_name(self.settings, catalog, self.hub, target, lambda _: None)

    async def cut_pull(self, target: str, name: str, after_bytes: int) -> None:
        """Start a pull whose connection is lost in the middle of a file."""
        self.hub.cuts[name] = after_bytes
        with pytest.raises(GglibError):
            await self.pull(target)

    async def discard(self) -> int:
        """Discard every unfinished pull; return their number."""
        async with self.opened() as catalog:
            jobs = await catalog.list_pulls()
            for job in jobs:
                await discard_pull(self.settings, catalog, job)
            return len(jobs)

    async def remove(self, name: str) -> list[Path]:
        """Remove a model with its files; return the deleted files."""
        async with self.opened() as catalog:
            removed = await removals(self.settings, catalog).remove_model(name, with_files=True)
            return list(removed.deleted)

    async def prune(self) -> list[Path]:
        """Prune; return the deleted model files."""
        async with self.opened() as catalog:
            prunes = pruner(self.settings)
            plan = await prunes.plan(catalog)
            deleted = (await prunes.prune(plan, catalog)).deleted
            return [path for path in deleted if path.suffix == ".gguf"]

    def copy(self, directory: Path) -> "HomeHarness":
        """Copy the home as ``cp -a`` does; return the copy."""
        shutil.copytree(self.directory, directory, symlinks=True)
        return HomeHarness(directory, self.hub)

    def move(self, directory: Path) -> "HomeHarness":
        """Rename the home; return the renamed one."""
        self.directory.rename(directory)
        return HomeHarness(directory, self.hub)

    def move_across(self, directory: Path) -> "HomeHarness":
        """Move the home as ``mv`` does to another file system: every inode changes."""
        moved = self.copy(directory)
        shutil.rmtree(self.directory)
        return moved

    def publish(self, name: str = "coder-Q4_K_M.gguf", seed: int = 0, **others: bytes) -> bytes:
        """Publish a model on the hub under a name, beside other files; return its content."""
        scratch = self.directory.with_name("scratch.gguf")
        content = write_tiny_gguf(scratch, seed=seed, chat_template=None).read_bytes()
        scratch.unlink()
        self.hub.add_repository(REPO, {name: content, **others})
        return content


def state_of(directory: Path) -> State:
    """Return every file below a directory by name: inode, date, permissions and content."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            name = str(path.relative_to(directory))
            found[name] = (status.st_ino, status.st_mtime_ns, status.st_mode, path.read_bytes())
    return found
