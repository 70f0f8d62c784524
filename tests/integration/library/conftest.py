"""Fixtures: real model files, and a catalogue for them."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import gguf
import numpy as np
import pytest

from gglib.core.models import GgufFacts, ModelSource, ModelSummary, NewModel
from gglib.core.ports import RemovedModel
from gglib.core.versions import FileRole, NewVersion, OwnFile, PullJob, Version
from gglib.db import SqliteCatalog
from gglib.library.prune import Pruned, PrunePlan, Pruner
from gglib.library.remove import RemovalPlan, Removals
from gglib.library.versions.locks import HomeLocks
from gglib.library.versions.manifest import Manifest, write_manifest
from gglib.library.versions.ownership import identity_of
from gglib.testing import write_tiny_gguf

Writer = Callable[..., Path]
CONTENT = b"x" * 100_000
SOURCE = ModelSource(origin="hub", repo="ada/coder", revision="c0ffee", file="a.gguf")
PART_MANIFEST = b"a note on a part"


class LibraryHarness:
    """A home with gglib's own models and the user's, and the operations that remove and prune them."""

    def __init__(self, models_dir: Path, catalog: SqliteCatalog) -> None:
        self.models_dir, self.catalog = models_dir, catalog
        self.locks = HomeLocks(models_dir.parent)
        self.removals = Removals(catalog, models_dir, self.locks)
        self.pruner = Pruner(
            models_dir=models_dir,
            locks=self.locks,
            is_part_manifest=lambda content: content == PART_MANIFEST,
            work_name=".starter",
            kept_dir=models_dir.parent / "kept",
        )

    def put(self, name: str, content: bytes = CONTENT) -> Path:
        """Create a file below ``models/``, as the user may."""
        path = self.models_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def wrote(self, path: Path, role: FileRole = FileRole.MODEL) -> OwnFile:
        """Return the record of a file as gglib would have written it."""
        identity = identity_of(path)
        assert identity is not None
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return OwnFile(path=path, role=role, name=path.name, identity=identity, sha256=digest)

    def version(
        self,
        directory: str,
        files: Mapping[str, bytes] | None = None,
        *,
        projector: bytes | None = None,
    ) -> NewVersion:
        """Create the directory of a version, with its manifest."""
        own = [
            self.wrote(self.put(f"{directory}/{name}", content))
            for name, content in (files or {"a.gguf": CONTENT}).items()
        ]
        if projector is not None:
            own.append(self.wrote(self.put(f"{directory}/mmproj.gguf", projector), FileRole.PROJECTOR))
        write_manifest(self.models_dir / directory, Manifest(source=SOURCE, files=tuple(own)))
        return NewVersion(directory=self.models_dir / directory, source=SOURCE, files=tuple(own))

    async def pull(
        self, version: NewVersion, name: str = "coder", *, updates: int | None = None
    ) -> ModelSummary:
        """Add a version and its model to the catalogue, as a pull does."""
        models = [file for file in version.files if file.role is FileRole.MODEL]
        projector = next((file for file in version.files if file.role is FileRole.PROJECTOR), None)
        new = NewModel(
            name=name,
            paths=tuple(file.path for file in models),
            size_bytes=sum(file.identity.size_bytes for file in models),
            facts=GgufFacts(architecture="llama"),
            source=version.source,
            hashes=tuple(file.sha256 for file in models),
            projector=None if projector is None else projector.path,
            projector_sha256=None if projector is None else projector.sha256,
        )
        return (await self.catalog.install_version(version, new, updates=updates)).model

    async def add(self, *paths: Path, name: str = "mine", projector: Path | None = None) -> ModelSummary:
        """Add the user's files to the catalogue."""
        new = NewModel(
            name=name, paths=paths, size_bytes=1, facts=GgufFacts(architecture="llama"), projector=projector
        )
        return await self.catalog.add_model(new)

    async def known(self, model: ModelSummary) -> Version:
        """Return the version of a model."""
        (version,) = (one for one in await self.catalog.list_versions() if one.id == model.version_id)
        return version

    async def plan_removal(self, name: str = "coder") -> RemovalPlan:
        """Plan the removal of a model."""
        return await self.removals.plan(name)

    async def remove(self, name: str = "coder") -> RemovedModel:
        """Remove a model with its files."""
        return await self.removals.remove_model(name, with_files=True)

    async def forget(self, name: str = "coder") -> None:
        """Remove a model without its files."""
        model = await self.catalog.resolve_model(name)
        assert model is not None
        assert await self.removals.remove_model(name) == RemovedModel(model=model)

    async def plan(self) -> PrunePlan:
        """Plan a prune."""
        return await self.pruner.plan(self.catalog)

    async def prune(self) -> Pruned:
        """Prune."""
        return await self.pruner.prune(await self.plan(), self.catalog)

    async def kept(self) -> dict[str, str]:
        """Prune, and return the kept files that no model uses, with the reasons."""
        plan = await self.plan()
        await self.prune()
        for file in plan.retained:
            assert file.path.is_symlink() or file.path.exists()
        return {str(file.path.relative_to(self.models_dir)): file.reason for file in plan.retained}

    def left(self) -> list[str]:
        """Return the existing files."""
        paths = (path for path in self.models_dir.rglob("*") if path.is_symlink() or not path.is_dir())
        return sorted(str(path.relative_to(self.models_dir)) for path in paths)


def job_of(key: str, *, updates: int | None = None, directory: Path | None = None) -> PullJob:
    """Return an unfinished pull without files."""
    return PullJob(
        key=key,
        asked="ada/coder:Q4_K_M",
        name="coder",
        aliases=(),
        source=SOURCE,
        files=(),
        updates=updates,
        directory=directory,
    )


@pytest.fixture(name="harness")
def make_harness(models_dir: Path, catalog: SqliteCatalog) -> LibraryHarness:
    """Return a harness without a model."""
    return LibraryHarness(models_dir, catalog)


@pytest.fixture
def write() -> Writer:
    """Return a writer of tiny models: each seed gives a different file."""

    def put(path: Path, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_tiny_gguf(path, seed=seed, chat_template=None)

    return put


@pytest.fixture
def write_header() -> Callable[..., Path]:
    """Return a writer of GGUF files with a header and no tensors."""

    def put(path: Path, architecture: str = "llama", kind: str | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = gguf.GGUFWriter(path, architecture)
        if kind is not None:
            writer.add_type(kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return put


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Return gglib's own directory of models."""
    path = tmp_path / "home" / "models"
    path.mkdir(parents=True)
    return path


@pytest.fixture
async def catalog(tmp_path: Path, models_dir: Path) -> AsyncIterator[SqliteCatalog]:
    """Return an empty catalogue."""
    async with SqliteCatalog(tmp_path / "home" / "gglib.db") as opened:
        yield opened


@pytest.fixture
def write_shards() -> Callable[[Path], list[Path]]:
    """Return a writer of a model that the reference writer splits into two files."""

    def put(directory: Path) -> list[Path]:
        writer = gguf.GGUFWriter(directory / "big.gguf", "llama", split_max_tensors=1)
        for tensor in ("token_embd.weight", "output_norm.weight"):
            writer.add_tensor(tensor, np.zeros((4,), dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return [directory / f"big-0000{number}-of-00002.gguf" for number in (1, 2)]

    return put
