"""Sets or removes the projector (mmproj) of a model in the catalogue, and reads the model's header again."""

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
    """Set the projector of a model, or remove it with None; the vision capability follows.

    Reads the model's header again, because a model may support vision without a projector. Raises ``InvalidGgufError``
    if the file is no projector or the model's file cannot be read; ``ModelNotFoundError`` if the model was removed.
    """

    def read(now: ModelSummary) -> NewModel:
        path = (
            None if projector is None else checked_projector(projector, lambda file: read_model(file).facts)
        )
        return _read_again(now, path, read_model)

    return await _replaced(model, read, store)


async def read_again(model: ModelSummary, store: ModelStorePort, read_model: ModelReader) -> ModelSummary:
    """Read the model's header again: an older gglib may have detected less.

    Raises ``InvalidGgufError`` if the model's file cannot be read.
    """
    return await _replaced(model, lambda now: _read_again(now, now.projector, read_model), store)


async def _replaced(
    model: ModelSummary, read: Callable[[ModelSummary], NewModel], store: ModelStorePort
) -> ModelSummary:
    """Replace the row with the result of ``read``, called in a thread; retry if an update moved the row meanwhile."""
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
