"""``gglib requests`` and ``gglib usage``, on a history in memory."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gglib.cli.app import cli
from gglib.cli.history import cancel, follow, sources
from gglib.cli.history.results import FoundRequests
from gglib.cli.history.sources import FileHistory
from gglib.cli.server import instance
from gglib.cli.views import requests
from gglib.core.addresses import Endpoint
from gglib.core.errors import HistoryError
from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.history.requests import RequestFilter, RunningRequest, StoredRequest
from gglib.testing import FakeHistory

SERVER = Endpoint("http://127.0.0.1:8080", None)
RUNNING = [
    RunningRequest(
        request_id=f"req_a1b2c3d4e5f60000000{digit}", route="/v1/chat/completions", state="running", age_s=3.0
    )
    for digit in "abc"
]


BODIES = RecordedBodies(b"What does 'gglib list' do?", b"ho\x1b[2J")


def record(request_id: str, **fields: Any) -> RequestRecord:
    """Return a request that has just ended."""
    return RequestRecord(
        **{
            "method": "POST",
            "path": "/v1/completions",
            "route": "/v1/completions",
            "model": "coder",
            "status": 200,
            "request_id": request_id,
            "waited_s": 0.0,
            "first_byte_s": 0.1,
            "duration_s": 1.0,
            "chunks": 1,
            "is_streamed": False,
            "error_code": None,
            "prompt_tokens": 1000,
            "completion_tokens": 20,
            "ended_at_s": time.time(),
            **fields,
        }
    )


class Source(FileHistory):
    """A history with requests in progress, as a server has it."""

    def __init__(self, history: FakeHistory) -> None:
        super().__init__(history, is_off=False)
        self.history = history
        self.running: list[RunningRequest] = []
        self.is_off = False
        self.wanted: list[RequestFilter] = []

    def find(self, wanted: RequestFilter, **options: Any) -> FoundRequests:
        """Return a page, and all requests in progress."""
        self.wanted.append(wanted)
        found = super().find(wanted, **options)
        return FoundRequests(
            running=tuple(self.running),
            requests=found.requests,
            next_before=found.next_before,
            is_off=self.is_off,
        )


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    """Return the source that the commands use."""
    found = Source(FakeHistory())
    monkeypatch.setattr(sources, "history_source", lambda _: found)
    return found


@pytest.fixture
def filled(source: Source) -> Source:
    """Return a source with three requests."""
    source.history.record(
        [
            record("job-1", key_name="alice"),
            record("job-2", status=404, error_code="model_not_found", requested_model="gpt-9", model=None),
            record("req_a1b2c3d4e5f60000000c", bodies=BODIES),
        ]
    )
    return source


@pytest.fixture
def gglib(tmp_path: Path) -> Any:
    """Return a function that runs a command on an empty home."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(
            cli, words, prog_name="gglib", env={"GGLIB_HOME": str(tmp_path), "GGLIB_HOST": None}
        )

    return run


def ok(result: Result) -> str:
    """Return the output of a command that succeeded."""
    assert (result.exit_code, result.exception) == (0, None), result.output
    return result.stdout


@pytest.mark.usefixtures("filled")
def test_list_is_in_the_order_of_time(gglib: Any) -> None:
    """The newest last, beside the prompt; in a pipe with all columns."""
    heading, *lines = ok(gglib("requests")).splitlines()
    assert "ROUTE" in heading
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert "gpt-9" in lines[1]
    assert "model_not_found" in lines[1]


def test_running_requests_are_at_the_end(gglib: Any, filled: Source) -> None:
    """They have not ended yet."""
    filled.running = RUNNING
    assert [line.split()[0] for line in ok(gglib("requests", "-n", "1")).splitlines()[1:]] == [
        "3",
        "0000000a",
        "0000000b",
        "0000000c",
    ]


@pytest.mark.usefixtures("filled")
def test_json_is_that_of_the_api(gglib: Any) -> None:
    """Newest first."""
    found = json.loads(ok(gglib("requests", "--json", "-n", "2")))
    assert [request["request_id"] for request in found["requests"]] == ["req_a1b2c3d4e5f60000000c", "job-2"]
    assert (found["running"], found["next_before"], found["is_off"]) == ([], 2, False)


def test_options_select(gglib: Any, filled: Source) -> None:
    """All of them at once."""
    words = "requests --key alice --client - --model coder --profile - --route /v1/completions --status 2xx"
    ok(gglib(*words.split(), "--slow", "1", "--since", "today", "-n", "all"))
    wanted = filled.wanted[-1]
    assert (wanted.key, wanted.client, wanted.model, wanted.statuses) == ("alice", "", "coder", (200, 299))
    assert "job-1" in ok(gglib("requests", "--key", "alice", "--json"))


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ((), requests.EMPTY),
        (("--failed",), requests.NOTHING_FITS),
        (("nothing",), requests.NOTHING_FITS),
        (("--running",), requests.NOTHING_RUNS),
    ],
)
@pytest.mark.usefixtures("source")
def test_empty_list_says_what_to_do(words: tuple[str, ...], note: str, gglib: Any) -> None:
    """Beside the output, which stays empty in a pipe."""
    result = gglib("requests", *words)
    assert ok(result) == ""
    assert result.stderr.strip() == note


