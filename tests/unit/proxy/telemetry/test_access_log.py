"""The access log: format, batching, and what is never logged."""

import logging
from dataclasses import replace
from datetime import datetime

import pytest

from gglib.proxy.telemetry import access_log
from gglib.proxy.telemetry.access_log import (
    MAX_BUFFERED_LINES,
    QUIET_PATHS,
    AccessLog,
    format_line,
)
from gglib.proxy.telemetry.records import Refusal, RequestRecord

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
    assert " status=200 cut=client_left waited_ms=" in format_line(replace(RECORD, cut="client_left"))


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
    stamps = [text[:23] for text in records.messages[0].split("\n")]
    expected = [datetime.fromtimestamp(int(time_s)).strftime("%Y-%m-%d %H:%M:%S") for time_s in times]  # noqa: DTZ006
    assert stamps == [f"{expected[0]},000", f"{expected[1]},062", f"{expected[2]},999"]


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
    log.record(replace(RECORD, path=path), AT_S)
    log.flush()
    assert records.messages == []
    log.record(replace(RECORD, path=path, status=401), AT_S)
    log.flush()
    assert f" {path} " in records.messages[0]


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
        ("/nothing", 404, 1),
    ],
)
def test_paths_that_clients_request_on_their_own_are_not_logged(
    records: Records, path: str, status: int, lines: int
) -> None:
    """They are never found; other unknown paths may be mistakes."""
    log = AccessLog()
    log.record(replace(RECORD, path=path, status=status), AT_S)
    log.flush()
    assert len(records.messages) == lines
