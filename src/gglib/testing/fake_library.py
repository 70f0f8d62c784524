"""A library in memory: the library port without a hub. Tests drive its downloads."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gglib.core.errors import (
    DownloadNotFoundError,
    GglibError,
    InvalidGgufError,
    ModelFileNotFoundError,
    RepositoryNotFoundError,
    VariantChoiceError,
)
from gglib.core.hub.downloads import Download, DownloadState
from gglib.core.hub.repository import HubSort
from gglib.core.hub.search_results import RepositoryResult, SearchResult
from gglib.core.memory import MachineMemory
from gglib.core.models import GgufFacts, ModelSummary, NewModel
from gglib.core.names import not_found, require_model
from gglib.core.ports import ModelLibraryPort, RemovedModel
from gglib.core.ports.catalog import EditModel
from gglib.core.ports.store import HomeStorePort
from gglib.testing.fake_catalog import FakeCatalog

NO_MEMORY = MachineMemory(total_bytes=None, available_bytes=None)
_MAGIC = b"GGUF"


class FakeLibrary(ModelLibraryPort):
    """Keeps models in ``store`` and finds ``repositories``. ``fails_with``, if set, is raised by every method.

    A download runs from its start until ``update`` changes it or ``finish`` or ``fail`` ends it. ``followers`` counts
    the current followers. There is no clock: all times are 0.
    """

    def __init__(
        self,
        store: HomeStorePort | None = None,
        *,
        repositories: Iterable[RepositoryResult] = (),
        fails_with: Exception | None = None,
    ) -> None:
        self.store = FakeCatalog() if store is None else store
        self.repositories = list(repositories)
        self.fails_with = fails_with
        self.facts: dict[str, GgufFacts] = {}
        """The result of ``read_facts``, by model name; others have an architecture only."""
        self.followers = 0
        self._downloads: dict[str, Download] = {}
        self._changed = asyncio.Event()

    def update(self, download_id: str, **fields: Any) -> None:  # noqa: ANN401 - fields of Download
        """Change a download."""
        self._downloads[download_id] = replace(self._downloads[download_id], **fields)
        self._changed.set()
        self._changed = asyncio.Event()

    def finish(self, download_id: str, model_name: str) -> None:
        """End a download successfully."""
        self.update(download_id, state=DownloadState.DONE, model_name=model_name, ended_at=0)

    def fail(self, download_id: str, error: GglibError) -> None:
        """End a download with an error."""
        self.update(
            download_id,
            state=DownloadState.FAILED,
            error_code=error.code,
            error_message=str(error),
            ended_at=0,
        )

    async def add_file(
        self, path: Path, *, name: str | None = None, aliases: tuple[str, ...] = ()
    ) -> ModelSummary:
        """Add a file with a GGUF magic to the store."""
        self._raise_if_failing()
        if not path.is_file() or not path.read_bytes().startswith(_MAGIC):  # noqa: ASYNC240 - a few bytes, in tests
            raise InvalidGgufError(f"{path.name} cannot be added: it is not a GGUF file.")
        return await self.store.add_model(
            NewModel(
                name=name or path.stem,
                paths=(path,),
                size_bytes=path.stat().st_size,  # noqa: ASYNC240 - as above
                aliases=aliases,
                facts=GgufFacts(architecture="fake"),
            )
        )

    async def edit_model(self, name: str, edit: EditModel) -> ModelSummary:
        """Apply an edit to a model of the store."""
        self._raise_if_failing()
        changed = await self.store.edit_model(name, edit)
        if changed is None:
            raise not_found(name, await self.store.list_models())
        return changed

    async def read_facts(self, model: ModelSummary) -> GgufFacts:
        """Return the facts that a test has set, or those of a file that exists."""
        self._raise_if_failing()
        if model.name in self.facts:
            return self.facts[model.name]
        if not model.paths or not model.paths[0].is_file():
            raise ModelFileNotFoundError(model.name)
        return GgufFacts(architecture="fake")

    async def remove_model(self, name: str, *, with_files: bool = False) -> RemovedModel:
        """Delete a model; ``with_files`` deletes the files of a downloaded one."""
        self._raise_if_failing()
        model = await require_model(self.store, name)
        if await self.store.remove_model(model.name) is None:
            raise not_found(name, await self.store.list_models())
        if not with_files:
            return RemovedModel(model=model)
        if not model.is_downloaded:
            kept = tuple((path, "gglib did not download it") for path in model.paths)
            return RemovedModel(model=model, retained=kept)
        sizes = [path.stat().st_size for path in model.paths]
        for path in model.paths:
            path.unlink()
        return RemovedModel(model=model, deleted=model.paths, freed_bytes=sum(sizes))

    async def search(
        self,
        query: str,
        *,
        sort: HubSort,
        limit: int,
        max_size_bytes: int | None = None,
    ) -> SearchResult:
        """Return the repositories whose name contains ``query``, in the given order."""
        del sort
        self._raise_if_failing()
        found = [match for match in self.repositories if query.casefold() in match.repository.repo.casefold()]
        within = [match for match in (_within(match, max_size_bytes) for match in found) if match.results]
        return SearchResult(
            repositories=tuple(within[:limit]), memory=NO_MEMORY, left_out=len(found) - len(within)
        )

    async def show_repository(self, repo: str, revision: str | None = None) -> RepositoryResult:
        """Return one of ``repositories``; a revision must be its commit."""
        self._raise_if_failing()
        for known in self.repositories:
            if known.repository.repo == repo and revision in {None, known.repository.revision}:
                return known
        raise RepositoryNotFoundError(f"The hub has no repository '{repo}'.")

    async def start_download(self, target: str) -> Download:
        """Start a download, or return the running one of the same target."""
        self._raise_if_failing()
        if "/" not in target:
            raise VariantChoiceError(f"'{target}' names no model: write owner/name.")
        for known in self._downloads.values():
            if known.target.strip() == target.strip() and not known.state.is_final:
                return known
        download = Download(
            id=f"d{len(self._downloads) + 1}",
            target=target,
            state=DownloadState.RUNNING,
            created_at=0,
            started_at=0,
        )
        self._downloads[download.id] = download
        return download

    async def list_downloads(self) -> list[Download]:
        """Return all downloads, the newest last."""
        self._raise_if_failing()
        return list(self._downloads.values())

    async def show_download(self, download_id: str) -> Download:
        """Return one download."""
        self._raise_if_failing()
        if download_id not in self._downloads:
            raise DownloadNotFoundError(download_id)
        return self._downloads[download_id]

    async def follow_download(self, download_id: str) -> AsyncGenerator[Download, None]:
        """Yield the download now and after each change."""
        self.followers += 1
        try:
            while True:
                changed, download = self._changed, await self.show_download(download_id)
                yield download
                if download.state.is_final:
                    return
                await changed.wait()
        finally:
            self.followers -= 1

    async def cancel_download(self, download_id: str) -> Download:
        """Cancel a download."""
        download = await self.show_download(download_id)
        if not download.state.is_final:
            self.update(download_id, state=DownloadState.CANCELLED, ended_at=0)
        return self._downloads[download_id]

    def _raise_if_failing(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with


def _within(match: RepositoryResult, max_size_bytes: int | None) -> RepositoryResult:
    if max_size_bytes is None:
        return match
    return replace(match, results=tuple(f for f in match.results if f.variant.size_bytes <= max_size_bytes))
