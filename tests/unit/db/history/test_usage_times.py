"""Hours and days of time zones, with the zones of the standard library as the reference."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.db.history.usage_times import OffsetOf, day_start, hour_start

ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")


def offsets(zone: ZoneInfo) -> OffsetOf:
    """Return the offsets of a zone."""

    def offset_of(at_s: float) -> int:
        offset = datetime.fromtimestamp(at_s, zone).utcoffset() or timedelta()
        return int(offset.total_seconds())

    return offset_of


@given(st.sampled_from(ZONES), st.floats(1_600_000_000, 1_900_000_000))
def test_hours_and_days(name: str, at_s: float) -> None:
    """An hour begins at minute 0 and a day at midnight of the local time."""
    zone = ZoneInfo(name)
    offset_of = offsets(zone)
    at = datetime.fromtimestamp(at_s, zone)
    start = datetime.fromtimestamp(hour_start(at_s, offset_of), zone)
    assert 0 <= at_s - hour_start(at_s, offset_of) < 3600
    if start.utcoffset() == at.utcoffset():
        assert (start.hour, start.minute, start.second) == (at.hour, 0, 0)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    assert day_start(at_s, offset_of) == midnight.timestamp()


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, 23), (10, 25, 25), (6, 1, 24)])
def test_days_of_clock_changes(month: int, day: int, hours: int) -> None:
    """All their hours belong to one day, and the repeated hour is two."""
    zone = ZoneInfo("Europe/Berlin")
    offset_of = offsets(zone)
    first_s = int(datetime(2026, month, day, tzinfo=zone).timestamp())
    found = {hour_start(at_s, offset_of) for at_s in range(first_s, first_s + hours * 3600, 600)}
    assert len(found) == hours
    assert {day_start(hour, offset_of) for hour in found} == {first_s}
    assert day_start(first_s + hours * 3600, offset_of) == first_s + hours * 3600
