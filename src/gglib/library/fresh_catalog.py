"""The catalogue as a server shows it: a file that was replaced is read again before its model is listed."""

import asyncio
from collections.abc import Awaitable, Callable

from gglib.core.models import ModelLaunchSpec, ModelSummary
from gglib.core.ports import ModelCatalogPort

REFRESH_S = 2.0
"""Files are looked at when models are listed, and no more often than this: 500 of them take some milliseconds."""
REFRESH_LIMIT_S = 2.0
"""A listing does not wait longer for a disk that does not answer; it shows what is known."""


class FreshCatalog(ModelCatalogPort):
    """Passes everything on to ``catalog``; ``refresh`` is called, and waited for, before models are listed.

    ``refresh`` returns whether the catalogue has changed. ``clock`` says the time in seconds.
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
        """Return every model, with facts of the files that are there."""
        if self._running is None and self._clock() >= self._next_s:
            self._next_s = self._clock() + REFRESH_S
            self._running = asyncio.ensure_future(self._refresh())
            self._running.add_done_callback(self._forget)
        if self._running is not None:
            await asyncio.wait([self._running], timeout=REFRESH_LIMIT_S)
        return await self._catalog.list_models()

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model that ``name`` means, as the catalogue has it."""
        return await self._resolve(name)

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs, as the catalogue has it: the check before a launch reads the files itself."""
        return await self._catalog.resolve_for_launch(name)

    def _forget(self, refresh: "asyncio.Future[bool]") -> None:
        self._running = None
        if not refresh.cancelled():
            refresh.exception()  # a catalogue that fails says so to the next reader itself
