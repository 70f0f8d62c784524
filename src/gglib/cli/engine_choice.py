"""Selects the engine for a server, and warns if it is not the expected one."""

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.runtime.engines import Engine

logger = logging.getLogger("gglib")


def choose_engine(settings: "Settings") -> "Engine":
    """Return the engine, after querying its version. Blocks for seconds if the engine probes its GPUs.

    A broken llama-server on the PATH is reported on stderr and in the log. Raises ``EngineNotFoundError``.
    """
    from gglib.cli.views import render
    from gglib.runtime.engines import find_engine

    engine = find_engine(settings.engine)
    _ = engine.description
    if engine.warning is not None:
        render.echo(f"Warning: {engine.warning}", is_error=True)
        logger.warning("%s", engine.warning)
    return engine


async def choose_engine_async(settings: "Settings") -> "Engine":
    """Like ``choose_engine``, without blocking the event loop."""
    return await asyncio.to_thread(choose_engine, settings)
