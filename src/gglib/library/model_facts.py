"""Keeps what the catalogue says of models true to their files, and finds files that no engine could load.

A file may be replaced or repaired beside a running server. Its header is read again when its mark (size, times, inode)
is another one than at the last reading: before a launch, and before models are listed. Reading stays off the event loop
and is bounded by the header's own limits; a file that has not changed costs a ``stat``.
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
_PUT_BACK = "put the whole file in its place again"

MarkReader = Callable[[Path], FileMark | None]
"""Returns None for what is not there, or is no regular file."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was found in the files of a model at one time."""

    files: tuple[Path, ...]
    marks: tuple[FileMark | None, ...]
    """Before the files were read: a change in the meantime is found the next time."""
    found: ModelFiles | None
    fault: str | None = None
    """Why no engine could load them, as a phrase."""
    is_final: bool = True
    """Whether it would be read the same way again; a system without free descriptors is no property of a file."""


class ModelFacts:
    """Reads the headers of models anew when their files change, and puts what they say into the catalogue."""

    def __init__(self, store: ModelStorePort, read_model: ModelReader, read_mark: MarkReader) -> None:
        self._store = store
        self._read_model = read_model
        self._read_mark = read_mark
        self._readings: dict[int, _Reading] = {}
        self._running: dict[int, asyncio.Task[_Reading]] = {}

    async def check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Return what to launch, with facts of the files as they are now (``spec.marks``).

        Raises ``ModelLoadFailedError`` for files that no engine could load, ``ModelNotFoundError`` for a model that was
        removed meanwhile.
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
        """Read again the files that changed since their facts were read; return whether the catalogue changed."""
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
        """Return the models whose facts may be of other files than those that are there, with the marks of these."""
        found = []
        for model in models:
            marks = tuple(map(self._read_mark, model.all_files))
            known = self._readings.get(model.id)
            is_known = known is not None and (known.files, known.marks) == (model.all_files, marks)
            if not is_known and not _is_older_than_its_facts(model, marks):
                found.append((model, marks))
        return found

    async def _reading_of(self, model: ModelSummary, marks: tuple[FileMark | None, ...]) -> _Reading:
        known = self._readings.get(model.id)
        if known is not None and (known.files, known.marks) == (model.all_files, marks):
            return known
        running = self._running.get(model.id)
        if running is not None:
            reading = await asyncio.shield(running)
            if reading.marks == marks:
                return reading
        # What was under way, if anything, began before the file became what it is now.
        running = self._running.get(model.id)
        if running is None:
            running = self._running[model.id] = asyncio.create_task(self._read(model), name="model-facts")
            running.add_done_callback(lambda _: self._running.pop(model.id, None))
        return await asyncio.shield(running)  # a caller that leaves does not end it for the others

    async def _read(self, model: ModelSummary) -> _Reading:
        reading = await asyncio.to_thread(self._read_now, model)
        if reading.found is not None and changed_model(model, reading.found) is not None:
            reading = await self._store_facts(model, reading.found, reading)
        if reading.is_final:
            self._readings[model.id] = reading
        return reading

    async def _store_facts(self, model: ModelSummary, found: ModelFiles, reading: _Reading) -> _Reading:
        try:
            # The row as it is now: a pull or the user may have changed it while the files were read.
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

    def _read_now(self, model: ModelSummary) -> _Reading:
        marks = tuple(map(self._read_mark, model.all_files))
        try:
            found = read_usable(model, self._read_model)
        except UnreadableFileError as error:
            return _Reading(model.all_files, marks, None, str(error), is_final=False)
        except InvalidGgufError as error:
            return _Reading(model.all_files, marks, None, str(error))
        return _Reading(model.all_files, marks, found)


def read_usable(model: ModelSummary, read_model: ModelReader) -> ModelFiles:
    """Return what the headers of a model's files say. Blocks.

    Raises ``InvalidGgufError`` for files that no engine could load, with a phrase that says which one, why, and what
    helps.
    """
    found = _read_one(model.paths[0], read_model)
    reason = why_no_model(found.facts)
    if reason is not None:
        raise InvalidGgufError(f"the file {model.paths[0].name!r} is not the model's: {reason}; {_PUT_BACK}")
    if model.projector is not None and not is_projector(_read_one(model.projector, read_model).facts):
        raise InvalidGgufError(f"the file {model.projector.name!r} is not a projector (mmproj); {_PUT_BACK}")
    return found


def _read_one(path: Path, read_model: ModelReader) -> ModelFiles:
    try:
        return read_model(path)
    except InvalidGgufError as error:
        raise type(error)(f"the file {path.name!r} cannot be used: {error}; {_PUT_BACK}") from error


def changed_model(model: ModelSummary, found: ModelFiles) -> NewModel | None:
    """Return what the catalogue has to say of a model whose files say something else; None where they agree. Pure."""
    facts = found.facts if model.projector is None else found.facts.with_vision()
    said = (
        model.paths,
        model.size_bytes,
        model.architecture,
        model.trained_context,
        model.parameter_count,
        model.quantization,
        model.chat_template_sha256,
        # The header's, not the user's word: an older gglib may have understood less of it.
        model.detected or model.capabilities,
        model.pooling,
    )
    says = (
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
    if said == says:
        return None
    return NewModel(
        name=model.name,
        paths=found.paths,
        size_bytes=found.size_bytes,
        description=model.description,
        facts=facts,
        source=model.source,
        # What a hub promised still holds, so that 'gglib verify' finds the damage; what gglib computed itself does not.
        hashes=model.hashes if model.is_downloaded and len(found.paths) == len(model.paths) else (),
        projector=model.projector,
        projector_sha256=model.projector_sha256,
        is_downloaded=model.is_downloaded,
    )


def _is_older_than_its_facts(model: ModelSummary, marks: Sequence[FileMark | None]) -> bool:
    """Whether no file changed since the model was added: then what was read at that time holds.

    The date is in whole seconds, so a file that changed within that second is not believed. A file that is missing has
    no facts to be read. The row of an embedding model or a reranker that does not say how it pools is an older gglib's,
    which knew less of headers; as does one of a model that does none of it, it costs one reading after each start.
    """
    header = model.detected or model.capabilities
    if None not in marks and not header.chat and model.pooling is None:
        return False
    sizes = [mark.size_bytes for mark in marks[: len(model.paths)] if mark is not None]
    if None in marks:
        return True
    latest_ns = max((max(m.modified_ns, m.changed_ns) for m in marks if m is not None), default=0)
    return sum(sizes) == model.size_bytes and latest_ns < model.added_at * _NS
