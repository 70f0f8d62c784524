"""Finds the engine for a command that serves, and says so where it is not the one that was expected."""

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.runtime.engines import Engine

logger = logging.getLogger("gglib")


def choose_engine(settings: "Settings") -> "Engine":
    """Return the engine, which has been asked for its version. Blocks for seconds where it looks for its GPUs.

    A broken one on the PATH is reported on stderr and in the log. Raises ``EngineNotFoundError``.
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
    """Do the same without blocking the loop."""
    return await asyncio.to_thread(choose_engine, settings)
