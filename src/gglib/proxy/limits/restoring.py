"""Restores what keys with limits used before a restart, from the request history."""

import asyncio
import logging
from time import monotonic, time

from gglib.core.errors import GglibError
from gglib.core.ports.history import RequestHistoryPort
from gglib.proxy.limits.limiter import RateLimiter
from gglib.proxy.limits.window import WINDOW_S

log = logging.getLogger("gglib.proxy")


class UseRestoration:
    """Restores what keys used, once for all listeners that share a limiter: the others wait for the first one."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._is_done = False

    async def run(self, limiter: RateLimiter, history: RequestHistoryPort | None) -> None:
        """Add the requests of the last minute, after ``set_keys`` and before the first request.

        Without a history, or if it fails, nothing is used: a start does not depend on it.
        """
        if history is None:
            return
        async with self._lock:
            if not self._is_done:
                self._is_done = True
                await _restore(limiter, history)


async def _restore(limiter: RateLimiter, history: RequestHistoryPort) -> None:
    if not limiter.has_limits:
        return
    try:
        uses = await history.recent_use(time() - WINDOW_S)
    except GglibError as error:
        log.warning("what the keys used in the last minute is not known: %s", error)
        return
    limiter.restore(uses, monotonic() - time())
