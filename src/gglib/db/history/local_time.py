"""The local time zone of this process."""

import time

from gglib.db.history.usage_times import hour_start


def local_offset(at_s: float) -> int:
    """Return the zone's offset from UTC in seconds at an instant."""
    return time.localtime(at_s).tm_gmtoff


def local_hour(at_s: float) -> int:
    """Return the start of the local hour, in seconds since the epoch."""
    return hour_start(at_s, local_offset)
