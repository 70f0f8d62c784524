"""The contract of every request history: the same tests for SQLite and for the fake."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support.time_zones import local_zone

from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.history.requests import RequestFilter
from gglib.core.history.usage import KeyUse, UsageField, UsageQuery, UsageRow
from gglib.core.ports.history import RequestHistoryPort
from gglib.db import SqliteHistory
from gglib.testing import FakeHistory

PLAIN = RequestRecord(
    "POST", "/v1/chat/completions", "qwen", 200, "req_1", 0.25, 0.5, 2.0, 1, False, None, ended_at_s=1000.0
)
RICH = RequestRecord(
    method="POST",
    path="/v1/chat/completions",
    model="qwen",
    status=503,
    request_id="req_rich",
    waited_s=0.5,
    first_byte_s=1.25,
    duration_s=4.5,
    chunks=3,
    is_streamed=True,
    error_code="engine_failed",
    key_name="alice",
    client="10.0.0.7",
    prompt_tokens=100,
    completion_tokens=20,
    sent_status=200,
    ended_at_s=2000.125,
    route="/v1/chat/completions",
    program="openai-python",
    requested_model="gpt-4o",
    profile="coding",
    cached_tokens=60,
    tokens_per_s=12.5,
    swap="llama -> qwen",
    error_message="The engine ended: ÄPFEL",
    node="gpu-2",
)


def records(*changes: dict[str, Any]) -> list[RequestRecord]:
    """Return records that differ from a plain one by these fields; their ids count from 1."""
    return [
        replace(PLAIN, **{"request_id": f"req_{number}", **change})
        for number, change in enumerate(changes, start=1)
    ]


@pytest.fixture(params=["sqlite", "fake"])
async def history(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RequestHistoryPort]:
    """Return an empty history."""
    if request.param == "fake":
        yield FakeHistory()
        return
    path = tmp_path / "history.db"
    async with SqliteHistory(path, max_bytes=1 << 30, max_age_s=1e12, redact=lambda bodies: bodies) as opened:
        yield opened


@pytest.fixture(params=["Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe"])
def zone(request: pytest.FixtureRequest) -> Iterator[ZoneInfo]:
    """Set the local time zone."""
    with local_zone(request.param):
        yield ZoneInfo(request.param)


async def found(history: RequestHistoryPort, limit: int = 50, **wanted: Any) -> list[str]:
    """Return the request ids that a search finds."""
    page = await history.find_requests(RequestFilter(**wanted), limit=limit)
    return [request.request_id for request in page.requests]


async def test_an_empty_history(history: RequestHistoryPort) -> None:
    """Nothing is found, and the total is zero."""
    assert await found(history) == []
    assert await found(history, key="alice", text="a") == []
    assert await history.find_request("1") is None
    assert await history.find_request("req") is None
    assert await history.read_bodies(1) is None
    assert await history.usage(UsageQuery()) == (UsageRow(),)
    assert await history.usage(UsageQuery(by=(UsageField.KEY,))) == ()
    assert await history.recent_use(0.0) == ()
    history.record([])
    assert history.statistics().recorded == 0


async def test_all_fields_are_stored(history: RequestHistoryPort) -> None:
    """As they were recorded; numbers count from 1."""
    history.record([RICH])
    (stored,) = (await history.find_requests(RequestFilter(), limit=9)).requests
    assert stored.id == 1
    assert stored.request_id == "req_rich"
    assert stored.ended_at_s == pytest.approx(2000.125)
    assert (stored.route, stored.status, stored.model) == (RICH.route, 503, "qwen")
    assert (stored.requested_model, stored.profile) == ("gpt-4o", "coding")
    assert (stored.key, stored.client, stored.address) == ("alice", "openai-python", "10.0.0.7")
    assert (stored.error, stored.error_message) == ("engine_failed", "The engine ended: ÄPFEL")
    assert stored.is_streamed
    assert (stored.waited_s, stored.first_byte_s, stored.duration_s) == pytest.approx((0.5, 1.25, 4.5))
    assert (stored.prompt_tokens, stored.completion_tokens, stored.cached_tokens) == (100, 20, 60)
    assert stored.tokens_per_s == pytest.approx(12.5)
    assert (stored.swap, stored.node, stored.has_bodies, stored.count) == ("llama -> qwen", "gpu-2", False, 1)


async def test_what_is_unknown_stays_unknown(history: RequestHistoryPort) -> None:
    """None is neither zero nor an empty text."""
    nothing = RequestRecord("GET", "/", None, None, "r", None, None, 0.0, 0, False, None, ended_at_s=5.0)
    history.record([nothing])
    (stored,) = (await history.find_requests(RequestFilter(), limit=9)).requests
    assert (stored.status, stored.model, stored.key, stored.error) == (None, None, None, None)
    assert (stored.waited_s, stored.first_byte_s, stored.tokens_per_s) == (None, None, None)
    assert (stored.prompt_tokens, stored.completion_tokens, stored.cached_tokens) == (None, None, None)
    assert (stored.route, stored.swap, stored.node) == ("", None, None)


@pytest.mark.parametrize(
    ("change", "error", "failed"),
    [
        ({}, None, 0),
        ({"cut": "client_left"}, "client_left", 1),
        ({"error_code": "queue_full", "cut": "client_left"}, "queue_full", 1),
        ({"status": 499}, "client_left", 1),
        ({"status": 400}, None, 1),
        ({"status": None}, None, 1),
        ({"status": 302}, None, 0),
    ],
)
async def test_what_failed(
    history: RequestHistoryPort, change: dict[str, Any], error: str | None, failed: int
) -> None:
    """An error, an incomplete response, an engine's own error response, or none at all; usage and filter agree."""
    history.record(records(change))
    (stored,) = (await history.find_requests(RequestFilter(), limit=9)).requests
    assert stored.error == error
    (total,) = await history.usage(UsageQuery())
    assert (total.requests, total.failed) == (1, failed)
    assert len(await found(history, is_failed=True)) == failed
    assert len(await found(history, is_failed=False)) == 1 - failed


