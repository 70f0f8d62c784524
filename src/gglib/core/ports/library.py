"""The ports that change the library of this machine: add, remove, search and pull models."""

from collections.abc import AsyncGenerator
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
from gglib.core.ports.catalog import EditModel
from gglib.core.verification import Verification, VerifyProgress

KeptFile = tuple[Path, str]
"""A file that was not deleted, and the reason as a phrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedModel:
    """The result of removing a model. Sizes in bytes."""

    model: ModelSummary
    """The model before its removal."""
    deleted: tuple[Path, ...] = ()
    """The deleted files; empty if only the model was removed."""
    freed_bytes: int = 0
    """The bytes that the disk gets back once no program has the files open."""
    retained: tuple[KeptFile, ...] = ()
    """Files that are not deleted: the user's own, modified files, and files that another model uses."""
    undeleted: tuple[KeptFile, ...] = ()
    """Files that the system refused to delete. Later gglib processes retry while the files are unchanged."""
    waiting: tuple[KeptFile, ...] = ()
    """Files in use: deleted as soon as they are unused."""
    waiting_bytes: int = 0

    @property
    def kept(self) -> tuple[KeptFile, ...]:
        """All files that were not deleted."""
        return (*self.retained, *self.undeleted, *self.waiting)


class ModelRemovalPort(Protocol):
    """Removes models, for commands and for the HTTP API."""

    async def remove_model(self, name: str, *, with_files: bool = False) -> RemovedModel:
        """Remove a model; ``with_files`` also deletes the files that gglib downloaded and no other model uses.

        Raises ``ModelNotFoundError``, and ``DownloadInProgressError`` while an update of the model is being pulled.
        """
        ...

    async def preview_removal(self, name: str) -> RemovedModel:
        """Return what ``remove_model`` with files would return now, without changing anything.

        Files that an engine uses count as deleted. Raises ``ModelNotFoundError``.
        """
        ...


class ModelLibraryPort(ModelRemovalPort, Protocol):
    """Adds, removes, searches and pulls models. Every failure is a ``GglibError``."""

    async def add_file(
        self, path: Path, *, name: str | None = None, aliases: tuple[str, ...] = ()
    ) -> ModelSummary:
        """Add a local GGUF file to the catalogue and return the model; the file is not moved.

        ``path`` is absolute and may be any shard. Without ``name``, the name is derived from the file name.

        Raises ``InvalidGgufError``, ``ModelExistsError`` and ``InvalidSettingError`` (an invalid name).
        """
        ...

    async def edit_model(self, name: str, edit: EditModel) -> ModelSummary:
        """Apply ``edit`` to the current model in one transaction and return the result.

        Raises ``ModelNotFoundError``, ``ModelExistsError`` (an alias is taken) and ``InvalidSettingError``.
        """
        ...

    async def read_facts(self, model: ModelSummary) -> GgufFacts:
        """Return the facts in the header of a model's files, with its chat template.

        Raises ``ModelFileNotFoundError`` and ``InvalidGgufError``.
        """
        ...

    def verify_model(self, name: str) -> AsyncGenerator[VerifyProgress | Verification, None]:
        """Compare a model's files with their expected hashes: yield the progress, and last the result.

        The progress is yielded at once, then a few times a second at most. The first step raises
        ``ModelNotFoundError``. ``aclose`` stops the hashing.
        """
        ...

    async def list_fits(self) -> ModelFits:
        """Return how each model of the catalogue fits the memory that is free now. Raises ``CatalogError``."""
        ...

    async def check_updates(self) -> list[UpstreamCheck]:
        """Compare each model that has a source with it.

        A source that cannot be checked is the state of its models, no error. Raises ``CatalogError``.
        """
        ...

    async def list_first_models(self) -> FirstModelList:
        """Return the first models for this machine; waits for the hub for a few seconds at most, and never fails."""
        ...

    async def search(
        self, query: str, *, sort: HubSort, limit: int, max_size_bytes: int | None = None
    ) -> SearchResult:
        """Search the hub; the result says how each variant fits this machine.

        Returns at most ``limit`` repositories, best first by ``sort``; ``max_size_bytes`` leaves out larger variants.
        Raises ``HubError``.
        """
        ...

    async def show_repository(self, repo: str, revision: str | None = None) -> RepositoryResult:
        """Return one repository of the hub with all variants and files.

        ``repo`` is ``OWNER/NAME``; ``revision`` a branch, tag or commit, or None for the default branch. Raises
        ``RepositoryNotFoundError``, ``GatedRepositoryError`` or another ``HubError``.
        """
        ...

    async def start_download(self, target: str) -> Download:
        """Start or queue a pull of ``REPO[:QUANT][@REVISION]``, ``REPO/FILE.gguf`` or a URL.

        A download of the same target that is queued or running is returned instead, and a paused one resumes. Raises
        ``VariantChoiceError`` for an invalid target, and ``QueueFullError``. Other failures become the
        state of the download.
        """
        ...

    async def list_downloads(self) -> list[Download]:
        """Return the downloads of this server, newest last; finished ones are kept for a limited time."""
        ...

    async def show_download(self, download_id: str) -> Download:
        """Return one download. Raises ``DownloadNotFoundError``."""
        ...

    def follow_download(self, download_id: str) -> AsyncGenerator[Download, None]:
        """Yield the current state, then each change, a few times a second at most, until it is not active.

        A slow consumer misses intermediate states, never the last one. The first step raises
        ``DownloadNotFoundError``. A consumer that stops early calls ``aclose``.
        """
        ...

    async def pause_download(self, download_id: str) -> Download:
        """Stop a download until it is resumed, and return its state; it keeps its files and its place in the list.

        A download that has ended does not change. Raises ``DownloadNotFoundError``.
        """
        ...

    async def resume_download(self, download_id: str) -> Download:
        """Queue a paused, cancelled or failed download again, and return its state; it continues from its files.

        An active one does not change. If another download of the same target was started since, that one is returned.
        Raises ``DownloadNotFoundError``, ``DownloadDoneError`` and ``QueueFullError``.
        """
        ...

    async def cancel_download(self, download_id: str, *, with_files: bool = False) -> Download:
        """Cancel a download and return its final state; a new pull of the same target resumes it.

        ``with_files`` deletes its partial files, except those that another pull needs; ``done_bytes`` is 0 if they are
        gone. A download that is done does not change. Raises ``DownloadNotFoundError``.
        """
        ...
