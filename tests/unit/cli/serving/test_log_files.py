"""The configured log: order, levels and formats of its lines."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from gglib.app.monitoring.log_files import LOG_NAME
from gglib.cli.serving.announcements import printing_announcer, result_announcer, server_announcer
from gglib.cli.serving.log_files import start_logging
from gglib.core.history.records import RequestRecord
from gglib.core.log_lines import JSON, TEXT
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.recorder import RequestRecorder

LOGGER = logging.getLogger("gglib.test")


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Undo the configuration."""
    root, raises = logging.getLogger("gglib"), logging.raiseExceptions
    handlers, level, propagates = root.handlers[:], root.level, root.propagate
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.propagate = handlers, propagates
    root.setLevel(level)
    logging.raiseExceptions = raises


def record(number: int, path: str = "/v1/models") -> RequestRecord:
    """Return the record of a finished request."""
    return RequestRecord(
        method="GET",
        path=path,
        model=None,
        status=200,
        request_id=f"req_{number}",
        waited_s=None,
        first_byte_s=0.001,
        duration_s=0.001,
        chunks=1,
        is_streamed=False,
        error_code=None,
    )


def lines_of(log_dir: Path) -> list[str]:
    """Return the lines of the log."""
    return (log_dir / LOG_NAME).read_text().splitlines()


@pytest.mark.parametrize("log_format", [TEXT, JSON])
async def test_lines_are_in_the_order_of_their_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    """Access lines are buffered, and written before a record that follows them; in the file as on stderr."""
    start_logging(tmp_path, log_format=log_format)
    recorder = RequestRecorder(route_of, log_format)
    for number in range(3):
        recorder.record(record(number), b"")
        LOGGER.info("between %d", number)
    recorder.record(record(3), b"")
    recorder.flush()
    found = [re.findall(r"req_\d|between \d", line)[0] for line in lines_of(tmp_path)]
    assert found == ["req_0", "between 0", "req_1", "between 1", "req_2", "between 2", "req_3"]
    times = [datetime.fromisoformat(re.findall(r"\d{4}-[^ \"]+", line)[0]) for line in lines_of(tmp_path)]
    assert times == sorted(times)
    assert all(time.utcoffset() is not None for time in times)
    assert capsys.readouterr().err.splitlines() == lines_of(tmp_path)


def test_a_record_is_an_object_with_its_traceback(tmp_path: Path) -> None:
    """In one line; control characters are escaped, line breaks are JSON's."""
    start_logging(tmp_path, log_format=JSON)
    try:
        raise ZeroDivisionError("x\x1b")  # noqa: TRY301 - the error to log
    except ZeroDivisionError:
        LOGGER.exception("failed: %s", "a\nb\x9b")
    (line,) = lines_of(tmp_path)
    fields = json.loads(line)
    assert line.isprintable()
    assert (fields["level"], fields["logger"], fields["message"]) == (
        "error",
        "gglib.test",
        "failed: a\nb\\x9b",
    )
    assert fields["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert fields["exception"].endswith("ZeroDivisionError: x\\x1b")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", {"debug", "info", "warning", "health", "models"}),
        ("info", {"info", "warning", "models"}),
        ("warning", {"warning"}),
        ("error", set()),
    ],
)
async def test_a_level_hides_what_is_below_it(tmp_path: Path, level: str, expected: set[str]) -> None:
    """Requests are of the level info, successful polls of debug."""
    start_logging(tmp_path, level=level)
    recorder = RequestRecorder(route_of)
    for path in ("/health", "/v1/models"):
        recorder.record(record(1, path), b"")
    for name in ("debug", "info", "warning"):
        LOGGER.log(logging.getLevelNamesMapping()[name.upper()], "a %s", name)
    recorder.flush()
    file = tmp_path / LOG_NAME
    found = re.findall(r"a (\w+)|GET \S*/(\w+)", file.read_text() if file.exists() else "")
    assert {first or second for first, second in found} == expected


def test_a_message_for_a_terminal_is_printed_and_logged_once_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a sentence, with its time in the file only."""
    start_logging(tmp_path)
    printing_announcer()("Stopping: interrupted (Ctrl-C).")
    result_announcer(TEXT)("Listening on http://127.0.0.1:1")
    printed = capsys.readouterr()
    assert printed.err == "Stopping: interrupted (Ctrl-C).\n"
    assert printed.out == "Listening on http://127.0.0.1:1\n"
    assert [line.partition(" INFO    ")[2] for line in lines_of(tmp_path)] == [
        "Stopping: interrupted (Ctrl-C).",
        "Listening on http://127.0.0.1:1",
    ]


def test_without_a_terminal_a_message_is_a_line_of_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its time, also on stderr, which a service manager keeps."""
    start_logging(tmp_path)
    server_announcer(TEXT)("Stopping: received SIGTERM.")
    assert capsys.readouterr().err.splitlines() == lines_of(tmp_path)
    assert lines_of(tmp_path)[0].endswith(" INFO    Stopping: received SIGTERM.")


def test_with_json_messages_are_json_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program reads stderr line by line, and nothing else; a terminal changes nothing."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    start_logging(tmp_path, log_format=JSON)
    server_announcer(JSON)("Stopping: received SIGTERM.")
    result_announcer(JSON)("Listening on http://127.0.0.1:1")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [json.loads(line)["message"] for line in printed.err.splitlines()] == [
        "Stopping: received SIGTERM.",
        "Listening on http://127.0.0.1:1",
    ]
    assert lines_of(tmp_path) == printed.err.splitlines()
