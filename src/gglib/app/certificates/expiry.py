"""Warns of the end of the server's certificate while it runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

CHECK_INTERVAL_S = 24 * 3600.0
"""One line a day in the log."""


@asynccontextmanager
async def warned_of_expiry(
    warning: Callable[[], str | None], warn: Callable[[str], None], interval_s: float = CHECK_INTERVAL_S
) -> AsyncIterator[None]:
    """During the block, pass ``warning()`` to ``warn`` once per interval, unless it is None. The start warns itself."""
    task = asyncio.create_task(_warn_periodically(warning, warn, interval_s), name="certificate-expiry")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _warn_periodically(
    warning: Callable[[], str | None], warn: Callable[[str], None], interval_s: float
) -> None:
    while True:
        await asyncio.sleep(interval_s)
        if (text := warning()) is not None:
            warn(text)
