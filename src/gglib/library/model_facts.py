"""Keeps the facts of models in the catalogue in sync with their files, and detects files that no engine can load.

A file may be replaced or repaired while the server runs. Its header is read again when its mark (size, times, inode)
has changed: before a launch, and before models are listed. Headers are read in a thread and bounded by the reader's
limits; an unchanged file costs one ``stat``.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gglib.core.chat_templates import template_sha256
from gglib.core.errors import (
    CatalogError,
    InvalidGgufError,
    ModelLoadFailedError,
    ModelNotFoundError,
    UnreadableFileError,
)
from gglib.core.models import FileMark, ModelLaunchSpec, ModelSummary, NewModel
from gglib.core.ports.catalog import ModelStorePort
from gglib.library.add import ModelFiles, ModelReader, why_no_model
from gglib.library.projector_files import is_projector

logger = logging.getLogger("gglib")

_NS = 1_000_000_000
_PUT_BACK = "put the complete file back"

MarkReader = Callable[[Path], FileMark | None]
"""Returns None for a missing file and for anything that is no regular file."""


@dataclass(frozen=True, slots=True)
class _FileCheck:
    """The result of reading the headers of a model's files."""

    files: tuple[Path, ...]
    marks: tuple[FileMark | None, ...]
    """Taken before the files were read, so that a concurrent change is detected by the next check."""
    found: ModelFiles | None
    fault: str | None = None
    """Why no engine can load them, as a phrase."""
    is_final: bool = True
    """Whether the result may be cached; a lack of file descriptors, say, is no property of the file."""


