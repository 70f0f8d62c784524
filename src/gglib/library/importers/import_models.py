"""Imports models of other programs into the catalogue without moving them: plans the import, and executes it.

The header reader and the store are passed in.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from gglib.core.errors import GglibError, InvalidGgufError
from gglib.core.file_names import is_unicode
from gglib.core.gguf_names import FileKind, kind_of, shard_of
from gglib.core.models import ModelSource, ModelSummary, NewModel
from gglib.core.name_rules import normalized_name
from gglib.core.ports.store import HomeStorePort
from gglib.library.add import (
    ModelFiles,
    ModelReader,
    adopted_or_added,
    default_name,
    usable_name,
    why_no_model,
)
from gglib.library.importers.candidates import Candidate
from gglib.library.importers.sources import ImportSource
from gglib.library.importers.walk import identity
from gglib.library.projector_files import is_projector

NOT_UNICODE = "its name is not UTF-8: rename the file or its directory"


class ImportState(StrEnum):
    """The state of a candidate in an import."""

    NEW = "new"
    KNOWN = "known"
    """It is already in the catalogue."""
    SKIPPED = "skipped"
    ADDED = "added"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportItem:
    """A candidate, and what the import does or did with it."""

    source: str
    path: Path
    state: ImportState
    name: str
    """The model's name; the file name if it is no model."""
    reason: str | None = None
    """Why it is not imported; a phrase."""
    model: NewModel | None = None
    """The row to add, if it is new."""


OnScan = Callable[[Path], None]
"""Called with each source and file before it is read, from the thread that reads."""


def _ignore(path: Path) -> None:  # noqa: ARG001 - the signature of ``OnScan``
    return None


def find_models(
    sources: Iterable[ImportSource],
    known: Sequence[ModelSummary],
    read_model: ModelReader,
    on_scan: OnScan = _ignore,
) -> list[ImportItem]:
    """Scan the sources and return all candidates, each file once. Reads headers, so it blocks."""

    def read(path: Path) -> ModelFiles:
        on_scan(path)
        return read_model(path)

    plan = _ImportPlan(known, read)
    for source in sources:
        on_scan(source.path)
        for candidate in source.find(source.path):
            plan.add(source.name, candidate)
    return plan.items


async def import_models(items: Iterable[ImportItem], store: HomeStorePort) -> list[ImportItem]:
    """Add the new items and return their results; a failure does not affect the others."""
    return [await _add(item, store) for item in items if item.model is not None]


async def _add(item: ImportItem, store: HomeStorePort) -> ImportItem:
    assert item.model is not None  # noqa: S101 - checked by the caller
    try:
        added = await adopted_or_added(item.model, store)
    except GglibError as error:
        return replace(item, state=ImportState.FAILED, reason=str(error).rstrip("."))
    return replace(item, state=ImportState.ADDED, name=added.name)


class _ImportPlan:
    """The items so far; no file and no name appears twice."""

    def __init__(self, known: Sequence[ModelSummary], read_model: ModelReader) -> None:
        self.items: list[ImportItem] = []
        self._read_model = read_model
        self._taken = {spelling.casefold() for model in known for spelling in (model.name, *model.aliases)}
        self._known_paths = {path: model.name for model in known for path in model.paths}
        self._known_files = {
            file: model.name
            for model in known
            for path in model.paths
            if (file := identity(path)) is not None
        }
        self._planned: dict[tuple[int, int], int] = {}
        """Index in ``items`` by file."""
        self._refused: dict[tuple[int, int], str] = {}
        """Why a file was rejected, so that its header is not read again under another name.

        Not for shards: they also depend on the files in the same directory.
        """

    def add(self, source: str, candidate: Candidate) -> None:
        """Classify one candidate."""
        label = candidate.name or candidate.path.name
        item = ImportItem(source=source, path=candidate.path, state=ImportState.SKIPPED, name=label)
        if candidate.fault is not None:
            self.items.append(replace(item, reason=candidate.fault))
            return
        file = identity(candidate.path)
        holder = self._known_paths.get(candidate.path) or (file and self._known_files.get(file))
        if holder:
            self.items.append(replace(item, state=ImportState.KNOWN, name=holder))
        elif file in self._planned:
            self._add_alias(self._planned[file], candidate, item)
        elif file in self._refused and shard_of(candidate.path.name) is None:
            self.items.append(replace(item, reason=self._refused[file]))
        else:
            self.items.append(self._read(candidate, item))
            if file is not None:
                self._remember(file)

    def _remember(self, file: tuple[int, int]) -> None:
        """Remember the result of the file that was read last, for its other names."""
        item = self.items[-1]
        if item.model is not None:
            self._planned[file] = len(self.items) - 1
        elif item.reason is not None and shard_of(item.path.name) is None:
            self._refused[file] = item.reason

    def _add_alias(self, index: int, candidate: Candidate, item: ImportItem) -> None:
        """Add a second name of a file as an alias; list a second path as skipped."""
        first = self.items[index]
        assert first.model is not None  # noqa: S101 - only those are planned
        if candidate.name is None or candidate.name.casefold() in self._taken:
            self.items.append(replace(item, reason=f"it is the same file as '{first.name}'"))
            return
        self._taken.add(candidate.name.casefold())
        model = replace(first.model, aliases=(*first.model.aliases, candidate.name))
        self.items[index] = replace(first, model=model)

    def _read(self, candidate: Candidate, item: ImportItem) -> ImportItem:
        """Read the header of a candidate and return its item."""
        named = (candidate.path, *(() if candidate.projector is None else (candidate.projector,)))
        if not all(is_unicode(str(path)) for path in named):
            return replace(item, reason=NOT_UNICODE)
        try:
            files = self._read_model(candidate.path)
        except InvalidGgufError as error:
            return replace(item, reason=str(error))
        if not all(is_unicode(str(path)) for path in files.paths):
            return replace(item, reason=NOT_UNICODE)
        reason = why_no_model(files.facts)
        if reason is not None:
            return replace(item, reason=reason)
        name = self._free_name(candidate)
        candidate = replace(candidate, projector=self._checked(candidate.projector))
        return replace(item, state=ImportState.NEW, name=name, model=_new_model(candidate, files, name))

    def _checked(self, projector: Path | None) -> Path | None:
        """Return the projector if its header confirms it: a wrong one prevents its model from loading.

        A projector from another program's manifest is not checked, because it is no guess by file name.
        """
        if projector is None or kind_of(projector.name) is not FileKind.PROJECTOR:
            return projector
        try:
            return projector if is_projector(self._read_model(projector).facts) else None
        except InvalidGgufError:
            return None

    def _free_name(self, candidate: Candidate) -> str:
        """Return the candidate's name, with a number appended if it is taken."""
        base = normalized_name(usable_name(candidate.name or default_name(candidate.path)))
        name, number = base, 2
        while name.casefold() in self._taken:
            name, number = f"{base}-{number}", number + 1
        self._taken.add(name.casefold())
        return name


def _new_model(candidate: Candidate, files: ModelFiles, name: str) -> NewModel:
    hashes = tuple(candidate.sha256_of(path) for path in files.paths)
    projector = candidate.projector
    return NewModel(
        name=name,
        paths=files.paths,
        size_bytes=files.size_bytes,
        facts=files.facts if projector is None else files.facts.with_vision(),
        source=ModelSource(
            origin=candidate.origin,
            repo=candidate.repo,
            revision=candidate.revision,
            file=candidate.file,
            sha256=hashes[0],
        ),
        hashes=hashes if any(hashes) else (),
        projector=projector,
        projector_sha256=None if projector is None else candidate.sha256_of(projector),
    )
