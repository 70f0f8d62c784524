"""Records when models were last used, once a minute and at shutdown.

The request path only adds an id to a set. If the catalogue fails, the next write retries.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gglib.core.errors import GglibError
from gglib.core.ports.catalog import ModelStorePort

logger = logging.getLogger("gglib")

INTERVAL_S = 60.0
"""``last_used_at`` needs no finer resolution, and every write makes readers of the catalogue reload it."""


class LastUsedRecorder:
    """Collects uses that are not recorded yet.

    ``take_used_model_ids`` returns the ids of models used since its last call.
    """

    def __init__(
        self, take_used_model_ids: Callable[[], set[int]], store: ModelStorePort, now: Callable[[], float]
    ) -> None:
        self._take_used_model_ids = take_used_model_ids
        self._store = store
        self._now = now
        self._used_at: dict[int, int] = {}
        self._is_failing = False

    async def write(self) -> None:
        """Record the uses since the last write, if any. Never raises a ``GglibError``."""
        now = int(self._now())
        self._used_at.update(dict.fromkeys(self._take_used_model_ids(), now))
        if not self._used_at:
            return
        try:
            await self._store.note_use(dict(self._used_at))
        except GglibError as error:
            if not self._is_failing:
                logger.warning("cannot record when models were last used: %s", error)
            self._is_failing = True
        else:
            self._used_at.clear()
            self._is_failing = False


@asynccontextmanager
async def recorded_periodically(
    uses: LastUsedRecorder, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(INTERVAL_S)
) -> AsyncIterator[None]:
    """Write after each ``pause`` inside the block, and once at its end."""

    async def write_periodically() -> None:
        while True:
            await pause()
            await uses.write()

    writer = asyncio.create_task(write_periodically(), name="last-uses")
    try:
        yield
    finally:
        writer.cancel()
        await asyncio.wait([writer])
        await uses.write()
