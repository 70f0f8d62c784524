"""The lines of the log, in both formats."""

import json
from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from gglib.core.log_lines import (
    LineSplitter,
    LogLine,
    ReadableStream,
    Timestamps,
    json_line,
    parsed_lines,
    readable_line,
    shown_lines,
    text_line,
)

AT_S = 1_795_957_200.0  # 2026-11-29T13:00:00 UTC
TIME = "2026-11-29T13:00:00.123+00:00"


@pytest.mark.parametrize(
    ("at_s", "expected"),
    [
        (AT_S, "2026-11-29T13:00:00.000+00:00"),
        (AT_S + 0.1239, "2026-11-29T13:00:00.123+00:00"),
        (AT_S + 59.9999, "2026-11-29T13:00:59.999+00:00"),
    ],
)
def test_times_have_milliseconds_and_an_offset(at_s: float, expected: str) -> None:
    """Rounded down, so that no time is after the event."""
    assert Timestamps(UTC).format(at_s) == expected


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(5.5, "18:30:00.000+05:30"), (-3, "10:00:00.000-03:00"), (0, "13:00:00.000+00:00")],
)
def test_the_offset_is_that_of_the_zone(hours: float, expected: str) -> None:
    """Also if it is no whole hour."""
    assert Timestamps(timezone(timedelta(hours=hours))).format(AT_S).endswith(f"T{expected}")


def test_the_offset_changes_with_summer_time() -> None:
    """At 01:00 UTC on 25 October 2026 clocks in Berlin go back: the local time repeats with another offset."""
    berlin = Timestamps(ZoneInfo("Europe/Berlin"))
    change_s = 1_792_890_000.0
    assert [berlin.format(at_s)[11:] for at_s in (change_s - 1, change_s)] == [
        "02:59:59.000+02:00",
        "02:00:00.000+01:00",
    ]


def test_the_local_zone_is_the_default() -> None:
    """Whatever it is, the text is the same time."""
    assert Timestamps().format(AT_S)[10] == "T"


def test_a_line_of_text_is_aligned() -> None:
    """Messages begin in the same column for every usual level."""
    starts = {text_line(TIME, level, "x").index("x") for level in ("debug", "info", "warning", "ERROR")}
    assert starts == {len(TIME) + 9}


def test_json_is_shown_as_the_text_would_be() -> None:
    """The fields of a request follow its method and path."""
    line = json_line(
        {
            "time": TIME,
            "level": "info",
            "logger": "gglib.access",
            "message": "POST /v1/x",
            "method": "POST",
            "path": "/v1/x",
            "model": "a b",
            "status": 499,
        }
    )
    assert readable_line(line) == f'{TIME} INFO    POST /v1/x model="a b" status=499'


def test_a_traceback_follows_in_indented_lines() -> None:
    """As in text; control characters stay escaped."""
    line = json_line({"time": TIME, "level": "error", "message": "bad\x1b", "exception": "Traceback\n  x"})
    assert "\n" not in line
    assert readable_line(line) == f"{TIME} ERROR   bad\\x1b\n    Traceback\n      x"


@pytest.mark.parametrize(
    "line",
    ["", "text", "{", '{"a": 1}', "[1]", '{"time": 1', text_line(TIME, "info", "x"), '    {"indented": 1}'],
)
def test_any_other_line_is_shown_as_it_is(line: str) -> None:
    """The log of an engine, an older log, a line that was cut."""
    assert readable_line(line) == line


def test_records_of_both_formats_are_parsed() -> None:
    """A log has both after the setting was changed; lines of unknown form are kept."""
    own = {"time": TIME, "level": "info", "logger": "gglib", "message": "y"}
    lines = ["older", text_line(TIME, "warning", "x"), "    more", json.dumps(own), f"{TIME} LOUD x"]
    assert parsed_lines(lines) == [
        {"message": "older"},
        {"time": TIME, "level": "warning", "message": "x\nmore"},
        own,
        {"message": f"{TIME} LOUD x"},
    ]
    assert parsed_lines(["    a continuation alone"]) == [{"message": "    a continuation alone"}]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_stream_is_shown_as_its_lines_are(size: int) -> None:
    """Wherever the pieces end; the last line of JSON is shown when it is complete."""
    own = json_line({"time": TIME, "level": "info", "logger": "gglib", "message": "y"})
    lines = [own, "text", "", 'text {"time": 1}', "{", own, "{ no JSON"]
    text = "".join(f"{line}\n" for line in lines)
    stream = ReadableStream()
    shown = "".join(stream.feed(text[start : start + size]) for start in range(0, len(text), size))
    assert shown == "".join(f"{readable_line(line)}\n" for line in lines)


def test_text_is_shown_before_its_line_ends() -> None:
    """The progress of an engine."""
    stream = ReadableStream()
    assert [stream.feed(piece) for piece in ("loading .", ".", "", "{.", "\n", "{")] == [
        "loading .",
        ".",
        "",
        "{.",
        "\n",
        "",
    ]


def test_lines_are_complete() -> None:
    """A line that is written in pieces is one."""
    lines = LineSplitter()
    assert lines.feed("a\r\nb") == ["a"]
    assert lines.feed("c") == []
    assert lines.feed("\n\nd") == ["bc", ""]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"{TIME} INFO    ready",
            [LogLine(text=f"{TIME} INFO    ready", time=TIME, level="INFO")],
        ),
        ("    more", [LogLine(text="    more")]),
        ("srv  load: done", [LogLine(text="srv  load: done")]),
        ("slot error 17", [LogLine(text="slot error 17")]),
        ("<script>\x1b[31m\x9b\u202e", [LogLine(text="<script>\\x1b[31m\\x9b\\u202e")]),
        ("", [LogLine(text="")]),
        (
            json_line(
                {
                    "time": TIME,
                    "level": "error",
                    "logger": "gglib.proxy",
                    "message": "bad",
                    "exception": "a\nb",
                }
            ),
            [
                LogLine(
                    text=f"{TIME} ERROR   bad",
                    time=TIME,
                    level="ERROR",
                    source="gglib.proxy",
                ),
                LogLine(text="    a"),
                LogLine(text="    b"),
            ],
        ),
        (
            json.dumps({"time": TIME, "level": "info", "message": "m", "logger": "\ud800\x1b"}),
            [LogLine(text=f"{TIME} INFO    m", time=TIME, level="INFO", source="\\ud800\\x1b")],
        ),
        (
            json.dumps({"time": TIME, "level": "\ud800", "message": "m"}),
            [LogLine(text=f"{TIME} \\ud800       m")],
        ),
    ],
)
def test_a_shown_line_has_its_parts(line: str, expected: list[LogLine]) -> None:
    """Time, level and logger of gglib's records; other lines have a text only; none has a control character."""
    assert shown_lines(line) == expected
    assert all(text.text.isprintable() for text in shown_lines(line))
    json.dumps([text.text for text in shown_lines(line)], ensure_ascii=False).encode()
