"""Selects the engine for a server, and warns if it is not the expected one."""

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.runtime.engines import Engine

logger = logging.getLogger("gglib")


def choose_engine(settings: "Settings", *, prints_warning: bool = True) -> "Engine":
    """Return the engine, after querying its version. Blocks for seconds if the engine probes its GPUs.

    A broken llama-server on the PATH is reported in the log and, with ``prints_warning``, on stderr. Raises
    ``EngineNotFoundError``.
    """
    from gglib.cli.views import render
    from gglib.runtime.engines import find_engine

    engine = find_engine(settings.engine)
    _ = engine.description
    if engine.warning is not None:
        if prints_warning:
            render.warn(engine.warning)
        logger.warning("%s", engine.warning)
    return engine


async def choose_engine_async(settings: "Settings", *, prints_warning: bool = True) -> "Engine":
    """Like ``choose_engine``, without blocking the event loop."""
    return await asyncio.to_thread(choose_engine, settings, prints_warning=prints_warning)
