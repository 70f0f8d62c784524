"""What programs may do with the models of this machine, put together from the use cases that the commands have.

It knows none of them: each is passed in.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gglib.core.hub.downloads import Download
from gglib.core.hub.repository import HubSort
from gglib.core.hub.search_results import RepositoryResult, SearchResult
from gglib.core.models import ModelSummary
from gglib.core.ports import ModelLibraryPort, RemovedModel
from gglib.core.ports.library import ModelRemovalPort
from gglib.library.add import AddRequest
from gglib.library.pull.queue import Downloads


class Search(Protocol):
    """Searches the hub for this machine, as it is now."""

    async def __call__(
        self, query: str, *, sort: HubSort, limit: int, max_size_bytes: int | None
    ) -> SearchResult:
        """Return what there is. Raises ``HubError``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLibrary(ModelLibraryPort):
    """The library of one server. The caller opens and closes ``downloads``."""

    downloads: Downloads
    add: Callable[[AddRequest], Awaitable[ModelSummary]]
    removals: ModelRemovalPort
    find: Search
    show: Callable[[str, str | None], Awaitable[RepositoryResult]]
    """By repository and revision."""

    async def add_file(
        self, path: Path, *, name: str | None = None, aliases: tuple[str, ...] = ()
    ) -> ModelSummary:
        """Put a GGUF file of this machine into the catalogue; it stays where it is."""
        return await self.add(AddRequest(path=path, name=name, aliases=aliases))

    async def remove_model(self, name: str, *, with_files: bool = False) -> RemovedModel:
        """Forget a model; ``with_files`` deletes what gglib downloaded for it."""
        return await self.removals.remove_model(name, with_files=with_files)

    async def search(
        self, query: str, *, sort: HubSort, limit: int, max_size_bytes: int | None = None
    ) -> SearchResult:
        """Return what the hub has, and whether this machine holds it."""
        return await self.find(query, sort=sort, limit=limit, max_size_bytes=max_size_bytes)

    async def show_repository(self, repo: str, revision: str | None = None) -> RepositoryResult:
        """Return one repository of the hub with all that it has."""
        return await self.show(repo, revision)

    async def start_download(self, target: str) -> Download:
        """Begin to pull, or queue it."""
        return self.downloads.start(target)

    async def list_downloads(self) -> list[Download]:
        """Return the downloads of this server, the newest last."""
        return self.downloads.list()

    async def show_download(self, download_id: str) -> Download:
        """Return one download."""
        return self.downloads.show(download_id)

    def follow_download(self, download_id: str) -> AsyncGenerator[Download, None]:
        """Yield how it stands, then again after each change."""
        return self.downloads.follow(download_id)

    async def cancel_download(self, download_id: str) -> Download:
        """End a download and return how it ended."""
        return await self.downloads.cancel(download_id)
