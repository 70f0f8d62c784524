"""The periodic collection of unused versions in a server."""

import asyncio

import pytest

from gglib.core.errors import CatalogError
from gglib.library.periodic_collection import collected_periodically


class Collector:
    """Counts collections; ``fails_with`` is raised by each."""

    def __init__(self) -> None:
        self.count = 0
        self.fails_with: Exception | None = None
        self._changed = asyncio.Event()

    async def __call__(self) -> None:
        self.count += 1
        self._changed.set()
        if self.fails_with is not None:
            raise self.fails_with

    async def seen(self, count: int) -> None:
        """Return after the given number of collections."""
        async with asyncio.timeout(5):
            while self.count < count:
                self._changed.clear()
                await self._changed.wait()


async def test_collects_on_request_and_at_the_end() -> None:
    """Each engine that ends requests a collection; the last one runs when the server has stopped."""
    collector = Collector()
    async with collected_periodically(collector, interval_s=3600) as collect_soon:
        assert collector.count == 0
        collect_soon()
        await collector.seen(1)
        collect_soon()
        await collector.seen(2)
    assert collector.count == 3


async def test_collects_regularly() -> None:
    """Also without a request."""
    collector = Collector()
    async with collected_periodically(collector, interval_s=0.001):
        await collector.seen(3)


@pytest.mark.parametrize("error", [CatalogError("The disk is gone."), OSError("The disk is gone.")])
async def test_failure_is_logged_once_and_retried(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """The next interval tries again, and the same sentence is not repeated."""
    collector = Collector()
    collector.fails_with = error
    async with collected_periodically(collector, interval_s=0.001):
        await collector.seen(5)
        collector.fails_with = None
    assert [record.getMessage() for record in caplog.records] == [
        "cannot delete files of older versions: The disk is gone."
    ]
