"""Garbage-collects unused versions while a server runs: once a minute, and after an engine has exited.

The collector is passed in. After a failure the next run retries.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gglib.core.errors import GglibError

logger = logging.getLogger("gglib")

INTERVAL_S = 60.0
"""Upper bound for the delay after an engine of another process exits, or a disk comes back."""

Collect = Callable[[], Awaitable[object]]
"""Raises ``GglibError`` or OSError."""


@asynccontextmanager
async def collected_periodically(
    collect: Collect, *, interval_s: float = INTERVAL_S
) -> AsyncIterator[Callable[[], None]]:
    """Collect every ``interval_s`` inside the block, and once at its end.

    Yields a function that requests a collection; call it from the loop's thread. It returns immediately.
    """
    is_requested = asyncio.Event()
    collector = asyncio.create_task(_collect_periodically(collect, is_requested, interval_s), name="versions")
    try:
        yield is_requested.set
    finally:
        collector.cancel()
        await asyncio.wait([collector])
        await _collect(collect, None)


async def _collect_periodically(collect: Collect, is_requested: asyncio.Event, interval_s: float) -> None:
    warned: str | None = None
    while True:
        try:
            async with asyncio.timeout(interval_s):
                await is_requested.wait()
        except TimeoutError:
            pass
        is_requested.clear()
        warned = await _collect(collect, warned)


async def _collect(collect: Collect, warned: str | None) -> str | None:
    """Collect once; return the error message, if any, so that the same error is logged once."""
    try:
        await collect()
    except (GglibError, OSError) as error:
        if str(error) != warned:
            logger.warning("cannot delete files of older versions: %s", error)
        return str(error)
    return None
