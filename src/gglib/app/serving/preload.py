"""Loads the models of the setting ``preload`` after the start of a server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from gglib.app.settings import Settings
from gglib.core.errors import GglibError, ShuttingDownError
from gglib.core.models import RunningTarget
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.names.candidates import Candidate, log_skip, resolve_candidates
from gglib.proxy.names.fallback import first_that_runs

logger = logging.getLogger("gglib")


@asynccontextmanager
async def preloading(
    settings: Settings,
    catalog: ModelCatalogPort,
    runtime: ModelRuntimePort,
    warn: Callable[[str], None],
    on_done: Callable[[], None] = lambda: None,
) -> AsyncIterator[None]:
    """Load the models in the background, one after the other, until the block ends.

    ``warn`` is called with a sentence for each model that cannot be loaded, and ``on_done`` when each is loaded or has
    failed, but not if the block ends before.
    """

    async def preload() -> None:
        await _preload(settings, catalog, runtime, warn)
        on_done()

    task = asyncio.create_task(preload(), name="preload")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _preload(
    settings: Settings, catalog: ModelCatalogPort, runtime: ModelRuntimePort, warn: Callable[[str], None]
) -> None:
    aliases = AliasLists(settings.aliases)

    async def load(candidate: Candidate) -> RunningTarget:
        return await runtime.load(candidate.name, None, settings.default_ctx)

    for name in settings.preload:
        try:
            candidates = await resolve_candidates(name, catalog, aliases)
            target = await first_that_runs(candidates, load, on_skip=partial(log_skip, "preload"))
            logger.info("preloaded '%s'", target.model_name)
        except ShuttingDownError:
            return
        except GglibError as error:
            warn(f"'{name}' cannot be preloaded: {error}")
        except Exception:  # the server continues
            logger.exception("'%s' cannot be preloaded", name)
