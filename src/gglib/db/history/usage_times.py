"""Hours and days of a time zone as instants, in seconds since the epoch. Pure: the zone's offsets are a function."""

from collections.abc import Callable

HOUR_S = 3600
DAY_S = 86_400

OffsetOf = Callable[[float], int]
"""The zone's offset from UTC in seconds at an instant."""


def hour_start(at_s: float, offset_of: OffsetOf) -> int:
    """Return the start of the hour of ``at_s``. Zones may be half an hour off UTC."""
    whole_s = int(at_s // 1)
    return whole_s - (whole_s + offset_of(whole_s)) % HOUR_S


def day_start(at_s: float, offset_of: OffsetOf) -> int:
    """Return the midnight at which the day of ``at_s`` begins, the same for all hours of the day.

    Clocks change at most once in a day and not at noon, so noon's offset leads to midnight's.
    """
    whole_s = int(at_s // 1)
    midnight_local_s = (whole_s + offset_of(whole_s)) // DAY_S * DAY_S
    noon_s = midnight_local_s + DAY_S // 2 - offset_of(whole_s)
    midnight_s = midnight_local_s - offset_of(noon_s)
    return midnight_local_s - offset_of(midnight_s)
