"""The memory of the devices is read seldom, by one task at a time, and never delays the status for long."""

import asyncio
from collections.abc import Mapping

import pytest

from gglib.core.memory import DeviceMemory
from gglib.runtime import device_readings
from gglib.runtime.device_readings import DeviceReadings

FIRST = {"ram": DeviceMemory(total_bytes=100, available_bytes=60)}
SECOND = {"ram": DeviceMemory(total_bytes=100, available_bytes=50)}


class Reader:
    """Returns the given readings in order, each once its gate is open."""

    def __init__(self, *readings: Mapping[str, DeviceMemory] | Exception) -> None:
        self.readings = list(readings)
        self.calls = 0
        self.has_begun, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Mapping[str, DeviceMemory]:
        self.calls += 1
        self.has_begun.set()
        await self.gate.wait()
        reading = self.readings.pop(0)
        if isinstance(reading, Exception):
            raise reading
        return reading


async def test_unknown_memory_is_empty() -> None:
    """A runtime without accounts knows no devices."""
    assert await DeviceReadings(None).newest() == {}


async def test_a_reading_serves_all_callers_while_it_is_young(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that ask while it is being read."""
    reader = Reader(FIRST, SECOND)
    readings = DeviceReadings(reader)
    assert await asyncio.gather(*(readings.newest() for _ in range(3))) == [FIRST] * 3
    assert (await readings.newest(), reader.calls) == (FIRST, 1)
    monkeypatch.setattr(device_readings, "MAX_AGE_S", 0.0)
    assert (await readings.newest(), reader.calls) == (SECOND, 2)


async def test_a_slow_reading_is_replaced_by_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The read continues, and no second one begins beside it."""
    monkeypatch.setattr(device_readings, "MAX_AGE_S", 0.0)
    reader = Reader(FIRST, SECOND)
    readings = DeviceReadings(reader)
    assert await readings.newest() == FIRST
    monkeypatch.setattr(device_readings, "MAX_WAIT_S", 0.0)
    reader.gate.clear()
    assert [await readings.newest() for _ in range(3)] == [FIRST] * 3
    assert reader.calls == 2
    reader.gate.set()
    monkeypatch.setattr(device_readings, "MAX_WAIT_S", 60.0)
    assert (await readings.newest(), reader.calls) == (SECOND, 2)


async def test_a_failed_reading_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last reading stays."""
    monkeypatch.setattr(device_readings, "MAX_AGE_S", 0.0)
    readings = DeviceReadings(Reader(FIRST, OSError("no driver"), OSError("no driver")))
    assert [await readings.newest() for _ in range(3)] == [FIRST] * 3
    assert [record.message for record in caplog.records] == [
        "the memory of the machine cannot be read: OSError: no driver"
    ]


async def test_closing_ends_a_read() -> None:
    """Nothing is left behind, whether a read runs or not."""
    reader = Reader(FIRST)
    readings = DeviceReadings(reader)
    readings.close()
    reader.gate.clear()
    asking = asyncio.create_task(readings.newest())
    await reader.has_begun.wait()
    readings.close()
    assert await asking == {}
