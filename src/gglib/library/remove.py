"""Removes a model, and on request its files, for ``gglib rm`` and the HTTP API.

The row and the version's record change in one transaction. The files are deleted afterwards (``collect_retired``), only
while they are unchanged. A file that cannot be deleted now, because it is in use or the system refuses, stays recorded,
and later gglib processes retry. A file that the user puts in its place is not deleted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gglib.core.errors import DownloadInProgressError
from gglib.core.models import ModelSummary
from gglib.core.names import not_found, require_model
from gglib.core.ports import RemovedModel
from gglib.core.ports.library import KeptFile, ModelRemovalPort
from gglib.core.ports.store import HomeStorePort
from gglib.core.versions import OwnFile, Version
from gglib.library.file_uses import FileUses
from gglib.library.pull.jobs import end_all, lock_of
from gglib.library.versions.deletable_files import (
    IN_USE,
    DeletableFile,
    RetainedFile,
    deletable_files,
    is_there,
    why_kept,
)
from gglib.library.versions.deleting import collect_retired
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.locks import HomeLocks

NOT_DOWNLOADED = "gglib did not download it"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalPlan:
    """What removing a model with its files deletes; shown to the user for confirmation."""

    model: ModelSummary
    deletable: tuple[DeletableFile, ...]
    retained: tuple[RetainedFile, ...]

    @property
    def freed_bytes(self) -> int:
        """The total that the disk gets back once no program has the files open."""
        return sum(file.freed_bytes for file in self.deletable)


@dataclass(frozen=True, slots=True)
class Removals(ModelRemovalPort):
    """Removes models from one home."""

    store: HomeStorePort
    models_dir: Path
    locks: HomeLocks
    forget: Callable[[int], None] = lambda _: None
    """Deletes what the home keeps of a model beside its files, by its id. Called in a thread."""

    async def plan(self, name: str) -> RemovalPlan:
        """Return what removing a model with its files deletes. Changes nothing.

        Raises ``ModelNotFoundError``.
        """
        model = await require_model(self.store, name)
        models, versions = await self.store.list_models(), await self.store.list_versions()
        return await asyncio.to_thread(plan_removal, model, models, versions)

    async def preview_removal(self, name: str) -> RemovedModel:
        """Return what removing a model with its files would delete and keep."""
        plan = await self.plan(name)
        return RemovedModel(
            model=plan.model,
            deleted=tuple(file.path for file in plan.deletable),
            freed_bytes=plan.freed_bytes,
            retained=_retained(plan),
        )

    async def remove_model(self, name: str, *, with_files: bool = False) -> RemovedModel:
        """Remove a model; ``with_files`` deletes its version's files, else the version stays recorded without a model.

        If this is interrupted, a later gglib finishes it.
        """
        if with_files:
            removed = await self._remove(await self.plan(name))
        else:
            removed = await self._forget(await require_model(self.store, name))
        if removed is None:  # another gglib removed it first
            raise not_found(name, await self.store.list_models())
        await asyncio.to_thread(self.forget, removed.model.id)
        return removed

    async def _forget(self, model: ModelSummary) -> RemovedModel | None:
        """Remove a model and keep its files; None if it was already gone."""
        async with self._blocking_updates(model):
            # By id, which is never reused: its name may belong to another model by now.
            removed = await self.store.remove_model(str(model.id))
        return None if removed is None else RemovedModel(model=removed)

    async def _remove(self, plan: RemovalPlan) -> RemovedModel | None:
        """Remove the model and delete its version's files; None if it was already gone."""
        async with self._blocking_updates(plan.model):
            removed = await self.store.remove_with_version(plan.model.id)
        if removed is None:
            return None
        _, version = removed
        result = RemovedModel(model=plan.model, retained=_retained(plan))
        if version is None:
            return result
        before = await asyncio.to_thread(_doomed_of, version.files)
        deletions = await collect_retired(self.store, self.models_dir)
        reasons = {path: reason for deletion in deletions for path, reason in deletion.kept}
        known = {version.id: version for version in await self.store.list_versions()}
        return await asyncio.to_thread(_with_files_of, result, before, known.get(version.id), reasons)

    @asynccontextmanager
    async def _blocking_updates(self, model: ModelSummary) -> AsyncIterator[None]:
        """Block pulls that update the model inside the block, and discard unfinished ones at its end."""
        async with AsyncExitStack() as locks:
            updates = [job for job in await self.store.list_pulls() if job.updates == model.id]
            for job in updates:
                try:
                    locks.enter_context(self.locks.try_hold(lock_of(job.key)))
                except DownloadInProgressError:
                    raise DownloadInProgressError(
                        f"An update of model '{model.name}' is being pulled: wait until it ends or stop it, then "
                        "remove the model."
                    ) from None
            yield
            if updates:
                incoming = Incoming(self.models_dir)
                await end_all(updates, store=self.store, locks=self.locks, incoming=incoming)


