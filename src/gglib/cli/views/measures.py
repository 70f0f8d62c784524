"""Formats what was measured of requests, for the cells of tables: moments, durations, rates, counts. Pure.

A missing value is ``-``. Cells of numbers begin with a digit, so that ``tables`` aligns them at the right.
"""

from collections.abc import Sequence
from datetime import datetime

NO_VALUE = "-"
_TAIL_LENGTHS = (8, 12, 16)
"""Lengths of shortened ids. The ids of gglib differ at their ends, which count up (``new_request_id``)."""


def interval(seconds: float | None) -> str:
    """Format a duration: ``320 ms``, ``4.2 s``, ``2 min 5 s``, ``1 h 30 min``."""
    if seconds is None:
        return NO_VALUE
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s" if rest_s else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def rate(per_s: float | None) -> str:
    """Format a number per second, with tenths below 100."""
    if per_s is None:
        return NO_VALUE
    return f"{per_s:.1f}" if round(per_s, 1) < 100 else f"{per_s:,.0f}"


def short_time(seconds: float | None) -> str:
    """Return a duration of at most 8 characters: ``3.2 s``, ``5 min``, ``2.5 h``, ``3 d``."""
    if seconds is None:
        return NO_VALUE
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    if minutes < 100:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"


def short_rate(value: float | None) -> str:
    """Return a rate of at most 6 characters; nothing without one."""
    if value is None:
        return ""
    return f"{value:.1f}" if value < 1000 else f"{value / 1000:.1f}k"


def number(count: int | None) -> str:
    """Format a count with thousands separators."""
    return NO_VALUE if count is None else f"{count:,}"


def share(part: int, whole: int) -> str:
    """Format a part in percent; 0 and 100 are exact."""
    if not whole:
        return NO_VALUE
    percent = round(100 * part / whole)
    if part and part != whole:
        percent = min(99, max(1, percent))
    return f"{percent} %"


def moment(at_s: float, now: datetime) -> str:
    """Format a point in time in the zone of ``now``: the time of day, before today with the date."""
    at = local_time(at_s, now)
    if at is None:
        return NO_VALUE
    if at.date() == now.date():
        return f"{at:%H:%M:%S}"
    return f"{at:%m-%d %H:%M:%S}" if at.year == now.year else f"{at:%Y-%m-%d %H:%M:%S}"


def date_or_hour(at_s: float, now: datetime) -> str:
    """Format the start of a day or an hour in the zone of ``now``: the date, and the time if it is not midnight."""
    at = local_time(at_s, now)
    if at is None:
        return NO_VALUE
    return f"{at:%Y-%m-%d}" if (at.hour, at.minute) == (0, 0) else f"{at:%Y-%m-%d %H:%M}"


def date_and_time(at_s: float, now: datetime) -> str:
    """Format a point in time in the zone of ``now``."""
    at = local_time(at_s, now)
    return NO_VALUE if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def local_time(at_s: float, now: datetime) -> datetime | None:
    """Return a point in time in the zone of ``now``; None beyond the calendar, which a faulty server may send."""
    try:
        return datetime.fromtimestamp(at_s, now.tzinfo)
    except (ValueError, OverflowError, OSError):
        return None


def short_ids(ids: Sequence[str]) -> list[str]:
    """Return the ends of request ids that are enough to distinguish them; short ids, and like ones, are whole."""
    for length in _TAIL_LENGTHS:
        tails = [_tail(each, length) for each in ids]
        if len(set(tails)) == len(set(ids)):
            return tails
    return list(ids)


def _tail(request_id: str, length: int) -> str:
    """Return the end of an id in a form that can be typed: it is neither a number of a request nor an option."""
    if len(request_id) <= length + len("req_"):
        return request_id
    while request_id[-length:].isdigit() and request_id[-length] != "0" and length < len(request_id):
        length += 1
    return request_id[-length:].lstrip("-_.:") or request_id


def status_style(status: int | None, error: str | None) -> str:
    """Return the style of a status: red for errors of the server, also in a response that began as a success."""
    if status is not None and 400 <= status < 500:
        return "yellow"
    return "green" if error is None and status is not None and status < 400 else "red"
