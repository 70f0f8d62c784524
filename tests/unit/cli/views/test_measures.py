"""Cells with moments, durations, rates and counts."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gglib.cli.views.measures import (
    date_and_time,
    date_or_hour,
    interval,
    moment,
    number,
    rate,
    share,
    short_ids,
    short_rate,
    short_time,
    status_style,
)

NOW = datetime(2026, 11, 28, 10, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.0004, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (4.25, "4.2 s"),
        (59.94, "59.9 s"),
        (59.97, "1 min"),
        (125, "2 min 5 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (5400, "1 h 30 min"),
        (86_400, "24 h"),
    ],
)
def test_duration_has_three_digits_at_most_in_each_unit(seconds: float | None, text: str) -> None:
    """No rounding leads to 60 seconds or minutes."""
    assert interval(seconds) == text


@pytest.mark.parametrize(
    ("per_s", "text"),
    [(None, "-"), (0.04, "0.0"), (41.26, "41.3"), (99.96, "100"), (2345.6, "2,346")],
)
def test_rate_has_tenths_below_a_hundred(per_s: float | None, text: str) -> None:
    """A missing rate is no zero."""
    assert rate(per_s) == text


def test_count_has_separators() -> None:
    """None is unknown."""
    assert [number(None), number(0), number(1_234_567)] == ["-", "0", "1,234,567"]


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "-"),
        (0, 9, "0 %"),
        (1, 10_000, "1 %"),
        (9_999, 10_000, "99 %"),
        (5, 5, "100 %"),
        (1, 3, "33 %"),
    ],
)
def test_share_is_exact_at_both_ends(part: int, whole: int, text: str) -> None:
    """A little is not nothing, and nearly all is not all."""
    assert share(part, whole) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 28, 0, 0, tzinfo=NOW.tzinfo), "00:00:00"),
        (datetime(2026, 11, 27, 23, 59, 59, tzinfo=NOW.tzinfo), "11-27 23:59:59"),
        (datetime(2025, 12, 31, 22, 30, tzinfo=UTC), "00:30:00"),
    ],
)
def test_moment_has_the_date_before_today(at: datetime, text: str) -> None:
    """In the zone of the user."""
    now = NOW if at.month == 11 else datetime(2026, 1, 1, 9, 0, tzinfo=NOW.tzinfo)
    assert moment(at.timestamp(), now) == text


def test_moment_has_the_year_of_another_year() -> None:
    """A history may be older than a year."""
    assert moment(datetime(2025, 12, 31, 12, 0, tzinfo=NOW.tzinfo).timestamp(), NOW) == "2025-12-31 12:00:00"


@pytest.mark.parametrize("at_s", [2.0**63, -(2.0**63)])
def test_time_beyond_the_calendar_has_no_text(at_s: float) -> None:
    """A faulty server may send one."""
    assert [form(at_s, NOW) for form in (moment, date_or_hour, date_and_time)] == ["-", "-", "-"]


def test_day_of_another_zone_has_its_time() -> None:
    """The days of a remote server begin at its midnight."""
    assert date_or_hour(datetime(2026, 11, 28, tzinfo=NOW.tzinfo).timestamp(), NOW) == "2026-11-28"
    assert date_or_hour(datetime(2026, 11, 28, tzinfo=UTC).timestamp(), NOW) == "2026-11-28 02:00"


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        ([], []),
        (["req_a1b2c3d4e5f60000001f"], ["0000001f"]),
        (["req_a1b2c3d4e5f60000001f", "req_ffffffffffff0000001f"], ["e5f60000001f", "ffff0000001f"]),
        (["my-request", "x"], ["my-request", "x"]),
        (["same-id-of-a-client", "same-id-of-a-client"], ["a-client", "a-client"]),
        (["id-of-a-job-number-1", "id-of-a-job--------1"], ["number-1", "1"]),
        (["req_a1b2c3d4e5f612345678", "1234567890123456"], ["f612345678", "1234567890123456"]),
        (["-" * 20], ["-" * 20]),
        (["a" * 30, "b" + "a" * 29], ["a" * 30, "b" + "a" * 29]),
    ],
)
def test_id_is_shortened_to_what_differs(ids: list[str], shown: list[str]) -> None:
    """Ids of clients may be alike at their ends, or be repeated; no end looks like a number or an option."""
    assert short_ids(ids) == shown


@pytest.mark.parametrize(
    ("status", "error", "style"),
    [
        (200, None, "green"),
        (200, "engine_died", "red"),
        (404, "model_not_found", "yellow"),
        (499, "client_left", "yellow"),
        (503, "shutting_down", "red"),
        (None, "client_left", "red"),
    ],
)
def test_style_follows_the_status(status: int | None, error: str | None, style: str) -> None:
    """A stream that breaks has begun with 200."""
    assert status_style(status, error) == style


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "-"),
        (0.04, "0.0 s"),
        (99.94, "99.9 s"),
        (99.96, "2 min"),
        (5_990, "100 min"),
        (6_001, "1.7 h"),
        (200_000, "2 d"),
    ],
)
def test_times_are_short(seconds: float | None, expected: str) -> None:
    """At most 8 characters."""
    assert short_time(seconds) == expected
    assert len(expected) <= 8


@pytest.mark.parametrize(
    ("value", "expected"), [(None, ""), (0.0, "0.0"), (999.94, "999.9"), (12_345.0, "12.3k")]
)
def test_rates_are_short(value: float | None, expected: str) -> None:
    """At most 6 characters."""
    assert short_rate(value) == expected
