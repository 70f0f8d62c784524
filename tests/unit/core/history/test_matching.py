"""Which requests fit a filter, and the stored form of a record."""

from dataclasses import fields, replace
from typing import Any

import pytest

from gglib.core.history.matching import contains_text, is_failed, matches, matches_running, stored_request
from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.history.requests import RequestFilter, RunningRequest, StoredRequest

REQUEST = StoredRequest(
    id=7,
    request_id="req-42",
    ended_at_s=1000.0,
    route="/v1/chat/completions",
    status=200,
    model="qwen3",
    requested_model="Qwen3",
    key="alice",
    client="openai-python",
    address="10.0.0.7",
    swap="gemma -> qwen3",
    duration_s=2.0,
)
RUNNING = RunningRequest(
    request_id="req-43", route="/api/chat", state="waiting", age_s=4.0, model="qwen3", client="ollama-python"
)


def a_record(**changes: Any) -> RequestRecord:
    """Return a record of a stream with these fields changed."""
    values: dict[str, Any] = {
        "method": "POST",
        "path": "/v1/secret",
        "model": "qwen3",
        "status": 200,
        "request_id": "req-1",
        "waited_s": 0.5,
        "first_byte_s": 0.7,
        "duration_s": 1.0,
        "chunks": 3,
        "is_streamed": True,
        "error_code": None,
    }
    return RequestRecord(**values | changes)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"since_s": 1000.0}, True),
        ({"since_s": 1000.1}, False),
        ({"until_s": 1000.0}, False),
        ({"until_s": 1000.1}, True),
        ({"key": "alice"}, True),
        ({"key": "Alice"}, False),
        ({"key": ""}, False),
        ({"profile": ""}, True),
        ({"error": ""}, True),
        ({"model": "Qwen3"}, False),
        ({"request_id": "req-4"}, False),
        ({"statuses": (200, 200)}, True),
        ({"statuses": (400, 499)}, False),
        ({"is_failed": False}, True),
        ({"is_failed": True}, False),
        ({"min_duration_s": 2.0}, True),
        ({"min_duration_s": 2.1}, False),
        ({"caused_swap": True}, True),
        ({"caused_swap": False}, False),
        ({"text": "GEMMA"}, True),
        ({"text": "Qwen3"}, True),
        ({"text": "req-42"}, True),
        ({"text": "10.0.0"}, True),
        ({"text": "phi"}, False),
        ({"key": "alice", "text": "phi"}, False),
    ],
)
def test_a_request_fits_all_set_fields(wanted: dict[str, Any], *, fits: bool) -> None:
    """Times include their start and exclude their end; names are exact, and empty for requests without one."""
    assert matches(REQUEST, RequestFilter(**wanted)) is fits


def test_a_request_without_a_status_has_none_of_a_range() -> None:
    """The response was never started."""
    assert not matches(replace(REQUEST, status=None), RequestFilter(statuses=(0, 999)))


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"model": "qwen3"}, True),
        ({"key": ""}, True),
        ({"error": ""}, True),
        ({"error": "queue_full"}, False),
        ({"statuses": (200, 299)}, False),
        ({"is_failed": True}, False),
        ({"is_failed": False}, True),
        ({"caused_swap": True}, False),
        ({"since_s": 0.0}, False),
        ({"min_duration_s": 4.0}, True),
        ({"min_duration_s": 5.0}, False),
        ({"text": "OLLAMA"}, True),
        ({"text": "alice"}, False),
    ],
)
def test_a_request_in_progress_has_no_end(wanted: dict[str, Any], *, fits: bool) -> None:
    """So filters of what only finished requests have exclude it."""
    assert matches_running(RUNNING, RequestFilter(**wanted)) is fits


def test_only_the_case_of_ascii_letters_is_ignored() -> None:
    """As in the SQL of the real adapter."""
    assert contains_text("Größe", "GRÖSSE") is False
    assert contains_text("Größe", "grÖ") is False
    assert contains_text("Größe", "GRö")
    assert contains_text("100%_sure", "%_S")


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (None, 200, False),
        (None, 204, False),
        ("upstream_error", 200, True),
        (None, 400, True),
        (None, 499, True),
        (None, None, True),
    ],
)
def test_a_failed_request(error: str | None, status: int | None, *, expected: bool) -> None:
    """An error, an incomplete response, an error's status, or no response."""
    assert is_failed(error, status) is expected


def test_the_stored_form_of_a_record() -> None:
    """Key, client program and address have their own fields; the path is not stored."""
    bodies = RecordedBodies(b"{}", b"{}")
    record = a_record(key_name="alice", program="curl", client="10.0.0.7", ended_at_s=9.0, bodies=bodies)
    stored = stored_request(record, 3)
    assert (stored.id, stored.key, stored.client, stored.address) == (3, "alice", "curl", "10.0.0.7")
    assert (stored.ended_at_s, stored.has_bodies, stored.count) == (9.0, True, 1)
    assert all("secret" not in str(getattr(stored, field.name)) for field in fields(stored))
    assert stored_request(a_record()).id is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, None),
        ({"error_code": "queue_full", "status": 503}, "queue_full"),
        ({"cut": "client_left", "status": 499}, "client_left"),
        ({"status": 499}, "client_left"),
        ({"status": 400}, None),
        ({"error_code": "internal_error", "cut": "client_left"}, "internal_error"),
    ],
)
def test_the_error_of_a_stored_request(changes: dict[str, Any], error: str | None) -> None:
    """Its code; else why the response is incomplete."""
    assert stored_request(a_record(**changes)).error == error


def test_times_are_in_microseconds() -> None:
    """As in the database: 17 digits of a clock are noise."""
    times = {"waited_s": 0.0001234567, "first_byte_s": None, "duration_s": 0.0009547080007905606}
    stored = stored_request(a_record(**times))
    assert (stored.waited_s, stored.first_byte_s, stored.duration_s) == (0.000123, None, 0.000955)
