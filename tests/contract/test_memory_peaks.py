"""The contract of every store of measured peaks: the same tests for SQLite and for the fake."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from gglib.core.ports.memory_peaks import MemoryPeakStorePort
from gglib.db import SqliteCatalog
from gglib.db.peak_store import MAX_PEAKS
from gglib.testing import FakeCatalog


@pytest.fixture(params=["sqlite", "fake"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MemoryPeakStorePort]:
    """Return an empty store."""
    if request.param == "fake":
        yield FakeCatalog()
        return
    async with SqliteCatalog(tmp_path / "gglib.db") as opened:
        yield opened


async def test_a_recorded_peak_is_listed(store: MemoryPeakStorePort) -> None:
    """Sizes by device, whatever their number and magnitude."""
    assert await store.list_peaks() == {}
    await store.record_peak("a", {"ram": 2**40, "gpu0": 1})
    await store.record_peak("b", {"ram": 5})
    assert await store.list_peaks() == {"a": {"ram": 2**40, "gpu0": 1}, "b": {"ram": 5}}


async def test_a_new_peak_replaces_the_old_one(store: MemoryPeakStorePort) -> None:
    """All devices are replaced."""
    await store.record_peak("a", {"ram": 2, "gpu0": 1})
    await store.record_peak("a", {"ram": 1})
    assert await store.list_peaks() == {"a": {"ram": 1}}


async def test_the_oldest_peaks_are_deleted(tmp_path: Path) -> None:
    """The table stays small: a peak that was recorded again is not the oldest any more."""
    times = count()
    async with SqliteCatalog(tmp_path / "gglib.db", clock=lambda: next(times)) as store:
        for number in range(MAX_PEAKS):
            await store.record_peak(f"key {number}", {"ram": number + 1})
        await store.record_peak("key 0", {"ram": 1})
        await store.record_peak("new", {"ram": 1})
        found = await store.list_peaks()
    assert len(found) == MAX_PEAKS
    assert {"key 0", "new", "key 2"} <= found.keys()
    assert "key 1" not in found


@pytest.mark.parametrize("text", ["", "5", "[]", '{"ram": "5"}', '{"ram": true}', "{}", b"\xff"])
async def test_a_damaged_record_is_ignored(tmp_path: Path, text: str | bytes) -> None:
    """It is measured again; the others stay."""
    path = tmp_path / "gglib.db"
    async with SqliteCatalog(path) as store:
        await store.record_peak("whole", {"ram": 5})
        await store.record_peak("damaged", {"ram": 5})
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE memory_peaks SET size = ? WHERE key = 'damaged'", (text,))
        assert await store.list_peaks() == {"whole": {"ram": 5}}
