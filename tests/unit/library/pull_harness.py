"""A home with a catalogue, and a hub with one repository of two quantizations: the fixture of the pull tests."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from gglib.core.memory import MachineMemory
from gglib.core.ports.store import HomeStorePort
from gglib.gguf import read_files, read_partial_facts
from gglib.library.pull.disk_space import read_disk_state
from gglib.library.pull.execute import PulledModel, Puller, PullProgress
from gglib.library.pull.jobs import PullSite
from gglib.library.pull.plan import PullPlan, PullPlanner
from gglib.library.variants.pull_target import read_target
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.layout import MANIFEST_NAME
from gglib.library.versions.locks import HomeLocks
from gglib.testing import FakeCatalog, FakeHub, write_tiny_gguf, write_tiny_projector

REPO = "ada/tiny-GGUF"
URL = "https://files.invalid/found.gguf"
PLENTY = MachineMemory(total_bytes=64 << 30, available_bytes=64 << 30)


def ignore(_progress: PullProgress) -> None:
    """Ignore the progress."""


async def soon(event: asyncio.Event) -> None:
    """Wait for an event that must come."""
    async with asyncio.timeout(20):
        await event.wait()


async def at_once(_wait_s: float) -> None:
    """Fail where a test should not wait."""
    raise AssertionError("nothing is to be waited for")


class PullHarness:
    """A home with a catalogue, and a hub with one repository of two quantizations."""

    def __init__(self, directory: Path, store: HomeStorePort | None = None) -> None:
        self.home = directory / "home"
        self.models = self.home / "models"
        self.models.mkdir(parents=True)
        self.file = write_tiny_gguf(directory / "tiny.gguf").read_bytes()
        self.other_file = write_tiny_gguf(directory / "other.gguf", seed=1).read_bytes()
        self.third_file = write_tiny_gguf(directory / "third.gguf", seed=2).read_bytes()
        # Padded, so that more than one block of it comes.
        self.eye = write_tiny_projector(directory / "eye.gguf").read_bytes() + bytes(4096)
        self.store: HomeStorePort = FakeCatalog() if store is None else store
        self.hub = FakeHub()
        self.hub.add_repository(
            REPO, {"tiny-Q4_K_M.gguf": self.file, "tiny-Q8_0.gguf": self.other_file, "README.md": b"hi"}
        )
        self.site = PullSite(
            store=self.store,
            models_dir=self.models,
            locks=HomeLocks(self.home),
            incoming=Incoming(self.models),
            read_files=read_files,
        )
        self.clock = 1000.0
        self.puller = Puller(hub=self.hub, site=self.site, now=self._now, sleep=at_once)
        self.planner = PullPlanner(
            hub=self.hub,
            store=self.store,
            read_disk_state=partial(read_disk_state, store=self.store, incoming=self.site.incoming),
            read_facts=read_partial_facts,
            memory=PLENTY,
            default_ctx=8192,
            slots=4,
        )

    def _now(self) -> float:
        self.clock += 1
        return self.clock

    async def plan(
        self,
        target: str = f"{REPO}:Q4_K_M",
        *,
        memory: MachineMemory = PLENTY,
        name: str | None = None,
        aliases: Sequence[str] = (),
    ) -> PullPlan:
        """Plan a pull of the target of a text."""
        planner = replace(self.planner, memory=memory)
        return await planner.plan(read_target(target), name=name, aliases=aliases)

    async def pull(self, target: str = f"{REPO}:Q4_K_M", *, name: str | None = None) -> PulledModel:
        """Pull the target of a text."""
        return await self.puller.pull(await self.plan(target, name=name), ignore)

    def files(self) -> list[str]:
        """Return the files below ``models/``, but for manifests; the digests of directories are left out."""
        paths = [path for path in self.models.rglob("*") if path.is_file() and path.name != MANIFEST_NAME]
        return sorted(_without_digest(path.relative_to(self.models)) for path in paths)

    def changes(self, name: str, content: bytes, repo: str = REPO) -> None:
        """Add a commit in which a repository has this one file."""
        self.hub.add_repository(repo, {name: content})

    def incoming(self) -> list[str]:
        """Return the names in ``.incoming``."""
        directory = self.site.incoming.directory
        return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


def _without_digest(path: Path) -> str:
    """Return a path below ``models/`` with ``LABEL`` for ``LABEL-XXXXXXXX``."""
    *folders, version, name = path.parts if len(path.parts) > 1 else ("", *path.parts)
    label, _, digest = version.rpartition("-")
    return "/".join((*folders, label if len(digest) == 8 and label else version, name)).lstrip("/")