async def test_pages(history: RequestHistoryPort) -> None:
    """Newest first; the next page begins below the last number."""
    history.record(records(*[{}] * 7))
    page = await history.find_requests(RequestFilter(), limit=3)
    assert [request.id for request in page.requests] == [7, 6, 5]
    assert page.next_before == 5
    page = await history.find_requests(RequestFilter(), limit=3, before=5)
    assert [request.id for request in page.requests] == [4, 3, 2]
    page = await history.find_requests(RequestFilter(), limit=3, before=2)
    assert ([request.id for request in page.requests], page.next_before) == ([1], None)
    page = await history.find_requests(RequestFilter(), limit=9, after=5)
    assert [request.id for request in page.requests] == [7, 6]
    page = await history.find_requests(RequestFilter(), limit=7)
    assert page.next_before is None
    assert (await history.find_requests(RequestFilter(), limit=7, before=1)).requests == ()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"key": "alice"}, [2]),
        ({"key": ""}, [6, 5, 4, 3, 1]),
        ({"key": "Alice"}, []),
        ({"client": "curl"}, [3]),
        ({"model": ""}, [4]),
        ({"profile": "coding"}, [2]),
        ({"route": "/v1/models"}, [4]),
        ({"error": "engine_failed"}, [5]),
        ({"error": ""}, [6, 4, 3, 2, 1]),
        ({"node": "gpu-2"}, [6]),
        ({"request_id": "req_3"}, [3]),
        ({"request_id": "req_"}, []),
        ({"request_id": "REQ_3"}, []),
        ({"statuses": (404, 404)}, [4]),
        ({"statuses": (400, 599)}, [5, 4]),
        ({"statuses": (250, 403)}, []),
        ({"statuses": (5, 4)}, []),
        ({"is_failed": True}, [5, 4]),
        ({"min_duration_s": 3.5}, [3, 2]),
        ({"min_duration_s": 1e99}, []),
        ({"since_s": 1e99}, []),
        ({"until_s": -1e99}, []),
        ({"caused_swap": True}, [6]),
        ({"caused_swap": False}, [5, 4, 3, 2, 1]),
        ({"since_s": 1005.0}, [6, 5]),
        ({"until_s": 1005.0}, [4, 3, 2, 1]),
        ({"since_s": 1002.0, "until_s": 1004.0}, [3, 2]),
        ({"since_s": 2000.0}, []),
        ({"text": "ALI"}, [2]),
        ({"text": "qwen"}, [6, 5, 3, 2, 1]),
        ({"text": "Gpu-2"}, [6]),
        ({"text": "no space"}, [5]),
        ({"text": "EQ_4"}, [4]),
        ({"text": "_"}, [6, 5, 4, 3, 2, 1]),
        ({"text": "%"}, []),
        ({"text": "gguf"}, [6]),
        ({"text": "10.0.0.9"}, [3]),
        ({"text": "gpt-4o"}, [1]),
        ({"text": "ü"}, [3]),
        ({"text": "Ü"}, []),
        ({"text": "req_3", "key": "alice"}, []),
        ({"text": "req_2", "key": "alice"}, [2]),
        ({"text": "alice", "request_id": "req_2"}, [2]),
        ({"text": "alice", "request_id": "req_3"}, []),
        ({"text": "Q_2", "request_id": "req_2"}, [2]),
        ({"key": "alice", "profile": "coding", "model": "qwen", "min_duration_s": 1.0}, [2]),
        ({"key": "alice", "client": "curl"}, []),
        ({"error": "engine_failed", "statuses": (500, 500), "is_failed": True, "since_s": 1001.0}, [5]),
    ],
)
async def test_filters(history: RequestHistoryPort, wanted: dict[str, Any], expected: list[int]) -> None:
    """All that are set have to fit."""
    changes: list[dict[str, Any]] = [
        {"requested_model": "gpt-4o"},
        {"key_name": "alice", "profile": "coding", "duration_s": 3.5},
        {"program": "curl", "client": "10.0.0.9", "requested_model": "küche", "duration_s": 9.0},
        {"model": None, "route": "/v1/models", "status": 404},
        {"error_code": "engine_failed", "status": 500, "error_message": "no space left"},
        {"node": "gpu-2", "swap": "a.gguf -> qwen"},
    ]
    times = ({"ended_at_s": 1001.0 + number} for number in range(6))
    history.record(
        records(*({"duration_s": 1.0, **at, **change} for at, change in zip(times, changes, strict=True)))
    )
    assert await found(history, **wanted) == [f"req_{number}" for number in expected]


