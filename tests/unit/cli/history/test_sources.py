"""Where the commands read the history."""

import asyncio
from typing import Any

import pytest

from gglib.cli.history import sources
from gglib.cli.history.results import FoundRequests, ShownBodies, ShownRequest, UsageReport
from gglib.cli.history.sources import RUNNING, FileHistory, PausedHistory, ServerHistory, find_all
from gglib.cli.server import client
from gglib.core.addresses import Endpoint
from gglib.core.errors import RequestNotFoundError, UpstreamError
from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.history.requests import RequestFilter, RunningRequest, StoredRequest
from gglib.core.history.usage import UsageField, UsageQuery, UsageRow
from gglib.testing import FakeHistory

SERVER = Endpoint("http://127.0.0.1:8080", None)
STORED = {"id": 7, "request_id": "req_7", "ended_at_s": 1.5, "route": "/r", "status": 200}
RUNS = {"request_id": "req_8", "route": "/r", "state": "waiting", "age_s": 2.0}


def record(number: int, **fields: Any) -> RequestRecord:
    """Return a finished request."""
    return RequestRecord(
        **{
            "method": "POST",
            "path": "/v1/completions",
            "model": "coder",
            "status": 200,
            "request_id": f"req_{number}",
            "waited_s": 0.0,
            "first_byte_s": 0.1,
            "duration_s": 1.0,
            "chunks": 1,
            "is_streamed": False,
            "error_code": None,
            "prompt_tokens": 10,
            "ended_at_s": float(number),
            **fields,
        }
    )


@pytest.fixture
def history() -> FakeHistory:
    """Return a history of five requests; the last has bodies."""
    found = FakeHistory()
    found.record([record(number) for number in range(1, 5)])
    found.record([record(5, bodies=RecordedBodies(b"in", b"\xff", is_response_cut=True))])
    return found


def numbers(found: FoundRequests) -> list[int | None]:
    """Return the numbers of the requests."""
    return [request.id for request in found.requests]


def test_pages_are_joined(history: FakeHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the limit; the rest is known to exist."""
    monkeypatch.setattr(sources, "PAGE_SIZE", 2)
    source = FileHistory(history, is_off=False)
    found = find_all(source, RequestFilter(), limit=3)
    assert (numbers(found), found.next_before) == ([5, 4, 3], 3)
    found = find_all(source, RequestFilter(), limit=None)
    assert (numbers(found), found.next_before) == ([5, 4, 3, 2, 1], None)
    assert numbers(find_all(source, RequestFilter(), limit=0)) == []
    assert numbers(find_all(source, RequestFilter(since_s=2.0, until_s=4.0), limit=9)) == [3, 2]


def test_pages_of_a_faulty_server_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page has to begin before the last one."""
    page = FoundRequests(requests=(StoredRequest(**STORED),), next_before=7)  # type: ignore[arg-type]
    monkeypatch.setattr(ServerHistory, "find", lambda *_, **__: page)
    assert numbers(find_all(ServerHistory(SERVER), RequestFilter(), limit=None)) == [7, 7]


def test_stored_requests_of_a_server_that_stores_none_any_more(
    history: FakeHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are still shown, with those in progress."""
    running = FoundRequests(running=(RunningRequest(**RUNS),), is_off=True)  # type: ignore[arg-type]
    shown = ShownRequest(running=running.running[0])
    monkeypatch.setattr(ServerHistory, "find", lambda *_, **__: running)
    monkeypatch.setattr(ServerHistory, "show", lambda *_: shown)
    source = PausedHistory(SERVER, history)
    found = source.find(RequestFilter(), limit=2)
    assert (numbers(found), found.running, found.is_off) == ([5, 4], running.running, True)
    assert source.find(RequestFilter(), limit=2, before=4).running == ()
    assert source.find(RequestFilter(), limit=2, state=RUNNING) == running
    assert source.show("5").request is not None
    assert source.show("req_8") == shown
    assert source.usage(UsageQuery()).total.requests == 5


def test_file_has_no_running_requests(history: FakeHistory) -> None:
    """No server, no request in progress."""
    source = FileHistory(history, is_off=True)
    assert source.find(RequestFilter(), limit=9, state=RUNNING) == FoundRequests(is_off=True)


def test_file_shows_one_request(history: FakeHistory) -> None:
    """By its number or id, with bodies as texts."""
    source = FileHistory(history, is_off=False)
    assert source.show("2") == ShownRequest(request=history.requests[1])
    assert source.show("req_5") == ShownRequest(
        request=history.requests[4],
        bodies=ShownBodies(request="in", response="\\xff", is_response_cut=True),
    )
    with pytest.raises(RequestNotFoundError):
        source.show("6")


def test_usage_of_the_file_has_a_total(history: FakeHistory) -> None:
    """Of the same requests."""
    report = FileHistory(history, is_off=False).usage(UsageQuery(by=(UsageField.MODEL,), model="coder"))
    figures = {"requests": 5, "prompt_tokens": 50, "busy_s": 5.0}
    assert report == UsageReport(usage=(UsageRow(model="coder", **figures),), total=UsageRow(**figures))  # type: ignore[arg-type]


@pytest.fixture
def responses(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the responses of a server by path, to be filled."""
    found: dict[str, Any] = {}

    async def get(_: Endpoint, path: str, *__: object) -> object:
        return found[path]

    monkeypatch.setattr(client, "get_json_async", get)
    monkeypatch.setattr(client, "get_json", lambda *arguments: asyncio.run(get(*arguments)))
    return found


def test_server_is_asked_with_the_filter(responses: dict[str, Any]) -> None:
    """Fields of a newer server are ignored."""
    responses["/gglib/requests?state=finished&key=alice&limit=5&before=9"] = {
        "running": [RUNS],
        "requests": [{**STORED, "new_field": 1}],
        "next_before": 7,
        "is_off": False,
    }
    found = ServerHistory(SERVER).find(RequestFilter(key="alice"), limit=5, state="finished", before=9)
    assert found == FoundRequests(
        running=(RunningRequest(**RUNS),),  # type: ignore[arg-type]
        requests=(StoredRequest(**STORED),),  # type: ignore[arg-type]
        next_before=7,
    )


def test_server_shows_one_request_and_usage(responses: dict[str, Any]) -> None:
    """As the API returns them."""
    responses["/gglib/requests/7"] = {"running": None, "request": STORED, "bodies": None}
    responses["/gglib/usage?by=key"] = {"usage": [{"key": "a", "requests": 2}], "total": {"requests": 2}}
    source = ServerHistory(SERVER)
    assert source.show("7") == ShownRequest(request=StoredRequest(**STORED))  # type: ignore[arg-type]
    assert source.usage(UsageQuery(by=(UsageField.KEY,))) == UsageReport(
        usage=(UsageRow(key="a", requests=2),), total=UsageRow(requests=2)
    )


@pytest.mark.parametrize(
    "content", [[], {"requests": [{"id": 1}]}, {"requests": [{**STORED, "status": "200"}]}]
)
def test_unreadable_response_is_one_sentence(responses: dict[str, Any], content: object) -> None:
    """Of a server of another version, or of no gglib."""
    responses["/gglib/requests?limit=1"] = content
    with pytest.raises(UpstreamError, match="that this command cannot read"):
        ServerHistory(SERVER).find(RequestFilter(), limit=1)
