"""New lines of a log in bounded memory."""

import json

import pytest

from gglib.app.monitoring import recent_lines
from gglib.app.monitoring.recent_lines import (
    CUT,
    MAX_LINE_CHARS,
    RecentLines,
    shown_tail,
)


def take(lines: RecentLines) -> tuple[list[str], int]:
    """Return the texts of the lines, and the number of dropped ones."""
    shown, dropped = lines.take()
    return [line.text for line in shown], dropped


def test_a_line_counts_when_it_ends() -> None:
    """However it is split, also inside a character."""
    lines = RecentLines()
    for piece in (b"one\r\ntw", "oü".encode()[:2], "oü".encode()[2:], b"\n\nthree"):
        lines.feed(piece)
    assert take(lines) == (["one", "twoü", ""], 0)
    assert take(lines) == ([], 0)
    lines.feed(b"\n")
    assert take(lines) == (["three"], 0)


def test_too_many_lines_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last ones stay."""
    monkeypatch.setattr(recent_lines, "MAX_LINES", 2)
    lines = RecentLines()
    lines.feed(b"1\n2\n3\n")
    lines.feed(b"4\n")
    assert take(lines) == (["3", "4"], 2)
    lines.feed(b"5\n")
    assert take(lines) == (["5"], 0)


def test_the_bytes_of_all_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many short lines, or a few long ones."""
    monkeypatch.setattr(recent_lines, "MAX_BYTES", 10)
    lines = RecentLines()
    lines.feed(b"aaaaaa\r\nbbbbb\nccccc\n")
    assert take(lines) == (["bbbbb", "ccccc"], 1)


def test_a_long_line_is_cut() -> None:
    """It is never in memory as a whole."""
    lines = RecentLines()
    for _ in range(100):
        lines.feed(b"x" * MAX_LINE_CHARS)
    lines.feed(b"\nshort\n")
    assert take(lines) == (["x" * MAX_LINE_CHARS + CUT, "short"], 0)
    assert shown_tail(["y" * 10 * MAX_LINE_CHARS, "z"])[0].text == "y" * MAX_LINE_CHARS + CUT
    assert shown_tail(["y" * MAX_LINE_CHARS])[0].text == "y" * MAX_LINE_CHARS


def test_a_record_with_a_long_traceback_is_read_before_it_is_cut() -> None:
    """It becomes the lines of the traceback; only the long one of them is cut."""
    frames = [f"frame {number}: {'x' * 80}" for number in range(200)]
    record = {
        "time": "2026-11-29T13:00:00.123+00:00",
        "level": "error",
        "logger": "gglib",
        "message": "it failed",
        "exception": "\n".join([*frames, "y" * (MAX_LINE_CHARS + 1)]),
    }
    line = json.dumps(record)
    lines = RecentLines()
    lines.feed(f"{line}\n".encode())
    shown, dropped = lines.take()
    assert (len(shown), dropped) == (202, 0)
    assert (shown[0].level, shown[0].text.endswith("ERROR   it failed")) == ("ERROR", True)
    assert shown[1].text.strip() == frames[0]
    assert shown[-1].text.endswith("y" + CUT)
    assert shown_tail([line]) == shown
