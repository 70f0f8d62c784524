"""The period of ``gglib usage``, in whole hours. Pure."""

from datetime import datetime, timedelta

from gglib.cli.history.filters import require_period, time_of

EVERYTHING = "all"
"""A ``--since`` that selects everything."""
DEFAULT_DAYS = 7
DEFAULT_HOURS = 24


def usage_period(
    since: str | None, until: str | None, *, is_hourly: bool, now: datetime
) -> tuple[float | None, float | None]:
    """Return the begin and the end in seconds since the epoch; None: unlimited.

    By default, the last ``DEFAULT_DAYS`` calendar days, or hours if it ``is_hourly``. Raises ``click.UsageError``.
    """
    until_s = time_of(until, "--until", now)
    if since == EVERYTHING:
        since_s = None
    elif since is None:
        since_s = _default_since_s(until_s, is_hourly=is_hourly, now=now)
    else:
        since_s = time_of(since, "--since", now)
    require_period(since_s, until_s)
    return _whole_hour_s(since_s, now), _whole_hour_s(until_s, now)


def _default_since_s(until_s: float | None, *, is_hourly: bool, now: datetime) -> float:
    # Just before the end: a period until midnight does not begin with the day after.
    last = now if until_s is None else datetime.fromtimestamp(max(0.0, until_s - 1), now.tzinfo)
    if is_hourly:
        return max(0.0, (last - timedelta(hours=DEFAULT_HOURS - 1)).timestamp())
    midnight = last.replace(hour=0, minute=0, second=0, microsecond=0)
    return max(0.0, (midnight - timedelta(days=DEFAULT_DAYS - 1)).timestamp())


def _whole_hour_s(time_s: float | None, now: datetime) -> float | None:
    """Return the start of the hour, as the server rounds; zones may be half an hour off."""
    if time_s is None:
        return None
    at = datetime.fromtimestamp(time_s, now.tzinfo)
    return max(0.0, at.replace(minute=0, second=0, microsecond=0).timestamp())
