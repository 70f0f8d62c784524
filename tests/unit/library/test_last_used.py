"""The time of last use reaches the catalogue, and never disturbs requests."""

import asyncio
import logging

import pytest

from gglib.core.errors import CatalogError
from gglib.core.models import ModelSummary
from gglib.library.last_used import LastUsedRecorder, recorded_periodically
from gglib.testing import FakeCatalog


class Used:
    """Collects ids as a runtime does."""

    def __init__(self) -> None:
        self.ids: set[int] = set()

    def take(self) -> set[int]:
        """Return the collected ids."""
        taken, self.ids = self.ids, set()
        return taken


@pytest.fixture(name="used")
def make_used() -> Used:
    """Return a collector."""
    return Used()


@pytest.fixture(name="catalog")
def make_catalog() -> FakeCatalog:
    """Return a catalogue of two models."""
    return FakeCatalog([ModelSummary(id=1, name="a"), ModelSummary(id=2, name="b")])


async def times(catalog: FakeCatalog) -> list[int | None]:
    """Return the time of last use of each model."""
    return [model.last_used_at for model in await catalog.list_models()]


async def test_used_models_are_written_with_the_time(catalog: FakeCatalog, used: Used) -> None:
    """Models used since the last write get the present time in whole seconds; the others keep theirs."""
    now = 1_700_000_000.7
    uses = LastUsedRecorder(used.take, catalog, lambda: now)
    used.ids = {1}
    await uses.write()
    now += 60
    used.ids = {2}
    await uses.write()
    assert await times(catalog) == [1_700_000_000, 1_700_000_060]


async def test_failed_write_loses_nothing(
    catalog: FakeCatalog, used: Used, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing catalogue is logged once, raises nothing, and gets everything when it works again."""
    uses = LastUsedRecorder(used.take, catalog, lambda: 5.0)
    used.ids = {1}
    catalog.fails_with = CatalogError("The disk is full.")
    with caplog.at_level(logging.WARNING):
        await uses.write()
        await uses.write()
    assert [record.getMessage() for record in caplog.records] == [
        "cannot record when models were last used: The disk is full."
    ]
    catalog.fails_with = None
    await uses.write()
    assert await times(catalog) == [5, None]


async def test_written_after_each_pause_and_at_the_end(catalog: FakeCatalog, used: Used) -> None:
    """Between two pauses nothing is written; the last uses are written when the block ends."""
    pauses: asyncio.Queue[None] = asyncio.Queue()
    written = asyncio.Event()

    def take() -> set[int]:
        written.set()
        return used.take()

    async with recorded_periodically(LastUsedRecorder(take, catalog, lambda: 5.0), pauses.get):
        used.ids = {1}
        assert await times(catalog) == [None, None]
        pauses.put_nowait(None)
        await written.wait()
        used.ids = {2}
        assert (await times(catalog))[1] is None
    assert await times(catalog) == [5, 5]


async def test_failing_block_still_writes(catalog: FakeCatalog, used: Used) -> None:
    """A server that ends with an error does not lose the last uses."""
    used.ids = {1}
    uses = LastUsedRecorder(used.take, catalog, lambda: 5.0)
    with pytest.raises(ZeroDivisionError):
        async with recorded_periodically(uses, asyncio.Event().wait):  # type: ignore[arg-type] # never returns
            raise ZeroDivisionError
    assert await times(catalog) == [5, None]