def test_history_that_is_off_says_how_to_turn_it_on(gglib: Any, source: Source) -> None:
    """With a command that can be typed."""
    source.is_off = True
    assert "config set history true" in gglib("requests").stderr


@pytest.mark.usefixtures("filled")
def test_more_requests_are_mentioned(gglib: Any) -> None:
    """So that the list is not taken for all there is."""
    assert gglib("requests", "-n", "2").stderr.strip() == requests.HAS_MORE
    assert gglib("requests", "-n", "3").stderr == ""


@pytest.mark.parametrize("text", ["3", "0000000c", "req_a1b2c3d4e5f60000000c"])
@pytest.mark.usefixtures("filled")
def test_one_request_is_shown_whole(text: str, gglib: Any) -> None:
    """By its number, its id, or the end of its id."""
    result = gglib("requests", text)
    assert "Request: 3\nId:      req_a1b2c3d4e5f60000000c\n" in ok(result)
    assert "requests --body" in result.stderr


@pytest.mark.usefixtures("filled")
def test_part_of_a_name_lists(gglib: Any) -> None:
    """Even if it fits one request only: it is no id."""
    assert ok(gglib("requests", "gpt")).startswith("ID")
    assert ok(gglib("requests", "job-2", "--failed")).startswith("ID")


@pytest.mark.usefixtures("filled")
def test_bodies_are_printed_escaped(gglib: Any, tmp_path: Path) -> None:
    """A body may have control characters, which are escaped; commands in it stay as they are."""
    text = ok(gglib("--home", str(tmp_path), "requests", "--body", "3"))
    bodies = text.partition("\nRequest body:\n")[2]
    assert bodies == "What does 'gglib list' do?\n\nResponse body:\nho\\x1b[2J\n"
    assert json.loads(ok(gglib("requests", "--body", "3", "--json")))["bodies"]["response"] == "ho\x1b[2J"
    assert gglib("requests", "--body", "1").stderr.strip() == f"Error: {requests.NO_BODIES}"


@pytest.mark.usefixtures("filled")
def test_unknown_number_is_one_sentence(gglib: Any) -> None:
    """And exit code 1."""
    result = gglib("requests", "77")
    assert result.exit_code == 1
    assert result.stderr == "Error: There is no request '77': 'gglib requests' lists them.\n"
    result = gglib("requests", "404")
    assert result.stderr.endswith("'gglib requests --status 404' lists those with this status.\n")


def test_unreadable_history_is_one_sentence(gglib: Any, source: Source) -> None:
    """As of every other file."""
    source.history.fails_with = HistoryError("history.db is damaged: remove it.")
    for command in ("requests", "usage"):
        result = gglib(command)
        assert (result.exit_code, result.stderr) == (1, "Error: history.db is damaged: remove it.\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("cancel", "x"), "Did you mean 'gglib requests --cancel x'?"),
        (("show", "7"), "Did you mean 'gglib requests 7'?"),
        (("not", "found"), 'A text of several words needs quotes: gglib requests "not found"'),
        (
            ("--cancel", "x", "--failed"),
            "--cancel takes ids and no other option: 'gglib requests --running' lists them.",
        ),
        (("--body",), "--body needs one request: gglib requests --body NUMBER"),
        (("--body", "7", "-f"), "--body needs one request: gglib requests --body NUMBER"),
        (("-f", "--running"), "Use either --follow or --running: the former prints requests as they end."),
        (("-f", "--until", "1h"), "--follow has no end: leave out --until."),
        (("7", "--failed"), "'7' is the number of one request: leave out the other options."),
        (
            ("--status", "ok"),
            "'ok' is no status: use a number such as 404, a class such as 4xx, or 'failed'.",
        ),
        (("-n", "many"), "Invalid value for '-n' / '--limit': 'many' is not a number, and not 'all'."),
    ],
)
def test_options_that_exclude_each_other(words: tuple[str, ...], sentence: str, gglib: Any) -> None:
    """Exit code 2, and what to type."""
    result = gglib("requests", *words)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: {sentence}\n")


