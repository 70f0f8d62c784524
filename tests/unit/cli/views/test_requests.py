"""``gglib requests``: the table, and all fields of one request."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gglib.cli.history.results import ShownBodies
from gglib.cli.views import requests
from gglib.cli.views.tables import fit_columns, table_lines
from gglib.core.history.requests import RequestFilter, RunningRequest, StoredRequest

NOW = datetime(2026, 11, 28, 10, 30, tzinfo=timezone(timedelta(hours=2)))


def stored(number: int | None = 1, **fields: Any) -> StoredRequest:
    """Return a request that succeeded a minute ago."""
    return StoredRequest(
        **{
            "id": number,
            "request_id": f"req_a1b2c3d4e5f6{number or 0:08x}",
            "ended_at_s": NOW.timestamp() - 60,
            "route": "/v1/chat/completions",
            "status": 200,
            "model": "coder",
            "is_streamed": True,
            "waited_s": 0.0,
            "first_byte_s": 0.21,
            "duration_s": 4.2,
            "prompt_tokens": 1234,
            "completion_tokens": 210,
            "tokens_per_s": 52.63,
            **fields,
        }
    )


def in_progress(number: int = 2, **fields: Any) -> RunningRequest:
    """Return a request that is served."""
    return RunningRequest(
        **{
            "request_id": f"req_a1b2c3d4e5f6{number:08x}",
            "route": "/v1/chat/completions",
            "state": "running",
            "age_s": 12.5,
            "model": "coder",
            "waited_s": 0.3,
            "chunks": 17,
            **fields,
        }
    )


def drawn(width: int | None, *rows: requests.Row) -> list[str]:
    """Return the lines of the table."""
    columns, cells = requests.request_table(rows)
    columns, cells = fit_columns(columns, cells, width, droppable=requests.DROPPABLE)
    return ["".join(text for text, _ in line) for line in table_lines(columns, cells, width)]


def test_table_has_finished_requests_and_then_running_ones() -> None:
    """Those in progress have the ends of their ids, their arrival, and what there is of them so far."""
    rows = requests.request_rows([stored()], [in_progress(), in_progress(3, state="waiting", chunks=0)], NOW)
    assert drawn(None, *rows) == [
        "      ID      TIME  MODEL  ROUTE                 STATUS   WAITED   FIRST   TOTAL     IN  OUT  TOK/S",
        "       1  10:29:00  coder  /v1/chat/completions  200        0 ms  210 ms   4.2 s  1,234  210   52.6",
        "00000002  10:29:47  coder  /v1/chat/completions  running  300 ms       -  12.5 s      -   17      -",
        "00000003  10:29:47  coder  /v1/chat/completions  waiting  12.5 s       -  12.5 s      -    -      -",
    ]


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (60, "ID TIME MODEL STATUS TOTAL ERROR"),
        (80, "ID TIME MODEL KEY CLIENT STATUS TOTAL ERROR"),
        (100, "ID TIME MODEL KEY CLIENT STATUS WAITED TOTAL IN OUT ERROR"),
        (140, "ID TIME MODEL KEY CLIENT ROUTE STATUS WAITED FIRST TOTAL IN OUT TOK/S ERROR"),
    ],
)
def test_narrow_terminal_has_fewer_columns(width: int, columns: str) -> None:
    """The route and the speed go first; no name is cut."""
    full = {"key": "alice", "client": "claude-code", "model": "qwen2.5-7b-q4", "swap": "big -> qwen2.5-7b-q4"}
    rows = [
        requests.finished_row(stored(12_345, **full), NOW),
        requests.finished_row(stored(12_346, **full, status=503, error="shutting_down"), NOW),
    ]
    heading, *lines = drawn(width, *rows)
    assert heading.split() == columns.split()
    assert all(len(line) <= width and "qwen2.5-7b-q4" in line for line in lines)


def test_tokens_from_the_cache_have_a_column_if_a_response_reports_them() -> None:
    """A prompt of which nothing was cached has 0."""
    rows = [requests.finished_row(stored(n, cached_tokens=cached), NOW) for n, cached in ((1, 1200), (2, 0))]
    assert drawn(None, *rows, requests.finished_row(stored(3), NOW)) == [
        "ID      TIME  MODEL  ROUTE                 STATUS  WAITED   FIRST  TOTAL     IN  CACHED  OUT  TOK/S",
        " 1  10:29:00  coder  /v1/chat/completions  200       0 ms  210 ms  4.2 s  1,234   1,200  210   52.6",
        " 2  10:29:00  coder  /v1/chat/completions  200       0 ms  210 ms  4.2 s  1,234       0  210   52.6",
        " 3  10:29:00  coder  /v1/chat/completions  200       0 ms  210 ms  4.2 s  1,234       -  210   52.6",
    ]


@pytest.mark.parametrize(("caused_swap", "is_kept"), [(True, True), (None, False)])
def test_what_was_searched_for_stays(*, caused_swap: bool | None, is_kept: bool) -> None:
    """A list of swaps shows the swaps."""
    rows = [requests.finished_row(stored(client="claude-code", swap="big -> coder"), NOW)]
    columns, cells = requests.request_table(rows)
    wanted = RequestFilter(caused_swap=caused_swap)
    columns, _ = fit_columns(columns, cells, 76, droppable=requests.droppable(wanted))
    assert ("SWAP" in columns) is is_kept


@pytest.mark.parametrize("error", ["request_cancelled", "client_left", "shutting_down"])
def test_request_that_never_got_its_model_has_waited(error: str) -> None:
    """All of its time; the stream's error event is no first token."""
    request = stored(waited_s=None, first_byte_s=44.0, duration_s=44.1, error=error, tokens_per_s=None)
    row = requests.finished_row(request, NOW)
    assert (row["WAITED"], row["FIRST"], row["TOTAL"]) == ("44.1 s", "-", "44.1 s")
    fields = requests.request_fields(request, NOW)
    assert fields["Took"] == "44.1 s, waiting for its model until it ended"
    assert "  first token" not in fields


