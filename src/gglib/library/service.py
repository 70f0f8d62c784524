"""The library of a server: implements ``ModelLibraryPort`` with the use cases of the commands, which are passed in."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gglib.core.hub.downloads import Download
from gglib.core.hub.first_models import FirstModelList
from gglib.core.hub.repository import HubSort
from gglib.core.hub.search_results import RepositoryResult, SearchResult
from gglib.core.hub.updates import UpstreamCheck
from gglib.core.model_fits import ModelFits
from gglib.core.models import GgufFacts, ModelSummary
from gglib.core.ports import ModelLibraryPort, RemovedModel
from gglib.core.ports.catalog import EditModel
from gglib.core.ports.library import ModelRemovalPort
from gglib.core.verification import Verification, VerifyProgress
from gglib.library.add import AddRequest
from gglib.library.pull.queue import Downloads
from gglib.library.verifier import Verifier


class Search(Protocol):
    """Searches the hub for this machine."""

    async def __call__(
        self, query: str, *, sort: HubSort, limit: int, max_size_bytes: int | None
    ) -> SearchResult:
        """Return the search results. Raises ``HubError``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLibrary(ModelLibraryPort):
    """The library of one server. The caller opens and closes ``downloads``."""

    downloads: Downloads
    add: Callable[[AddRequest], Awaitable[ModelSummary]]
    edit: Callable[[str, EditModel], Awaitable[ModelSummary]]
    """By name; raises the errors of ``edit_model``."""
    facts: Callable[[ModelSummary], Awaitable[GgufFacts]]
    removals: ModelRemovalPort
    verifier: Verifier
    fits: Callable[[], Awaitable[ModelFits]]
    updates: Callable[[], Awaitable[list[UpstreamCheck]]]
    first_models: Callable[[], Awaitable[FirstModelList]]
    find: Search
    show: Callable[[str, str | None], Awaitable[RepositoryResult]]
    """By repository and revision."""

    async def add_file(
        self, path: Path, *, name: str | None = None, aliases: tuple[str, ...] = ()
    ) -> ModelSummary:
        """Add a local GGUF file to the catalogue; the file is not moved."""
        return await self.add(AddRequest(path=path, name=name, aliases=aliases))

    async def edit_model(self, name: str, edit: EditModel) -> ModelSummary:
        """Apply an edit to a model and return the result."""
        return await self.edit(name, edit)

    async def read_facts(self, model: ModelSummary) -> GgufFacts:
        """Return the facts in the header of a model's files."""
        return await self.facts(model)

    async def remove_model(self, name: str, *, with_files: bool = False) -> RemovedModel:
        """Remove a model; ``with_files`` also deletes its downloaded files."""
        return await self.removals.remove_model(name, with_files=with_files)

    async def preview_removal(self, name: str) -> RemovedModel:
        """Return what removing a model with its files would do."""
        return await self.removals.preview_removal(name)

    def verify_model(self, name: str) -> AsyncGenerator[VerifyProgress | Verification, None]:
        """Compare a model's files with their hashes: yield the progress, and last the result."""
        return self.verifier.verify(name)

    async def list_fits(self) -> ModelFits:
        """Return how each model of the catalogue fits the free memory."""
        return await self.fits()

    async def check_updates(self) -> list[UpstreamCheck]:
        """Compare each model that has a source with it."""
        return await self.updates()

    async def list_first_models(self) -> FirstModelList:
        """Return the first models for this machine."""
        return await self.first_models()

    async def search(
        self, query: str, *, sort: HubSort, limit: int, max_size_bytes: int | None = None
    ) -> SearchResult:
        """Search the hub; the result says how each variant fits this machine."""
        return await self.find(query, sort=sort, limit=limit, max_size_bytes=max_size_bytes)

    async def show_repository(self, repo: str, revision: str | None = None) -> RepositoryResult:
        """Return one repository of the hub with all variants and files."""
        return await self.show(repo, revision)

    async def start_download(self, target: str) -> Download:
        """Start or queue a pull."""
        return self.downloads.start(target)

    async def list_downloads(self) -> list[Download]:
        """Return the downloads of this server, newest last."""
        return self.downloads.list()

    async def show_download(self, download_id: str) -> Download:
        """Return one download."""
        return self.downloads.show(download_id)

    def follow_download(self, download_id: str) -> AsyncGenerator[Download, None]:
        """Yield the current state, then each change."""
        return self.downloads.follow(download_id)

    async def pause_download(self, download_id: str) -> Download:
        """Stop a download until it is resumed."""
        return await self.downloads.pause(download_id)

    async def resume_download(self, download_id: str) -> Download:
        """Queue a stopped download again."""
        return self.downloads.resume(download_id)

    async def cancel_download(self, download_id: str, *, with_files: bool = False) -> Download:
        """Cancel a download and return its final state; ``with_files`` also deletes its partial files."""
        return await self.downloads.cancel(download_id, with_files=with_files)
