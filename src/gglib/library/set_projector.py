"""Reads the header of a model of the catalogue again, with another projector (mmproj), or none. Knows the core only."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from gglib.core.errors import InvalidGgufError
from gglib.core.models import ModelSummary, NewModel
from gglib.core.names import not_found
from gglib.core.ports.catalog import ModelStorePort
from gglib.library.add import ModelFiles, ModelReader
from gglib.library.projector_files import checked_projector


async def set_projector(
    model: ModelSummary, projector: Path | None, store: ModelStorePort, read_model: ModelReader
) -> ModelSummary:
    """Return the model with this projector, or without one; vision follows.

    Reads the model's header again, for whether it sees without one. Raises ``InvalidGgufError`` for a file that is no
    projector, and for a model whose own file cannot be read; ``ModelNotFoundError`` for one that was removed meanwhile.
    """

    def read(now: ModelSummary) -> NewModel:
        path = (
            None if projector is None else checked_projector(projector, lambda file: read_model(file).facts)
        )
        return _read_again(now, path, read_model)

    return await _replaced(model, read, store)


async def read_again(model: ModelSummary, store: ModelStorePort, read_model: ModelReader) -> ModelSummary:
    """Return the model with what its header says now: an older gglib may have understood less of it.

    Raises ``InvalidGgufError`` for a model whose file cannot be read.
    """
    return await _replaced(model, lambda now: _read_again(now, now.projector, read_model), store)


async def _replaced(
    model: ModelSummary, read: Callable[[ModelSummary], NewModel], store: ModelStorePort
) -> ModelSummary:
    """Put what ``read`` says, in a thread, into the row; read again where an update moved the row meanwhile."""
    now: ModelSummary | None = model
    while now is not None:
        new = await asyncio.to_thread(read, now)
        changed = await store.replace_model(str(model.id), new, seen=now)
        if changed is not None:
            return changed
        now = await store.resolve_model(str(model.id))
    raise not_found(model.name, await store.list_models())


def _read_again(model: ModelSummary, path: Path | None, read_model: ModelReader) -> NewModel:
    files = _read(model, read_model)
    return NewModel(
        name=model.name,
        paths=files.paths,
        size_bytes=files.size_bytes,
        description=model.description,
        facts=files.facts if path is None else files.facts.with_vision(),
        source=model.source,
        hashes=model.hashes if len(model.hashes) == len(files.paths) else (),
        projector=path,
        projector_sha256=model.projector_sha256 if path == model.projector else None,
        is_downloaded=model.is_downloaded,
    )


def _read(model: ModelSummary, read_model: ModelReader) -> ModelFiles:
    try:
        return read_model(model.paths[0])
    except InvalidGgufError as error:
        raise InvalidGgufError(f"The file of model '{model.name}' cannot be read: {error}.") from error
