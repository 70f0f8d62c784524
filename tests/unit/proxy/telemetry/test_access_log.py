"""The access log: format, batching, and what is never logged."""

import json
import logging
from dataclasses import replace
from datetime import datetime

import pytest

from gglib.core.history.records import RequestRecord
from gglib.proxy.telemetry import access_log
from gglib.proxy.telemetry.access_log import (
    MAX_BUFFERED_LINES,
    QUIET_PATHS,
    AccessLog,
    format_line,
    json_line,
)
from gglib.proxy.telemetry.outcome import Refusal

from .conftest import Records

RECORD = RequestRecord(
    method="POST",
    path="/v1/chat/completions",
    model="tiny",
    status=200,
    request_id="req_1",
    waited_s=0.0123,
    first_byte_s=0.5,
    duration_s=1.2345,
    chunks=7,
    prompt_tokens=54,
    completion_tokens=3,
    is_streamed=True,
    error_code=None,
)
AT_S = 1_795_503_871.0
LINE = (
    "POST /v1/chat/completions model=tiny status=200 waited_ms=12.3 first_byte_ms=500.0 duration_ms=1234.5 chunks=7"
    " prompt_tokens=54 completion_tokens=3 request_id=req_1"
)


def test_an_unknown_model_is_named_as_requested() -> None:
    """A model of the catalogue by its own name; the requested one is client input, so it is escaped."""
    record = replace(RECORD, model=None, requested_model="no such\nmodel")
    assert ' model="no such\\\\nmodel" ' in format_line(record)
    assert '"model":"no such\\\\nmodel"' in json_line(record, "", "info")
    assert " model=tiny " in format_line(replace(RECORD, model="tiny", requested_model="alias"))


def test_line_has_the_known_values() -> None:
    """Times are in milliseconds; unknown values are omitted, or a dash in fixed columns."""
    assert format_line(RECORD) == LINE
    unknown = replace(
        RECORD,
        model=None,
        status=None,
        waited_s=None,
        first_byte_s=None,
        chunks=0,
        prompt_tokens=None,
        completion_tokens=None,
    )
    assert format_line(unknown) == (
        "POST /v1/chat/completions model=- status=- duration_ms=1234.5 chunks=0 request_id=req_1"
    )


@pytest.mark.parametrize(
    ("field", "value", "written"),
    [
        ("model", "a\rb\nc", r"model=a\rb\nc status=200"),
        ("model", "\x1b]52;c;eA==\x07", r"model=\x1b]52;c;eA==\x07 status=200"),
        ("model", "a\u2028b\x85\x9b\u202e", r"model=a\u2028b\x85\x9b\u202e status=200"),
        ("model", "x status=500", 'model="x status=500" status=200'),
        ("model", 'x" y', r'model="x\" y" status=200'),
        ("model", "हिन्दी", "model=हिन्दी status=200"),
        ("path", "/v1\r/x", r"POST /v1\r/x model=tiny"),
        ("request_id", "r\n1", r"request_id=r\n1"),
        ("key_name", "al\x1bice", r" key=al\x1bice request_id=req_1"),
        ("client", "fe80::1%\x1b", r" client=fe80::1%\x1b request_id=req_1"),
    ],
)
def test_client_text_cannot_forge_lines_or_fields(field: str, value: str, written: str) -> None:
    """Control characters are escaped, and a name with spaces is quoted."""
    record = replace(RECORD)
    setattr(record, field, value)
    text = format_line(record)
    assert written in text
    assert text.isprintable()


def test_refusal_is_one_line(records: Records) -> None:
    """A reason may quote the client's text."""
    log = AccessLog()
    log.record_refusal(Refusal(400, "not 'a\r\n2026 INFO'", "req_9"), AT_S)
    log.flush()
    (message,) = records.messages
    assert message.endswith(r"refused: not 'a\r\n2026 INFO' request_id=req_9")


def test_cut_response_has_its_reason() -> None:
    """If the status was sent before the failure, ``cut`` has the reason."""
    assert " status=200 cut=client_stalled waited_ms=" in format_line(
        replace(RECORD, cut="client_stalled", error_code="client_stalled")
    )
    assert " status=499 cut=client_left waited_ms=" in format_line(
        replace(RECORD, status=499, cut="client_left")
    )


