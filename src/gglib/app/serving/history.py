"""Opens the request history of a server, and applies its settings while it serves."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gglib.app.settings import Settings
from gglib.core.history.records import RecordedBodies
from gglib.db import SqliteHistory
from gglib.proxy import LiveHistory
from gglib.proxy.telemetry.recorder import flush_pending

Redact = Callable[[RecordedBodies], RecordedBodies]
"""Returns bodies as they may be stored; called in the thread that writes the history."""

logger = logging.getLogger("gglib")

_MIB = 1024 * 1024
_DAY_S = 86_400


class ServerHistory:
    """The history of a server: open while the setting ``history`` is on."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self.live = LiveHistory()
        """For ``serve``."""
        self._open: SqliteHistory | None = None

    async def apply(self, settings: Settings) -> None:
        """Open, close or reconfigure the history. A file that cannot be opened is logged: requests are still served."""
        max_bytes, max_age_s = settings.history_mb * _MIB, settings.history_days * _DAY_S
        if not settings.history:
            await self.close()
        elif self._open is not None:
            self._open.reconfigure(max_bytes=max_bytes, max_age_s=max_age_s)
        else:
            path = settings.history_database
            history = SqliteHistory(path, max_bytes=max_bytes, max_age_s=max_age_s, redact=self._redact)
            await history.__aenter__()
            self._open = self.live.current = history
            if (error := history.statistics().error) is not None:
                logger.warning("requests are not stored: %s", error)

    async def close(self) -> None:
        """Store what has ended, and close the file."""
        if self._open is not None:
            flush_pending()  # the requests that the recorder has not handed over yet
        history, self._open, self.live.current = self._open, None, None
        if history is not None:
            await history.__aexit__(None, None, None)


@asynccontextmanager
async def open_history(settings: Settings, redact: Redact) -> AsyncIterator[ServerHistory]:
    """Open the history of ``settings.home`` for the duration of the block, unless the setting is off."""
    history = ServerHistory(redact)
    await history.apply(settings)
    try:
        yield history
    finally:
        await history.close()
