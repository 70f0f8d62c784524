"""The history in memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support.time_zones import local_zone

from gglib.core.errors import HistoryError
from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.history.requests import RequestFilter
from gglib.core.history.usage import UsageField, UsageQuery
from gglib.testing import FakeHistory

BASE = RequestRecord("POST", "/v1/chat/completions", "a", 200, "r", 0.5, 1.0, 2.0, 1, False, None)


def records(*changes: dict[str, Any]) -> list[RequestRecord]:
    """Return records that differ from a plain one by these fields."""
    return [replace(BASE, **change) for change in changes]


@pytest.fixture
def kolkata() -> Iterator[None]:
    """Set a zone whose hours begin at half past an hour of UTC."""
    with local_zone("Asia/Kolkata"):
        yield


def kolkata_time(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """Return a time of November 2026 in that zone."""
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo("Asia/Kolkata"))


async def test_pages_are_newest_first() -> None:
    """``next_before`` leads through all requests once."""
    history = FakeHistory()
    history.record(records(*({"request_id": f"r{number}"} for number in range(1, 6))))
    seen, before = [], None
    while True:
        page = await history.find_requests(RequestFilter(), limit=2, before=before)
        seen += [request.id for request in page.requests]
        before = page.next_before
        if before is None:
            break
    assert seen == [5, 4, 3, 2, 1]
    page = await history.find_requests(RequestFilter(), limit=10, after=3)
    assert ([request.id for request in page.requests], page.next_before) == ([5, 4], None)


async def test_a_full_last_page_has_no_next() -> None:
    """Exactly as many requests as the limit."""
    history = FakeHistory()
    history.record(records({}, {}))
    assert (await history.find_requests(RequestFilter(), limit=2)).next_before is None


async def test_a_request_is_found_by_number_then_by_id() -> None:
    """A request id of digits does not hide the request with that number."""
    history = FakeHistory()
    history.record(
        records({"request_id": "2"}, {"request_id": "x"}, {"request_id": "x"}, {"request_id": "9"})
    )
    found = [await history.find_request(text) for text in ("2", "x", "9", "0", "y")]
    assert [request and request.id for request in found] == [2, 3, 4, None, None]


async def test_bodies_are_kept() -> None:
    """Only for requests that have some."""
    history, bodies = FakeHistory(), RecordedBodies(b"in", b"out")
    history.record(records({}, {"bodies": bodies}))
    assert [await history.read_bodies(number) for number in (1, 2, 3)] == [None, bodies, None]


async def test_usage_is_added_up() -> None:
    """Requests without a key have a row with an empty name, and tokens that were not reported count nothing."""
    history = FakeHistory()
    history.record(
        records(
            {"key_name": "bob", "prompt_tokens": 3, "completion_tokens": 4, "cached_tokens": 1},
            {"key_name": "bob", "status": 503, "error_code": "queue_full", "waited_s": None},
            {"model": "b", "prompt_tokens": 5},
        )
    )
    none, bob = await history.usage(UsageQuery(by=(UsageField.KEY,)))
    assert (none.key, none.requests, none.prompt_tokens, none.completion_tokens) == ("", 1, 5, 0)
    assert (bob.key, bob.requests, bob.failed, bob.prompt_tokens, bob.cached_tokens) == ("bob", 2, 1, 3, 1)
    assert bob.busy_s == 1.5  # the other one got no model
    assert (bob.model, bob.client, bob.start_s) == (None, None, None)
    (total,) = await history.usage(UsageQuery())
    assert (total.requests, total.prompt_tokens, total.completion_tokens, total.key) == (3, 8, 4, None)
    (empty,) = await FakeHistory().usage(UsageQuery())
    assert empty.requests == 0
    assert await FakeHistory().usage(UsageQuery(by=(UsageField.KEY,))) == ()


async def test_usage_is_sorted_by_the_fields_in_their_order() -> None:
    """And filtered by exact names."""
    history = FakeHistory()
    history.record(records({"key_name": "b"}, {"key_name": "a", "model": "z"}, {"key_name": "a"}))
    rows = await history.usage(UsageQuery(by=(UsageField.MODEL, UsageField.KEY)))
    assert [(row.model, row.key) for row in rows] == [("a", "a"), ("a", "b"), ("z", "a")]
    rows = await history.usage(UsageQuery(by=(UsageField.MODEL,), key="a"))
    assert [row.model for row in rows] == ["a", "z"]
    assert await history.usage(UsageQuery(by=(UsageField.MODEL,), key="")) == ()


@pytest.mark.usefixtures("kolkata")
async def test_hours_and_days_are_local() -> None:
    """Where the zone is half an hour off, hours begin at the half hour of UTC; limits are rounded down to hours."""
    history = FakeHistory()
    times = [kolkata_time(28, 23, 59), kolkata_time(29), kolkata_time(29, 0, 59)]
    history.record(records(*({"ended_at_s": at.timestamp()} for at in times)))
    hours = await history.usage(UsageQuery(by=(UsageField.HOUR,)))
    starts = [kolkata_time(28, 23, 0).timestamp(), kolkata_time(29).timestamp()]
    assert [(row.start_s, row.requests) for row in hours] == [(starts[0], 1), (starts[1], 2)]
    days = await history.usage(UsageQuery(by=(UsageField.DAY,)))
    assert [row.start_s for row in days] == [kolkata_time(28).timestamp(), starts[1]]
    (since,) = await history.usage(UsageQuery(since_s=starts[1] + 1800))
    (until,) = await history.usage(UsageQuery(until_s=starts[1] + 1800))
    assert (since.requests, until.requests) == (2, 1)


async def test_recent_use_has_keys_only() -> None:
    """For the limits of keys: when each request began and ended, and its tokens."""
    history = FakeHistory()
    history.record(
        records(
            {"key_name": "a", "ended_at_s": 10.0, "prompt_tokens": 3, "completion_tokens": 4},
            {"key_name": "a", "ended_at_s": 9.9},
            {"ended_at_s": 11.0},
        )
    )
    (use,) = await history.recent_use(10.0)
    assert (use.key, use.started_at_s, use.ended_at_s, use.tokens) == ("a", 8.0, 10.0, 7)
    assert history.statistics().recorded == 3


async def test_reading_fails_on_demand() -> None:
    """Recording never does."""
    history = FakeHistory(fails_with=HistoryError("broken"))
    history.record(records({}))
    with pytest.raises(HistoryError):
        await history.find_request("1")