async def test_find_by_number_or_id(history: RequestHistoryPort) -> None:
    """The number comes first; of the same request ids the newest."""
    history.record(
        records({"request_id": "2"}, {"request_id": "77"}, {"request_id": "x"}, {"request_id": "x"})
    )
    numbers = {}
    for name in ("2", "77", "x", "0", "-1", "9999999999999999999999", "²", ""):
        request = await history.find_request(name)
        numbers[name] = request and request.id
    assert {name: number for name, number in numbers.items() if number} == {"2": 2, "77": 2, "x": 4}


async def test_bodies(history: RequestHistoryPort) -> None:
    """As they were recorded, for those that have some."""
    bodies = RecordedBodies(b'{"a": 1}' * 1000, b"\xff\x00", is_request_cut=False, is_response_cut=True)
    history.record(records({}, {"bodies": bodies}))
    page = await history.find_requests(RequestFilter(), limit=9)
    assert [request.has_bodies for request in page.requests] == [True, False]
    assert await history.read_bodies(2) == bodies
    assert await history.read_bodies(1) is None
    assert await history.read_bodies(-(2**70)) is None


async def test_usage_by_fields(history: RequestHistoryPort) -> None:
    """Sums are exact; the fields that it is not grouped by are None. A request without a model keeps none busy."""
    history.record(
        records(
            {"key_name": "b", "prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 1},
            {"key_name": "b", "prompt_tokens": 2**40 - 1, "model": "z", "status": 500},
            {"key_name": "a", "completion_tokens": 7, "program": "curl"},
            {"waited_s": None},
        )
    )
    rows = await history.usage(UsageQuery(by=(UsageField.KEY,)))
    assert [(row.key, row.model, row.start_s, row.requests, row.failed) for row in rows] == [
        ("", None, None, 1, 0),
        ("a", None, None, 1, 0),
        ("b", None, None, 2, 1),
    ]
    assert [(row.prompt_tokens, row.completion_tokens, row.cached_tokens) for row in rows] == [
        (0, 0, 0),
        (0, 7, 0),
        (2**40 + 2, 2, 1),
    ]
    assert [row.busy_s for row in rows] == pytest.approx([0.0, 1.75, 3.5])
    rows = await history.usage(UsageQuery(by=(UsageField.CLIENT, UsageField.MODEL)))
    assert [(row.client, row.model, row.requests) for row in rows] == [
        ("", "qwen", 2),
        ("", "z", 1),
        ("curl", "qwen", 1),
    ]
    (total,) = await history.usage(UsageQuery(key="b"))
    assert total.requests == 2
    (total,) = await history.usage(UsageQuery(key="b", model="z"))
    assert total.requests == 1
    assert await history.usage(UsageQuery(by=(UsageField.KEY,), client="nothing")) == ()
    (total,) = await history.usage(UsageQuery(key=""))
    assert total.requests == 1


async def test_hours_and_days_are_those_of_the_zone(history: RequestHistoryPort, zone: ZoneInfo) -> None:
    """Days of clock changes have 23 or 25 hours, or a half more or less."""
    starts = [datetime(2026, month, day, tzinfo=zone) for month, day in ((3, 29), (4, 5), (10, 4), (10, 25))]
    for start in starts:
        first_s = start.timestamp()
        history.record(records(*({"ended_at_s": first_s + 600 * step} for step in range(6 * 23))))
    days = await history.usage(UsageQuery(by=(UsageField.DAY,)))
    assert [(row.start_s, row.requests) for row in days] == [(start.timestamp(), 138) for start in starts]
    hours = await history.usage(UsageQuery(by=(UsageField.HOUR,)))
    assert sum(row.requests for row in hours) == 4 * 138
    middle_s = starts[1].timestamp() + 5 * 3600 + 1800
    (since,) = await history.usage(UsageQuery(since_s=middle_s))
    (until,) = await history.usage(UsageQuery(until_s=middle_s))
    assert since.requests + until.requests == 4 * 138
    earlier = [row for row in hours if (row.start_s or 0.0) + 3600 <= middle_s]
    assert until.requests == sum(row.requests for row in earlier)


async def test_recent_use(history: RequestHistoryPort) -> None:
    """Requests with a key that a model served, from a time on; they began their duration before their end."""
    history.record(
        records(
            {"key_name": "a", "ended_at_s": 9.5, "prompt_tokens": 1},
            {"key_name": "a", "ended_at_s": 10.5, "waited_s": None, "status": 429},
            {"ended_at_s": 10.0, "prompt_tokens": 1},
            {"key_name": "a", "ended_at_s": 10.0, "prompt_tokens": 3, "completion_tokens": 4},
            {"key_name": "b", "ended_at_s": 12.0},
        )
    )
    assert await history.recent_use(10.0) == (
        KeyUse(key="a", started_at_s=8.0, ended_at_s=10.0, tokens=7),
        KeyUse(key="b", started_at_s=10.0, ended_at_s=12.0, tokens=0),
    )


async def test_a_search_over_many_requests(history: RequestHistoryPort) -> None:
    """More than one block, with the rare ones at both ends and at the edges of blocks."""
    rare = {0, 510, 511, 512, 1023, 1024, 1499}
    history.record(
        records(
            *({"key_name": "rare" if n in rare else "common", "ended_at_s": 1000.0 + n} for n in range(1500))
        )
    )
    expected = [f"req_{n + 1}" for n in sorted(rare, reverse=True)]
    assert await found(history, key="rare") == expected
    assert await found(history, text="RARE") == expected
    assert await found(history, key="rare", since_s=1511.0, until_s=2024.0) == expected[2:5]
    assert await found(history, limit=2, text="eq_15") == ["req_1500", "req_159"]
    assert await found(history, request_id="req_1") == ["req_1"]