def test_refusal_is_no_wait() -> None:
    """Requests for an unknown model have none to wait for, and a quick refusal is not called a wait."""
    unknown = stored(model=None, waited_s=None, error="model_not_found", duration_s=3.0)
    assert requests.finished_row(unknown, NOW)["WAITED"] == "-"
    refused = stored(waited_s=None, first_byte_s=None, error="unsupported_by_model", duration_s=0.002)
    assert requests.request_fields(refused, NOW)["Took"] == "2 ms"


def test_model_with_a_profile_is_named_once() -> None:
    """As it was requested."""
    request = stored(profile="brief", requested_model="coder:brief")
    assert requests.request_fields(request, NOW)["Model"] == "coder:brief"


def test_aggregated_row_has_its_count() -> None:
    """Only a list with one has the column."""
    rows = [requests.finished_row(stored(1, count=731), NOW), requests.finished_row(stored(2), NOW)]
    assert "COUNT" in drawn(None, *rows)[0]
    assert [row["COUNT"] for row in rows] == ["x 731", "-"]


@pytest.mark.parametrize(
    ("fields", "cell"),
    [
        ({"profile": "brief"}, "coder:brief"),
        ({"model": None, "requested_model": "gpt-5"}, "gpt-5"),
        ({"model": None}, "-"),
    ],
)
def test_model_is_shown_as_it_was_requested(fields: dict[str, Any], cell: str) -> None:
    """With its profile, and also if there is no such model."""
    assert requests.finished_row(stored(**fields), NOW)["MODEL"] == cell


def test_missing_values_are_dashes() -> None:
    """A request without a response has no figures."""
    row = requests.finished_row(
        StoredRequest(id=None, request_id="job", ended_at_s=NOW.timestamp(), route="other", status=None), NOW
    )
    assert row["ID"] == "job"
    assert {row[name] for name in ("STATUS", "WAITED", "FIRST", "IN", "OUT", "TOK/S", "MODEL")} == {"-"}


def test_status_has_a_colour() -> None:
    """By its class; of those in progress by the state."""
    rows = [
        *(requests.finished_row(stored(status=status), NOW) for status in (200, 404, 499, 503, None)),
        *requests.request_rows([], [in_progress(), in_progress(3, state="waiting")], NOW),
    ]
    assert requests.status_styles(rows)["STATUS"] == {
        "200": "green",
        "404": "yellow",
        "499": "yellow",
        "503": "red",
        "-": "red",
        "running": "cyan",
        "waiting": "yellow",
    }