def plan_removal(
    model: ModelSummary, models: Sequence[ModelSummary], versions: Sequence[Version]
) -> RemovalPlan:
    """Return what is deleted with ``model``; ``models`` and ``versions`` are the whole catalogue. Blocks.

    Only files of the model's version are deleted, including files that its row no longer names (a removed projector).
    Files of its row that belong to no version are the user's.
    """
    version = next((candidate for candidate in versions if candidate.id == model.version_id), None)
    uses = FileUses(other for other in models if other.id != model.id)
    sharers = [
        other.name for other in models if other.id != model.id and other.version_id == model.version_id
    ]
    others = {
        file.path: other
        for other in versions
        if version is not None and other.id != version.id and not other.is_retired
        for file in other.files
    }
    own = () if version is None else version.files
    deletable: list[Path] = []
    spared = [
        RetainedFile(path=path, reason=NOT_DOWNLOADED)
        for path in model.all_files
        if path not in {file.path for file in own}
    ]
    for file in own:
        user = sharers[0] if sharers else uses.user_of(file.path)
        if user is not None:
            spared.append(RetainedFile(path=file.path, reason=f"model '{user}' uses it too"))
        elif file.path in others:
            spared.append(RetainedFile(path=file.path, reason="another version uses it too"))
        elif (reason := why_kept(file)) is not None:
            spared.append(RetainedFile(path=file.path, reason=reason))
        else:
            deletable.append(file.path)
    return RemovalPlan(model=model, deletable=deletable_files(deletable), retained=tuple(spared))


def _retained(plan: RemovalPlan) -> tuple[KeptFile, ...]:
    return tuple((file.path, file.reason) for file in plan.retained)


def _doomed_of(files: Sequence[OwnFile]) -> tuple[DeletableFile, ...]:
    """Return those of the files that exist and are unchanged, with the bytes that deleting them frees."""
    return deletable_files(file.path for file in files if why_kept(file) is None)


def _with_files_of(
    removed: RemovedModel, before: Sequence[DeletableFile], left: Version | None, reasons: dict[Path, str]
) -> RemovedModel:
    """Add the result for a version's files; ``left`` is its record if it is not deleted yet. Blocks."""
    kept = set() if left is None else {file.path for file in left.files}
    deleted = [file for file in before if not is_there(file.path)]
    staying = [file for file in before if is_there(file.path) and file.path in kept]
    refused = [file for file in staying if reasons.get(file.path, IN_USE) != IN_USE]
    waiting = [file for file in staying if file not in refused]
    return replace(
        removed,
        deleted=tuple(file.path for file in deleted),
        freed_bytes=sum(file.freed_bytes for file in deleted),
        undeleted=tuple((file.path, reasons[file.path]) for file in refused),
        waiting=tuple((file.path, IN_USE) for file in waiting),
        waiting_bytes=sum(file.freed_bytes for file in waiting),
    )
