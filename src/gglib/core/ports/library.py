"""What a program may do with the models of this machine, beside reading the catalogue."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gglib.core.hub.downloads import Download
from gglib.core.hub.repository import HubSort
from gglib.core.hub.search_results import RepositoryResult, SearchResult
from gglib.core.models import ModelSummary

KeptFile = tuple[Path, str]
"""A file that stays though it was to go, and why: a phrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedModel:
    """What became of a model that was removed. Sizes in bytes."""

    model: ModelSummary
    """As it was."""
    deleted: tuple[Path, ...] = ()
    """The files that are gone; empty where they were to stay."""
    freed_bytes: int = 0
    """What the disk gets back, once no program has the files open."""
    retained: tuple[KeptFile, ...] = ()
    """Files that are not deleted: the user's, changed ones, and those that another model uses."""
    undeleted: tuple[KeptFile, ...] = ()
    """Files that the system did not delete. Every later gglib tries again, while they are the ones that it wrote."""
    waiting: tuple[KeptFile, ...] = ()
    """Files in use: deleted when nothing uses them any more."""
    waiting_bytes: int = 0

    @property
    def kept(self) -> tuple[KeptFile, ...]:
        """All files that stay though they were to go."""
        return (*self.retained, *self.undeleted, *self.waiting)


class ModelRemovalPort(Protocol):
    """Removes models: the one way to do so, for commands and for the HTTP API."""

    async def remove_model(self, name: str, *, with_files: bool = False) -> RemovedModel:
        """Forget a model; ``with_files`` deletes what gglib downloaded for it and no other model uses.

        Raises ``ModelNotFoundError``, and ``DownloadInProgressError`` while an update of the model is being pulled.
        """
        ...


class ModelLibraryPort(ModelRemovalPort, Protocol):
    """Adds, removes, finds and pulls models. What fails is a ``GglibError``."""

    async def add_file(
        self, path: Path, *, name: str | None = None, aliases: tuple[str, ...] = ()
    ) -> ModelSummary:
        """Put a GGUF file of this machine into the catalogue and return the model; the file stays where it is.

        ``path`` is absolute; any shard names the model. ``name`` is made from the file's where it is None.

        Raises ``InvalidGgufError``, ``ModelExistsError`` and ``InvalidSettingError`` (a name that is none).
        """
        ...

    async def search(
        self, query: str, *, sort: HubSort, limit: int, max_size_bytes: int | None = None
    ) -> SearchResult:
        """Return what the hub has, and whether this machine holds it.

        ``limit`` is how many repositories to return at most, best first by ``sort``; ``max_size_bytes`` leaves out the
        files that are larger. Raises ``HubError``.
        """
        ...

    async def show_repository(self, repo: str, revision: str | None = None) -> RepositoryResult:
        """Return one repository of the hub with all that it has.

        ``repo`` is ``OWNER/NAME``; ``revision`` a branch, tag or commit, or None for the default branch. Raises
        ``RepositoryNotFoundError``, ``GatedRepositoryError`` or another ``HubError``.
        """
        ...

    async def start_download(self, target: str) -> Download:
        """Begin to pull what a text names (``REPO[:QUANT][@REVISION]``, ``REPO/FILE.gguf``, an address), or queue it.

        What is on its way already is returned as it is. Raises ``VariantChoiceError`` for a text that names nothing,
        and ``QueueFullError``. All else that goes wrong is told by the download.
        """
        ...

    async def list_downloads(self) -> list[Download]:
        """Return the downloads of this server, the newest last; those that are over for a while."""
        ...

    async def show_download(self, download_id: str) -> Download:
        """Return one download. Raises ``DownloadNotFoundError``."""
        ...

    def follow_download(self, download_id: str) -> AsyncGenerator[Download, None]:
        """Yield how it stands, then again after each change, at most some times a second, up to its final state.

        Whoever is slow to ask misses what was in between, never the end. The first step raises
        ``DownloadNotFoundError``. Leaving early costs nothing but ``aclose``.
        """
        ...

    async def cancel_download(self, download_id: str) -> Download:
        """End a download and return how it ended; what has come is kept, and the same target goes on with it.

        One that is over stays as it is. Raises ``DownloadNotFoundError``.
        """
        ...
