"""Loads the models of the setting ``preload`` after the start of a server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gglib.app.settings import Settings
from gglib.core.errors import GglibError, ShuttingDownError
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.proxy.aliases import AliasLists
from gglib.proxy.model_choice import CANNOT_RUN

logger = logging.getLogger("gglib")


@asynccontextmanager
async def preloading(
    settings: Settings, catalog: ModelCatalogPort, runtime: ModelRuntimePort, warn: Callable[[str], None]
) -> AsyncIterator[None]:
    """Load the models in the background, one after the other, until the block ends.

    ``warn`` is called with a sentence for each model that cannot be loaded.
    """
    task = asyncio.create_task(_preload(settings, catalog, runtime, warn), name="preload")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _preload(
    settings: Settings, catalog: ModelCatalogPort, runtime: ModelRuntimePort, warn: Callable[[str], None]
) -> None:
    for name in settings.preload:
        try:
            models = await _models_of(name, settings, catalog)
            loaded = await _load_first(models, runtime, settings.default_ctx)
            logger.info("preloaded '%s'", loaded)
        except ShuttingDownError:
            return
        except GglibError as error:
            warn(f"'{name}' cannot be preloaded: {error}")
        except Exception:  # the server continues
            logger.exception("'%s' cannot be preloaded", name)


async def _models_of(name: str, settings: Settings, catalog: ModelCatalogPort) -> tuple[str, ...]:
    """Return the models of an alias list, else the name itself: names of the catalogue take precedence."""
    if await catalog.resolve_model(name) is not None:
        return (name,)
    return AliasLists(settings.aliases).find(name) or (name,)


async def _load_first(models: tuple[str, ...], runtime: ModelRuntimePort, default_ctx: int) -> str:
    """Load the first model that can run, and return its name. Raises the error of the last."""
    *others, last = models
    for name in others:
        try:
            return (await runtime.load(name, None, default_ctx)).model_name
        except CANNOT_RUN as error:
            logger.info("preload: %s", error)
    return (await runtime.load(last, None, default_ctx)).model_name
