"""A library in memory: the library port without a hub. Tests drive its downloads."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from gglib.core.errors import (
    DownloadDoneError,
    DownloadNotFoundError,
    GglibError,
    InvalidGgufError,
    ModelFileNotFoundError,
    RepositoryNotFoundError,
    VariantChoiceError,
)
from gglib.core.hub.downloads import Download, DownloadState
from gglib.core.hub.first_models import FirstModelList
from gglib.core.hub.repository import HubSort
from gglib.core.hub.search_results import RepositoryResult, SearchResult
from gglib.core.hub.updates import UpstreamCheck
from gglib.core.memory import MachineMemory
from gglib.core.model_fits import ModelFit, ModelFits
from gglib.core.models import GgufFacts, ModelSummary, NewModel
from gglib.core.names import not_found, require_model
from gglib.core.ports import ModelLibraryPort, RemovedModel
from gglib.core.ports.catalog import EditModel
from gglib.core.ports.store import HomeStorePort
from gglib.core.verification import FileCheck, FileVerdict, Verification, VerifyProgress
from gglib.testing.fake_catalog import FakeCatalog

NO_MEMORY = MachineMemory(total_bytes=None, available_bytes=None)
_MAGIC = b"GGUF"


class FakeLibrary(ModelLibraryPort):
    """Keeps models in ``store`` and finds ``repositories``. ``fails_with``, if set, is raised by every method.

    A download runs from its start until ``update`` changes it or ``finish`` or ``fail`` ends it. ``followers`` counts
    the current followers, and ``verifying`` the verifications. There is no clock: all times are 0.
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
        self.updates: list[UpstreamCheck] = []
        """The result of ``check_updates``."""
        self.first_models = FirstModelList(
            as_of=date(2026, 1, 1), memory=NO_MEMORY, models=(), recommended=None, is_hub_reachable=True
        )
        """The result of ``list_first_models``."""
        self.discarded: list[str] = []
        """Targets whose partial files were discarded."""
        self.may_verify = asyncio.Event()
        """Verifications end when it is set, as it is at first."""
        self.may_verify.set()
        self.verifying = 0
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
        removed = await self.preview_removal(name)
        if await self.store.remove_model(removed.model.name) is None:
            raise not_found(name, await self.store.list_models())
        if not with_files:
            return RemovedModel(model=removed.model)
        for path in removed.deleted:
            path.unlink()
        return removed

    async def preview_removal(self, name: str) -> RemovedModel:
        """Return what removing a model with its files would do."""
        self._raise_if_failing()
        model = await require_model(self.store, name)
        if not model.is_downloaded:
            kept = tuple((path, "gglib did not download it") for path in model.paths)
            return RemovedModel(model=model, retained=kept)
        sizes = [path.stat().st_size for path in model.paths]
        return RemovedModel(model=model, deleted=model.paths, freed_bytes=sum(sizes))

    async def verify_model(self, name: str) -> AsyncGenerator[VerifyProgress | Verification, None]:
        """Hash a model's files, once ``may_verify`` is set."""
        self._raise_if_failing()
        model = await require_model(self.store, name)
        self.verifying += 1
        try:
            first = model.paths[0].name if model.paths else ""
            yield VerifyProgress(file=first, done_bytes=0, total_bytes=model.size_bytes or 0)
            await self.may_verify.wait()
            hashes = model.hashes or (None,) * len(model.paths)
            checks = (
                _check(model, path, expected) for path, expected in zip(model.paths, hashes, strict=True)
            )
            yield Verification(checks=tuple(checks))
        finally:
            self.verifying -= 1

    async def list_fits(self) -> ModelFits:
        """Return an unknown fit for each model."""
        self._raise_if_failing()
        fits = (
            ModelFit(
                model_id=model.id,
                model_name=model.name,
                context=model.settings.context or 8192,
                fit=None,
                need=None,
                slots=None,
                reason="The fake has no memory.",
            )
            for model in await self.store.list_models()
        )
        return ModelFits(memory=NO_MEMORY, fits=tuple(fits))

    async def check_updates(self) -> list[UpstreamCheck]:
        """Return the comparisons that a test has set."""
        self._raise_if_failing()
        return list(self.updates)

    async def list_first_models(self) -> FirstModelList:
        """Return the list that a test has set."""
        self._raise_if_failing()
        return self.first_models

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
            if known.target.strip() == target.strip() and not known.state.has_ended:
                return await self.resume_download(known.id)
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
                if not download.state.is_active:
                    return
                await changed.wait()
        finally:
            self.followers -= 1

    async def pause_download(self, download_id: str) -> Download:
        """Pause a download."""
        if (await self.show_download(download_id)).state.is_active:
            self.update(download_id, state=DownloadState.PAUSED)
        return self._downloads[download_id]

    async def resume_download(self, download_id: str) -> Download:
        """Let a download run again."""
        download = await self.show_download(download_id)
        if download.state is DownloadState.DONE:
            raise DownloadDoneError(download_id)
        if not download.state.is_active:
            self.update(
                download_id, state=DownloadState.RUNNING, ended_at=None, error_code=None, error_message=None
            )
        return self._downloads[download_id]

    async def cancel_download(self, download_id: str, *, with_files: bool = False) -> Download:
        """Cancel a download; ``with_files`` records its target in ``discarded``, unless another one needs the files."""
        download = await self.show_download(download_id)
        if not download.state.has_ended:
            self.update(download_id, state=DownloadState.CANCELLED, ended_at=0)
        is_needed = any(
            known.target.strip() == download.target.strip() and not known.state.has_ended
            for known in self._downloads.values()
        )
        if with_files and download.state is not DownloadState.DONE and not is_needed:
            self.discarded.append(download.target)
            self.update(download_id, done_bytes=0)
        return self._downloads[download_id]

    def _raise_if_failing(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with


def _check(model: ModelSummary, path: Path, expected: str | None) -> FileCheck:
    check = FileCheck(model=model, path=path, expected=expected, verdict=FileVerdict.GONE)
    if not path.is_file():
        return check
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    known = FileVerdict.GOOD if found == expected else FileVerdict.DIFFERS
    return replace(check, found=found, verdict=FileVerdict.UNKNOWN if expected is None else known)


def _within(match: RepositoryResult, max_size_bytes: int | None) -> RepositoryResult:
    if max_size_bytes is None:
        return match
    return replace(match, results=tuple(f for f in match.results if f.variant.size_bytes <= max_size_bytes))