def test_error_line_has_its_code() -> None:
    """If no status was sent yet, the line has that of the error, with its code."""
    assert " status=502 error=upstream_error waited_ms=" in format_line(
        replace(RECORD, status=502, error_code="upstream_error")
    )


def test_quiet_path_is_logged_when_its_response_was_cut(records: Records) -> None:
    """A status of 200 alone would hide the failure."""
    log = AccessLog()
    log.record(replace(RECORD, path="/metrics", cut="client_left"), AT_S)
    log.flush()
    (message,) = records.messages
    assert "GET" not in message
    assert " /metrics " in message


def test_lines_are_written_together(records: Records) -> None:
    """``flush`` writes all buffered lines in one record, in order, once."""
    log = AccessLog()
    log.record(RECORD, AT_S)
    log.record_refusal(Refusal(431, "The request head is larger than 32768 bytes.", "req_9"), AT_S)
    assert records.messages == []
    log.flush()
    log.flush()
    (message,) = records.messages
    first, second = message.split("\n")
    assert first.endswith(f" INFO    {LINE}")
    assert second.endswith(
        " INFO    - - status=431 refused: The request head is larger than 32768 bytes. request_id=req_9"
    )


def test_each_line_has_its_own_time(records: Records) -> None:
    """The timestamp is the end of the request in milliseconds, not the time of the write."""
    times = [1_795_503_871.0, 1_795_503_871.0625, 1_795_503_872.9995]
    log = AccessLog()
    for time_s in times:
        log.record(RECORD, time_s)
    log.flush()
    stamps = [datetime.fromisoformat(text.partition(" ")[0]) for text in records.messages[0].split("\n")]
    assert all(stamp.utcoffset() is not None for stamp in stamps)
    assert [stamp.timestamp() for stamp in stamps] == [times[0], times[1] - 0.0005, times[2] - 0.0005]


def test_full_buffer_is_written_at_once(records: Records) -> None:
    """A full buffer is written at once."""
    log = AccessLog()
    for _ in range(MAX_BUFFERED_LINES - 1):
        log.record(RECORD, AT_S)
    assert records.messages == []
    log.record(RECORD, AT_S)
    assert [len(message.split("\n")) for message in records.messages] == [MAX_BUFFERED_LINES]


@pytest.mark.parametrize("path", sorted(QUIET_PATHS))
def test_polled_paths_are_quiet(path: str, records: Records) -> None:
    """Polled paths are logged only on failure."""
    log = AccessLog()
    log.record(replace(RECORD, method="GET", path=path), AT_S)
    log.flush()
    assert records.messages == []
    log.record(replace(RECORD, method="GET", path=path, status=401), AT_S)
    log.flush()
    assert f" {path} " in records.messages[0]


def test_changes_at_polled_paths_are_logged(records: Records) -> None:
    """The page polls the list of models; adding one is no poll."""
    log = AccessLog()
    log.record(replace(RECORD, method="POST", path="/gglib/models"), AT_S)
    log.flush()
    assert " POST /gglib/models " in records.messages[0]


def test_the_end_of_a_stream_of_events_is_quiet(records: Records) -> None:
    """Such a stream ends when its client leaves: no failure, unlike a response that was cut."""
    log = AccessLog()
    left = replace(RECORD, method="GET", status=499, cut="client_left")
    for path in ("/gglib/events", "/gglib/logs/engine%3Atiny/events"):
        log.record(replace(left, path=path), AT_S)
    log.flush()
    assert records.messages == []
    log.record(replace(left, path="/v1/events"), AT_S)
    log.flush()
    assert " /v1/events " in records.messages[0]


def test_a_server_that_is_not_ready_is_polled_quietly(records: Records) -> None:
    """Its 503 is the answer to the poll; elsewhere a 503 is a failure."""
    log = AccessLog()
    log.record(replace(RECORD, path="/ready", status=503), AT_S)
    log.flush()
    assert records.messages == []
    log.record(replace(RECORD, path="/metrics", status=503), AT_S)
    log.flush()
    assert " /metrics " in records.messages[0]


