"""Points in time as users type them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gglib.core.history.times import EXPECTED, parse_time

NOW = datetime(2026, 11, 29, 15, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        (" 7d ", NOW - timedelta(days=7)),
        ("0s", NOW),
        ("2w", NOW - timedelta(days=14)),
        ("today", NOW.replace(hour=0, minute=0)),
        ("yesterday", NOW.replace(day=28, hour=0, minute=0)),
        ("10:31", NOW.replace(hour=10, minute=31)),
        ("9:05", NOW.replace(hour=9, minute=5)),
        ("15:30", NOW),
        (
            "15:30:01",
            NOW.replace(day=28, second=1),
        ),  # last night: a time that is still to come is yesterday's
        ("23:59:58", NOW.replace(day=28, hour=23, minute=59, second=58)),
        ("2026-11-28", NOW.replace(day=28, hour=0, minute=0)),
        ("2026-11-28T10:30", NOW.replace(day=28, hour=10)),
        ("2026-11-28 10:30:15", NOW.replace(day=28, hour=10, second=15)),
        ("2026-11-28T10:30Z", datetime(2026, 11, 28, 10, 30, tzinfo=UTC)),
        ("1796000000", datetime.fromtimestamp(1_796_000_000, UTC)),
        ("1796000000.5", datetime.fromtimestamp(1_796_000_000.5, UTC)),
    ],
)
def test_a_time_is_parsed(text: str, expected: datetime) -> None:
    """A time ago, a day, or a date in the zone of ``now`` unless it has its own."""
    assert parse_time(text, NOW) == expected.timestamp()


@pytest.mark.parametrize(
    "text",
    ["", "1", "5x", "-1h", "tomorrow", "2026-13-01", "1h30m", "99999999d", "24:00", "10:60", "10:3", "1031"],
)
def test_anything_else_is_refused(text: str) -> None:
    """The message lists the accepted forms."""
    with pytest.raises(ValueError, match="is not a time") as error:
        parse_time(text, NOW)
    assert EXPECTED in str(error.value)
