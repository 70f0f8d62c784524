"""A catalogue for servers that reads the headers of replaced files again before it lists models."""

import asyncio
from collections.abc import Awaitable, Callable

from gglib.core.models import ModelLaunchSpec, ModelSummary
from gglib.core.ports import ModelCatalogPort

REFRESH_S = 2.0
"""Minimum interval between checks of the files; a check of 500 files takes a few milliseconds."""
REFRESH_LIMIT_S = 2.0
"""Maximum wait of a listing for a slow disk; after it, the listing shows the recorded facts."""


class FreshCatalog(ModelCatalogPort):
    """Delegates to ``catalog`` and calls ``refresh`` before it lists models.

    ``refresh`` returns whether the catalogue changed. ``clock`` returns seconds.
    """

    def __init__(
        self,
        catalog: ModelCatalogPort,
        refresh: Callable[[], Awaitable[bool]],
        clock: Callable[[], float],
    ) -> None:
        self._catalog = catalog
        self._refresh = refresh
        self._clock = clock
        self._next_s = float("-inf")
        self._running: asyncio.Future[bool] | None = None
        self._resolve = catalog.resolve_model

    async def list_models(self) -> list[ModelSummary]:
        """Return every model, with the facts of the files as they are now."""
        if self._running is None and self._clock() >= self._next_s:
            self._next_s = self._clock() + REFRESH_S
            self._running = asyncio.ensure_future(self._refresh())
            self._running.add_done_callback(self._on_refreshed)
        if self._running is not None:
            await asyncio.wait([self._running], timeout=REFRESH_LIMIT_S)
        return await self._catalog.list_models()

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model with this name, as recorded."""
        return await self._resolve(name)

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return the launch specification as recorded: the check before a launch reads the files itself."""
        return await self._catalog.resolve_for_launch(name)

    def _on_refreshed(self, refresh: "asyncio.Future[bool]") -> None:
        self._running = None
        if not refresh.cancelled():
            refresh.exception()  # retrieved: the next read of a failing catalogue raises the error itself