def test_the_level_debug_shows_polls_too(records: Records) -> None:
    """With their level, in both formats."""
    access_log.log.setLevel(logging.DEBUG)
    for log in (AccessLog(), AccessLog("json")):
        log.record(replace(RECORD, method="GET", path="/health"), AT_S)
        log.flush()
    text, as_json = records.messages
    assert " DEBUG   GET /health " in text
    assert json.loads(as_json)["level"] == "debug"


def test_a_client_of_another_machine_is_named(records: Records) -> None:
    """Most requests are from this machine; JSON has every address."""
    for address, shown in (("127.0.0.1", ""), ("::1", ""), ("192.168.1.7", " client=192.168.1.7")):
        assert format_line(replace(RECORD, client=address)) == LINE.replace(
            " request_id", f"{shown} request_id"
        )
        log = AccessLog("json")
        log.record(replace(RECORD, client=address), AT_S)
        log.flush()
        assert json.loads(records.messages[-1])["client"] == address


def test_json_has_the_fields_of_the_text() -> None:
    """With numbers as numbers; unknown values are omitted."""
    line = json_line(replace(RECORD, status=499, cut="client_left", key_name="alice"), "T", "info")
    assert list(json.loads(line).items()) == [
        ("time", "T"),
        ("level", "info"),
        ("logger", "gglib.access"),
        ("message", "POST /v1/chat/completions"),
        ("method", "POST"),
        ("path", "/v1/chat/completions"),
        ("model", "tiny"),
        ("status", 499),
        ("cut", "client_left"),
        ("waited_ms", 12.3),
        ("first_byte_ms", 500.0),
        ("duration_ms", 1234.5),
        ("chunks", 7),
        ("prompt_tokens", 54),
        ("completion_tokens", 3),
        ("key", "alice"),
        ("request_id", "req_1"),
    ]
    failed = json_line(
        replace(RECORD, status=502, error_code="upstream_error", model=None, waited_s=None), "T", "info"
    )
    assert json.loads(failed)["error"] == "upstream_error"
    assert not {"model", "waited_ms", "cut"} & json.loads(failed).keys()


@pytest.mark.parametrize("field", ["model", "path", "request_id", "key_name"])
def test_client_text_cannot_forge_lines_of_json(field: str) -> None:
    """Not even for a terminal: control characters are escaped as in text."""
    record = replace(RECORD)
    setattr(record, field, 'a"\n\x9b\u202e\u2028{}')
    line = json_line(record, "T", "info")
    assert line.isprintable()
    assert json.loads(line)["method"] == "POST"


def test_a_refusal_is_a_line_of_json(records: Records) -> None:
    """It has no method, path and model."""
    log = AccessLog("json")
    log.record_refusal(Refusal(431, "too\nlarge", "req_9"), AT_S)
    log.flush()
    fields = json.loads(records.messages[0])
    assert (fields["message"], fields["status"], fields["request_id"]) == (
        r"refused: too\nlarge",
        431,
        "req_9",
    )


def test_disabled_log_formats_nothing(records: Records) -> None:
    """A disabled log formats no lines."""
    access_log.log.setLevel(logging.WARNING)
    log = AccessLog()
    log.record(RECORD, AT_S)
    log.record_refusal(Refusal(400, "x", "req_9"), AT_S)
    access_log.log.setLevel(logging.INFO)
    log.flush()
    assert records.messages == []


@pytest.mark.parametrize(
    ("path", "status", "lines"),
    [
        ("/favicon.ico", 404, 0),
        ("/.well-known/openid-configuration", 404, 0),
        ("/favicon.ico", 403, 1),
        ("/web/0123/app.js", 200, 0),
        ("/web/0123/app.js", 304, 0),
        ("/web/0123/app.js", 404, 0),
        ("/web/0123/app.js", 403, 1),
        ("/", 200, 1),
        ("/", 304, 1),
        ("/nothing", 404, 1),
    ],
)
def test_paths_that_clients_request_on_their_own_are_not_logged(
    records: Records, path: str, status: int, lines: int
) -> None:
    """Odd paths are never found, other unknown paths may be mistakes; a browser loads dozens of files of the page."""
    log = AccessLog()
    log.record(replace(RECORD, path=path, status=status), AT_S)
    log.flush()
    assert len(records.messages) == lines
