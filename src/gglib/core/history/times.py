"""Parses points in time as users type them: ``90m``, ``7d``, ``2026-11-28``, ``2026-11-28T10:30``. Pure."""

import re
from datetime import datetime, timedelta

EXPECTED = (
    "a time ago such as 90m, 24h or 7d, 'today', 'yesterday', a time of day such as 10:30, a date such as 2026-11-28,"
    " or 2026-11-28T10:30"
)

_AGO = re.compile(r"(\d{1,6})(s|m|h|d|w)")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_EPOCH = re.compile(r"\d{9,11}(\.\d{1,6})?")


def parse_time(text: str, now: datetime) -> float:
    """Return a point in time in seconds since the epoch.

    ``now`` is aware; a date without a time zone is in its zone, and a time alone is the last such one. Digits alone are
    seconds since the epoch. Raises ValueError for anything else; ``EXPECTED`` describes the forms.
    """
    text = text.strip()
    if _EPOCH.fullmatch(text):
        return float(text)
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now.timestamp() - int(ago[1]) * _UNITS_S[ago[2]]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in {"today", "yesterday"}:
        return (midnight if text == "today" else midnight - timedelta(days=1)).timestamp()
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        hour, minute, second = (int(part or 0) for part in clock.groups())
        found = midnight.replace(hour=hour, minute=minute, second=second)
        return (found if found <= now else found - timedelta(days=1)).timestamp()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a time: use {EXPECTED}") from None
    return (found if found.tzinfo else found.replace(tzinfo=now.tzinfo)).timestamp()