def test_cancel_looks_all_ids_up_first(gglib: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake cancels nothing."""
    deleted: list[str] = []
    monkeypatch.setattr(instance, "server_endpoint", lambda _: SERVER)
    monkeypatch.setattr(sources.ServerHistory, "find", lambda *_, **__: FoundRequests(running=tuple(RUNNING)))
    monkeypatch.setattr(cancel, "delete_json", lambda _, path: deleted.append(path))
    result = gglib("requests", "--cancel", "0000000a", "--cancel", "7")
    assert result.exit_code == 1
    assert "No request '7' is in progress" in result.stderr
    assert deleted == []
    words = ("requests", "--cancel", "0000000a", "--cancel", RUNNING[1].request_id, "--cancel", "0000000a")
    assert ok(gglib(*words)) == f"Cancelled {RUNNING[0].request_id}, {RUNNING[1].request_id}.\n"
    assert deleted == [f"/gglib/requests/{request.request_id}" for request in RUNNING[:2]]
    assert json.loads(ok(gglib("requests", "--cancel", "0000000c", "--json"))) == {
        "cancelled": [RUNNING[2].request_id]
    }


def test_ids_may_follow_one_cancel(gglib: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are pasted from the list."""
    deleted: list[str] = []
    monkeypatch.setattr(instance, "server_endpoint", lambda _: SERVER)
    monkeypatch.setattr(sources.ServerHistory, "find", lambda *_, **__: FoundRequests(running=tuple(RUNNING)))
    monkeypatch.setattr(cancel, "delete_json", lambda _, path: deleted.append(path))
    ok(gglib("requests", "--cancel", "0000000a", "0000000b"))
    assert deleted == [f"/gglib/requests/{request.request_id}" for request in RUNNING[:2]]


@pytest.mark.usefixtures("filled")
def test_no_finished_requests_are_listed_if_none_are_wanted(gglib: Any) -> None:
    """There are some: "No requests yet" would be wrong."""
    assert gglib("requests", "-n", "0").stderr == "No request is in progress.\n"


@pytest.mark.parametrize("as_json", [True, False])
def test_followed_requests_are_lines(gglib: Any, monkeypatch: pytest.MonkeyPatch, *, as_json: bool) -> None:
    """Aligned under one heading, or objects."""
    ended = [
        StoredRequest(
            id=number,
            request_id=f"req_{number}",
            ended_at_s=time.time(),
            route="/r",
            status=status,
            requested_model=name,
        )
        for number, (status, name) in enumerate(((200, "plain"), (503, "a\x1b[2Jb")), start=1)
    ]

    def fake(_: object, wanted: RequestFilter, *, limit: int, show: Any, note: Any) -> None:
        assert (wanted, limit) == (RequestFilter(key="a"), 20)
        note("It stopped.")
        for request in ended:
            show(request)

    monkeypatch.setattr(follow, "follow", fake)
    result = gglib("requests", "-f", "--key", "a", *(["--json"] if as_json else []))
    lines = ok(result).splitlines()
    assert result.stderr == "It stopped.\n"
    if as_json:
        assert [json.loads(line)["id"] for line in lines] == [1, 2]
    else:
        assert [line.split()[0] for line in lines] == ["ID", "req_1", "req_2"]
        assert "\x1b" not in result.stdout
        assert lines[0].index("STATUS") == lines[1].index("200") == lines[2].index("503")


@pytest.mark.usefixtures("filled")
def test_usage_is_by_day_unless_asked_otherwise(gglib: Any) -> None:
    """With the period beside it."""
    result = gglib("usage")
    heading, line = ok(result).splitlines()
    assert heading.split()[:2] == ["DAY", "REQUESTS"]
    assert line.split()[1:4] == ["3", "1", "3,000"]
    assert result.stderr.startswith("Usage since ")
    assert ok(gglib("usage", "--by", "key,model")).splitlines()[-1].split()[:2] == ["Total", "3"]


@pytest.mark.usefixtures("filled")
def test_usage_for_programs(gglib: Any) -> None:
    """The objects of the API, or CSV."""
    report = json.loads(ok(gglib("usage", "--by", "model", "--json")))
    assert [(row["model"], row["requests"]) for row in report["usage"]] == [("", 1), ("coder", 2)]
    assert report["total"]["prompt_tokens"] == 3000
    assert ok(gglib("usage", "--by", "key", "--csv")).splitlines()[1:] == [
        ",2,1,2000,40,0,2.000",
        "alice,1,0,1000,20,0,1.000",
    ]
    assert gglib("usage", "--csv", "--json").exit_code == 2


@pytest.mark.usefixtures("source")
def test_no_usage_says_so(gglib: Any) -> None:
    """With the period that was searched."""
    result = gglib("usage", "--since", "all")
    assert ok(result) == ""
    assert result.stderr == "All usage so far. There were no requests.\n"
    assert "'--since all' adds up everything" in gglib("usage").stderr


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ("usage --key alcie", "No request has the key 'alcie' so far: did you mean alice?"),
        ("usage --key xyz", "No request has the key 'xyz' so far; there are some with alice."),
        ("usage --client vim", "No request has the client 'vim' so far."),
        ("requests --key alcie --failed", "No request has the key 'alcie' so far: did you mean alice?"),
        ("requests --key alice --status 5xx", requests.NOTHING_FITS),
    ],
)
@pytest.mark.usefixtures("filled")
def test_a_name_that_no_request_has_is_said_to_be_unknown(words: str, note: str, gglib: Any) -> None:
    """Of a filter that finds nothing: a misspelt key is not taken for one without usage."""
    result = gglib(*words.split())
    assert ok(result) == ""
    assert result.stderr.strip() == note
