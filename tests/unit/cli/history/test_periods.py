"""The period of ``gglib usage``."""

from datetime import datetime, timedelta, timezone
from typing import Any

import click
import pytest

from gglib.cli.history.periods import usage_period

ZONE = timezone(timedelta(hours=5, minutes=30))
NOW = datetime(2026, 11, 28, 10, 45, tzinfo=ZONE)


def at(*date: int) -> float:
    """Return a local time in seconds since the epoch."""
    return datetime(*date, tzinfo=ZONE).timestamp()  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("since", "until", "is_hourly", "period"),
    [
        (None, None, False, (at(2026, 11, 22), None)),
        (None, None, True, (at(2026, 11, 27, 11), None)),
        (None, "2026-11-20", False, (at(2026, 11, 13), at(2026, 11, 20))),
        (None, "2026-11-20T00:30", False, (at(2026, 11, 14), at(2026, 11, 20))),
        ("all", None, False, (None, None)),
        ("all", "today", True, (None, at(2026, 11, 28))),
        ("90m", None, False, (at(2026, 11, 28, 9), None)),
        ("today", None, False, (at(2026, 11, 28), None)),
        (None, "1970-01-03", False, (0.0, at(1970, 1, 3))),
    ],
)
def test_period_is_in_whole_hours(
    since: str | None, until: str | None, is_hourly: Any, period: tuple[float | None, float | None]
) -> None:
    """Seven calendar days, or 24 hours with the one that has begun; hours of zones that are half an hour off."""
    assert usage_period(since, until, is_hourly=is_hourly, now=NOW) == period


def test_period_has_to_be_one() -> None:
    """The end after the begin."""
    with pytest.raises(click.UsageError, match="--until has to be later than --since"):
        usage_period("today", "yesterday", is_hourly=False, now=NOW)
