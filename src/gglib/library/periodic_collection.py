"""Deletes versions that nothing uses any more, beside a server: once a minute, and after an engine has ended.

Knows the core only; what collects is passed in. A failure ends nothing: the next turn tries again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gglib.core.errors import GglibError

logger = logging.getLogger("gglib")

INTERVAL_S = 60.0
"""A version that an engine of another process had, or whose disk was away, goes a minute later at the latest."""

Collect = Callable[[], Awaitable[object]]
"""Raises ``GglibError`` or OSError."""


@asynccontextmanager
async def collected_periodically(
    collect: Collect, *, interval_s: float = INTERVAL_S
) -> AsyncIterator[Callable[[], None]]:
    """Collect every ``interval_s`` while the block lasts, and once more at its end.

    Yields what asks for a collection soon; it is called from the loop's thread, and returns at once.
    """
    is_asked = asyncio.Event()
    collector = asyncio.create_task(_collect_again_and_again(collect, is_asked, interval_s), name="versions")
    try:
        yield is_asked.set
    finally:
        collector.cancel()
        await asyncio.wait([collector])
        await _collect(collect, None)


async def _collect_again_and_again(collect: Collect, is_asked: asyncio.Event, interval_s: float) -> None:
    warned: str | None = None
    while True:
        try:
            async with asyncio.timeout(interval_s):
                await is_asked.wait()
        except TimeoutError:
            pass
        is_asked.clear()
        warned = await _collect(collect, warned)


async def _collect(collect: Collect, warned: str | None) -> str | None:
    """Collect once; return the failure that was logged, where it failed: the same one is logged once."""
    try:
        await collect()
    except (GglibError, OSError) as error:
        if str(error) != warned:
            logger.warning("files of older versions cannot be deleted: %s", error)
        return str(error)
    return None