def test_one_request_has_all_fields() -> None:
    """With the parts of its duration, which add up."""
    request = stored(
        requested_model="gpt-4o",
        profile="brief",
        key="alice",
        client="codex",
        address="10.0.0.7",
        error="engine_died",
        error_message="The engine exited.",
        waited_s=1.5,
        first_byte_s=2.0,
        cached_tokens=1000,
        swap="big -> coder",
        node="gpu-box",
    )
    assert {label: text for label, text in requests.request_fields(request, NOW).items() if text} == {
        "Request": "1",
        "Id": "req_a1b2c3d4e5f600000001",
        "Ended": "2026-11-28 10:29:00",
        "Model": "coder:brief, requested as gpt-4o",
        "Key": "alice",
        "Client": "codex, 10.0.0.7",
        "Route": "/v1/chat/completions, streamed",
        "Status": "200",
        "Error": "engine_died: The engine exited.",
        "Took": "4.2 s",
        "  waited": "1.5 s",
        "  first token": "500 ms",
        "  generation": "2.2 s",
        "Tokens": "1,234 in (1,000 cached), 210 out",
        "Speed": "52.6 tokens/s",
        "Swap": "big -> coder",
        "Node": "gpu-box",
    }


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({}, ["first token", "generation"]),
        ({"waited_s": 1.0, "first_byte_s": 1.5}, ["waited", "first token", "generation"]),
        ({"is_streamed": False}, []),
        ({"is_streamed": False, "waited_s": 1.0}, ["waited", "response"]),
        ({"waited_s": 4.2, "first_byte_s": None}, ["waited", "response"]),
        ({"waited_s": None, "first_byte_s": None}, []),
    ],
)
def test_parts_of_the_duration_add_up(fields: dict[str, Any], parts: list[str]) -> None:
    """A response as a whole has no first token."""
    found = list(requests.duration_parts(stored(**fields)))
    assert [name for name, _ in found] == parts
    assert not found or sum(part_s for _, part_s in found) == pytest.approx(4.2)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"prompt_tokens": None, "completion_tokens": None}, None),
        ({"completion_tokens": None}, "1,234 in, - out"),
        ({"cached_tokens": 0}, "1,234 in, 210 out"),
    ],
)
def test_unknown_tokens_are_no_zero(fields: dict[str, Any], text: str | None) -> None:
    """An engine may report one of them, or none."""
    assert requests.request_fields(stored(**fields), NOW)["Tokens"] == text


def test_request_without_a_response_says_so() -> None:
    """Its client has left before."""
    fields = requests.request_fields(stored(status=None, error="client_left", count=3), NOW)
    assert fields["Status"] == "no response"
    assert fields["Error"] == "client_left"
    assert fields["Count"] == "3 requests share this row: times and speed are means, tokens are sums"


def test_running_request_has_its_fields() -> None:
    """Without an end."""
    fields = requests.running_fields(in_progress(key="alice"), NOW)
    assert {label: text for label, text in fields.items() if text} == {
        "Id": "req_a1b2c3d4e5f600000002",
        "Arrived": "2026-11-28 10:29:47",
        "Model": "coder",
        "Key": "alice",
        "Route": "/v1/chat/completions",
        "State": "running",
        "Age": "12.5 s",
        "Waited": "300 ms",
        "Chunks": "17",
    }


def noted(**facts: bool) -> str | None:
    """Return the note of a list that has one page of requests, unless ``facts`` says otherwise."""
    usual = dict.fromkeys(
        ("is_empty", "is_filtered", "is_off", "is_remote", "has_more", "only_running"), False
    )
    return requests.list_note(**(usual | facts))


@pytest.mark.parametrize(
    ("facts", "note"),
    [
        ({}, None),
        ({"has_more": True}, requests.HAS_MORE),
        ({"is_empty": True}, requests.EMPTY),
        ({"is_empty": True, "is_filtered": True}, requests.NOTHING_FITS),
        ({"is_empty": True, "is_off": True, "is_filtered": True}, requests.IS_OFF),
        ({"is_off": True, "has_more": True}, requests.IS_OFF),
        ({"is_off": True, "is_remote": True}, requests.IS_OFF_REMOTELY),
        ({"is_empty": True, "only_running": True, "is_off": True}, requests.NOTHING_RUNS),
        ({"only_running": True}, None),
    ],
)
def test_list_says_what_to_do_next(facts: dict[str, bool], note: str | None) -> None:
    """The reason for an empty list precedes others."""
    assert noted(**facts) == note


def test_bodies_have_headings() -> None:
    """What was cut off is said."""
    bodies = ShownBodies(request='{"a": 1}\n', response="", is_response_cut=True)
    assert list(requests.body_lines(bodies)) == [
        "",
        "Request body:",
        '{"a": 1}',
        "",
        "Response body, incomplete:",
        "(empty)",
    ]
