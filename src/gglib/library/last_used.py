"""Writes down which models were used, once a minute and in the end. Knows the core only.

What gathers them on the way of a request is passed in, and costs a set's ``add`` there. A catalogue that fails
disturbs nobody: what could not be written is tried again with the next time.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gglib.core.errors import GglibError
from gglib.core.ports.catalog import ModelStorePort

logger = logging.getLogger("gglib")

INTERVAL_S = 60.0
"""``last_used_at`` is a minute's matter, and every write makes those who read the catalogue look at it."""


class LastUsedRecorder:
    """What was used and is not written yet. ``take_used`` returns the ids of models used since it was last asked."""

    def __init__(
        self, take_used: Callable[[], set[int]], store: ModelStorePort, now: Callable[[], float]
    ) -> None:
        self._take_used = take_used
        self._store = store
        self._now = now
        self._used_at: dict[int, int] = {}
        self._is_failing = False

    async def write(self) -> None:
        """Write what was used since the last time; nothing when nothing was. Never raises a ``GglibError``."""
        now = int(self._now())
        self._used_at.update(dict.fromkeys(self._take_used(), now))
        if not self._used_at:
            return
        try:
            await self._store.note_use(dict(self._used_at))
        except GglibError as error:
            if not self._is_failing:
                logger.warning("when models were used cannot be noted: %s", error)
            self._is_failing = True
        else:
            self._used_at.clear()
            self._is_failing = False


@asynccontextmanager
async def recorded_periodically(
    uses: LastUsedRecorder, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(INTERVAL_S)
) -> AsyncIterator[None]:
    """Write after each ``pause`` for as long as the block lasts, and once more at its end."""

    async def write_again_and_again() -> None:
        while True:
            await pause()
            await uses.write()

    writer = asyncio.create_task(write_again_and_again(), name="last-uses")
    try:
        yield
    finally:
        writer.cancel()
        await asyncio.wait([writer])
        await uses.write()
