"""Composes the model library of a server from the settings, the catalogue and the hub."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from gglib.app.models.catalog import add_file
from gglib.app.models.first_models import first_model_list
from gglib.app.models.fits import list_fits
from gglib.app.models.hub import open_hub
from gglib.app.models.pulls import discard_target, pull_by_name
from gglib.app.models.search import model_finder
from gglib.app.settings import Settings
from gglib.core.errors import ModelFileNotFoundError
from gglib.core.file_names import safe_repo, safe_revision
from gglib.core.hub.first_models import FirstModelList
from gglib.core.hub.repository import HubSort
from gglib.core.hub.search_results import RepositoryResult, SearchResult
from gglib.core.hub.updates import UpstreamCheck
from gglib.core.model_fits import ModelFits
from gglib.core.models import GgufFacts, ModelSummary
from gglib.core.ports import ModelLibraryPort
from gglib.core.ports.hub import ModelHubPort
from gglib.core.ports.store import HomeStorePort
from gglib.gguf import read_model
from gglib.library.edit import edit_model
from gglib.library.outdated import check_upstream
from gglib.library.pull.queue import Downloads
from gglib.library.remove import Removals
from gglib.library.service import ModelLibrary
from gglib.library.variants.pull_target import PullTarget, read_target
from gglib.library.verifier import Verifier
from gglib.library.versions.locks import HomeLocks
from gglib.runtime.local.kept_prompts.store import delete_model
from gglib.system.files.hashing import hash_file

logger = logging.getLogger("gglib")


@asynccontextmanager
async def open_library(
    settings: Settings, store: HomeStorePort, current_settings: Callable[[], Settings] | None = None
) -> AsyncIterator[ModelLibraryPort]:
    """Yield the library of a server, with the hub from the environment; leaving the block cancels its downloads.

    ``current_settings`` returns those that searches judge the fit for, if they can change.
    """
    async with (
        open_hub() as hub,
        Downloads(
            partial(pull_by_name, settings, store, hub),
            discard=partial(discard_target, settings, store),
            clock=time.monotonic,
            now=time.time,
            identify=read_target,
        ) as downloads,
    ):
        yield build_library(settings, store, hub, downloads, current_settings)


def build_library(
    settings: Settings,
    store: HomeStorePort,
    hub: ModelHubPort,
    downloads: Downloads,
    current_settings: Callable[[], Settings] | None = None,
) -> ModelLibrary:
    """Return the library; its methods call the same functions as the commands."""
    current = current_settings or (lambda: settings)
    return ModelLibrary(
        downloads=downloads,
        add=partial(add_file, store=store, settings=settings),
        edit=partial(edit_model, store=store),
        facts=read_facts,
        removals=removals(settings, store),
        verifier=Verifier(store, hash_file),
        fits=partial(_fits, current, store),
        updates=partial(_updates, store, hub),
        first_models=partial(_first_models, current, hub),
        find=partial(_find, current, hub),
        show=partial(_show, current, hub),
    )


def removals(settings: Settings, store: HomeStorePort) -> Removals:
    """Return the remover of a home's models."""
    return Removals(store, settings.models_dir, HomeLocks(settings.home), partial(_forget, settings.kept_dir))


def _forget(kept_dir: Path, model_id: int) -> None:
    """Delete the saved conversations of a model that was removed."""
    try:
        delete_model(kept_dir, model_id)
    except OSError as error:
        logger.warning(
            "the saved conversations in %s cannot be deleted (%s): 'gglib prune' deletes them later",
            kept_dir / str(model_id),
            error.strerror or error,
        )


async def read_facts(model: ModelSummary) -> GgufFacts:
    """Return the facts in the headers of a model's files.

    Raises ``ModelFileNotFoundError`` without its first file, and ``InvalidGgufError``.
    """
    if not model.paths or not await asyncio.to_thread(model.paths[0].is_file):
        raise ModelFileNotFoundError(model.name)
    return (await asyncio.to_thread(read_model, model.paths[0])).facts


async def _fits(current: Callable[[], Settings], store: HomeStorePort) -> ModelFits:
    return await list_fits(current(), store)


async def _updates(store: HomeStorePort, hub: ModelHubPort) -> list[UpstreamCheck]:
    return await check_upstream(await store.list_models(), await store.list_versions(), hub)


async def _first_models(current: Callable[[], Settings], hub: ModelHubPort) -> FirstModelList:
    return await first_model_list(current(), hub)


async def _find(  # noqa: PLR0913 - bound, and what a search is made of
    current: Callable[[], Settings],
    hub: ModelHubPort,
    query: str,
    *,
    sort: HubSort,
    limit: int,
    max_size_bytes: int | None,
) -> SearchResult:
    finds = await model_finder(current(), hub)
    return await finds.search(query, sort=sort, limit=limit, max_size_bytes=max_size_bytes)


async def _show(
    current: Callable[[], Settings], hub: ModelHubPort, repo: str, revision: str | None
) -> RepositoryResult:
    safe_repo(repo)  # before it is part of an address
    if revision is not None:
        safe_revision(revision)
    finds = await model_finder(current(), hub)
    return await finds.show(PullTarget(repo=repo, revision=revision))