class ModelFacts:
    """Reads headers again when files change, and updates the catalogue."""

    def __init__(self, store: ModelStorePort, read_model: ModelReader, read_mark: MarkReader) -> None:
        self._store = store
        self._read_model = read_model
        self._read_mark = read_mark
        self._readings: dict[int, _FileCheck] = {}
        self._running: dict[int, asyncio.Task[_FileCheck]] = {}

    async def check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Return the launch specification with the facts of the current files (``spec.marks``).

        Raises ``ModelLoadFailedError`` for files that no engine can load, ``ModelNotFoundError`` if the model was
        removed in the meantime.
        """
        model = await self._store.resolve_model(spec.model_name)
        if model is None or model.id != spec.model_id:
            raise ModelNotFoundError(spec.model_name)
        reading = await self._reading_of(model, spec.marks)
        if reading.fault is not None:
            raise ModelLoadFailedError(spec.model_name, reading.fault)
        fresh = await self._store.resolve_for_launch(spec.model_name)
        if fresh is None or fresh.model_id != spec.model_id:
            raise ModelNotFoundError(spec.model_name)
        marks = tuple(map(self._read_mark, fresh.files)) if fresh.files != spec.files else spec.marks
        return replace(fresh, marks=tuple(mark for mark in marks if mark is not None))

    async def refresh(self) -> bool:
        """Read the headers of changed files again; return whether any file had changed."""
        models = await self._store.list_models()
        changed = await asyncio.to_thread(self._changed_of, models)
        before = {model.id: model for model in models}
        for model, marks in changed:
            await self._reading_of(model, marks)
        self._readings = {key: reading for key, reading in self._readings.items() if key in before}
        return bool(changed)

    def _changed_of(
        self, models: Sequence[ModelSummary]
    ) -> list[tuple[ModelSummary, tuple[FileMark | None, ...]]]:
        """Return the models whose recorded facts may be outdated, with the current marks of their files."""
        found = []
        for model in models:
            if model.backend is not None:  # it may have no file, or one of another format
                continue
            marks = tuple(map(self._read_mark, model.all_files))
            known = self._readings.get(model.id)
            is_known = known is not None and (known.files, known.marks) == (model.all_files, marks)
            if not is_known and not _is_older_than_its_facts(model, marks):
                found.append((model, marks))
        return found

    async def _reading_of(self, model: ModelSummary, marks: tuple[FileMark | None, ...]) -> _FileCheck:
        known = self._readings.get(model.id)
        if known is not None and (known.files, known.marks) == (model.all_files, marks):
            return known
        running = self._running.get(model.id)
        if running is not None:
            reading = await asyncio.shield(running)
            if reading.marks == marks:
                return reading
        # A read that was in progress began before the latest change.
        running = self._running.get(model.id)
        if running is None:
            running = self._running[model.id] = asyncio.create_task(self._read(model), name="model-facts")
            running.add_done_callback(lambda _: self._running.pop(model.id, None))
        return await asyncio.shield(running)  # cancelling one caller must not cancel the read for others

    async def _read(self, model: ModelSummary) -> _FileCheck:
        reading = await asyncio.to_thread(self._read_now, model)
        if reading.found is not None and changed_model(model, reading.found) is not None:
            reading = await self._store_facts(model, reading.found, reading)
        if reading.is_final:
            self._readings[model.id] = reading
        return reading

    async def _store_facts(self, model: ModelSummary, found: ModelFiles, reading: _FileCheck) -> _FileCheck:
        try:
            # Look the row up again: a pull or the user may have changed it during the read.
            now = await self._store.resolve_model(model.name)
            if now is None or now.id != model.id or now.all_files != model.all_files:
                return replace(reading, is_final=False)
            changed = changed_model(now, found)
            stored = (
                None if changed is None else await self._store.replace_model(str(model.id), changed, seen=now)
            )
        except CatalogError as error:
            logger.warning("the facts of '%s' changed and could not be stored: %s", model.name, error)
            return replace(reading, is_final=False)
        if stored is None or stored.all_files == reading.files:
            return reading
        marks = await asyncio.to_thread(lambda: tuple(map(self._read_mark, stored.all_files)))
        return replace(reading, files=stored.all_files, marks=marks)

    def _read_now(self, model: ModelSummary) -> _FileCheck:
        marks = tuple(map(self._read_mark, model.all_files))
        try:
            found = read_usable(model, self._read_model)
        except UnreadableFileError as error:
            return _FileCheck(model.all_files, marks, None, str(error), is_final=False)
        except InvalidGgufError as error:
            return _FileCheck(model.all_files, marks, None, str(error))
        return _FileCheck(model.all_files, marks, found)


def read_usable(model: ModelSummary, read_model: ModelReader) -> ModelFiles:
    """Return the contents of the headers of a model's files. Blocks.

    Raises ``InvalidGgufError`` for files that no engine can load; the phrase names the file, the reason and the remedy.
    """
    found = _read_header(model.paths[0], read_model)
    reason = why_no_model(found.facts)
    if reason is not None:
        raise InvalidGgufError(f"the file {model.paths[0].name!r} is not the model's: {reason}; {_PUT_BACK}")
    if model.projector is not None and not is_projector(_read_header(model.projector, read_model).facts):
        raise InvalidGgufError(f"the file {model.projector.name!r} is not a projector (mmproj); {_PUT_BACK}")
    return found


def _read_header(path: Path, read_model: ModelReader) -> ModelFiles:
    try:
        return read_model(path)
    except InvalidGgufError as error:
        raise type(error)(f"the file {path.name!r} cannot be used: {error}; {_PUT_BACK}") from error


def changed_model(model: ModelSummary, found: ModelFiles) -> NewModel | None:
    """Return the new row of a model whose headers differ from the catalogue; None if they agree. Pure."""
    facts = found.facts if model.projector is None else found.facts.with_vision()
    recorded = (
        model.paths,
        model.size_bytes,
        model.architecture,
        model.trained_context,
        model.parameter_count,
        model.quantization,
        model.chat_template_sha256,
        # What was detected, not what the user set: an older gglib may have detected less.
        model.detected or model.capabilities,
        model.pooling,
    )
    current = (
        found.paths,
        found.size_bytes,
        facts.architecture,
        facts.trained_context,
        facts.parameter_count,
        facts.quantization,
        template_sha256(facts.chat_template),
        facts.capabilities,
        facts.pooling,
    )
    if recorded == current:
        return None
    return NewModel(
        name=model.name,
        paths=found.paths,
        size_bytes=found.size_bytes,
        description=model.description,
        facts=facts,
        source=model.source,
        # Hashes from a hub stay, so that 'gglib verify' detects damage; hashes computed locally do not.
        hashes=model.hashes if model.is_downloaded and len(found.paths) == len(model.paths) else (),
        projector=model.projector,
        projector_sha256=model.projector_sha256,
        is_downloaded=model.is_downloaded,
    )


def _is_older_than_its_facts(model: ModelSummary, marks: Sequence[FileMark | None]) -> bool:
    """Whether no file changed since the model was added, so that the recorded facts are valid.

    ``added_at`` is in whole seconds, so a change within that second counts as newer. A missing file has no facts to
    read. A row without chat and without a pooling type may come from an older gglib, which detected less; it costs one
    read after each start.
    """
    header = model.detected or model.capabilities
    if None not in marks and not header.chat and model.pooling is None:
        return False
    sizes = [mark.size_bytes for mark in marks[: len(model.paths)] if mark is not None]
    if None in marks:
        return True
    latest_ns = max((max(m.modified_ns, m.changed_ns) for m in marks if m is not None), default=0)
    return sum(sizes) == model.size_bytes and latest_ns < model.added_at * _NS
