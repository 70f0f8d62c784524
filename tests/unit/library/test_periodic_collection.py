"""When versions that nothing uses are collected beside a server."""

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
        """Return when there were so many collections."""
        async with asyncio.timeout(5):
            while self.count < count:
                self._changed.clear()
                await self._changed.wait()


async def test_it_collects_when_asked_and_at_the_end() -> None:
    """Each engine that ends asks for one; the last one comes when the server has stopped."""
    collector = Collector()
    async with collected_periodically(collector, interval_s=3600) as collect_soon:
        assert collector.count == 0
        collect_soon()
        await collector.seen(1)
        collect_soon()
        await collector.seen(2)
    assert collector.count == 3


async def test_it_collects_regularly() -> None:
    """Also when nothing asks for it."""
    collector = Collector()
    async with collected_periodically(collector, interval_s=0.001):
        await collector.seen(3)


@pytest.mark.parametrize("error", [CatalogError("The disk is gone."), OSError("The disk is gone.")])
async def test_a_failure_is_logged_once_and_tried_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The next turn comes, and the same sentence is not repeated."""
    collector = Collector()
    collector.fails_with = error
    async with collected_periodically(collector, interval_s=0.001):
        await collector.seen(5)
        collector.fails_with = None
    assert [record.getMessage() for record in caplog.records] == [
        "cannot delete files of older versions: The disk is gone."
    ]
