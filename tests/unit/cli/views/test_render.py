"""Formatting of values, and the tail of a log."""

import sys
from pathlib import Path

import pytest

from gglib.cli.commands.running.logs import tail
from gglib.cli.server.client import reachable
from gglib.cli.terminal import progress_bar
from gglib.cli.views import render
from gglib.cli.views.model_list import format_context
from gglib.cli.views.pull import TextReporter
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.models import ModelSettings, ModelSummary
from gglib.library.pull.execute import PullProgress


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (render.size(None), "-"),
        (render.size(98_362_432), "98 MB"),
        (render.size(4_700_000_000), "4.7 GB"),
        (render.size(10), "1 MB"),
        (render.count(None), "-"),
        (render.count(134_515_008), "135M"),
        (render.count(7_615_616_512), "7.6B"),
        (render.count(70_000_000_000), "70B"),
        (render.count(12), "12"),
        (render.duration(None), "-"),
        (render.duration(3.2), "3 s"),
        (render.duration(125), "2 min"),
        (render.duration(7_300), "2 h 1 min"),
        (render.seconds(None), "-"),
        (render.seconds(3.24), "3.2 s"),
        (render.seconds(75.4), "1 min 15 s"),
        (render.exact_duration(0.5), "0.5 s"),
        (render.exact_duration(30.0), "30 s"),
        (render.exact_duration(600.0), "10 min"),
        (render.exact_duration(7_265), "2 h 1 min 5 s"),
        (render.ago(None), "-"),
        (render.ago(-5), "just now"),  # a clock that was set back
        (render.ago(59), "just now"),
        (render.ago(3_599), "59 min ago"),
        (render.ago(7_300), "2 h ago"),
        (render.ago(86_400), "1 d ago"),
        (render.ago(400 * 86_400), "400 d ago"),
    ],
)
def test_number_has_its_usual_unit(shown: str, expected: str) -> None:
    """Sizes, counts and times are short, and a missing one is a dash."""
    assert shown == expected


@pytest.mark.parametrize(
    ("own", "trained", "expected"),
    [
        (None, None, "-"),
        (None, 8192, "8192"),
        (2048, 8192, "2048 (set)"),
        (UNLIMITED_CONTEXT, 8192, "8192 (max)"),
        (UNLIMITED_CONTEXT, None, "max"),
    ],
)
def test_context_has_its_source(own: int | None, trained: int | None, expected: str) -> None:
    """The user's context and the trained one are distinguished."""
    model = ModelSummary(id=1, name="m", trained_context=trained, settings=ModelSettings(context=own))
    assert format_context(model) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://0.0.0.0:1", "http://127.0.0.1:1"),
        ("http://[::]:1", "http://[::1]:1"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("http://192.168.1.2:1", "http://192.168.1.2:1"),
    ],
)
def test_server_on_all_addresses_is_shown_at_loopback(url: str, expected: str) -> None:
    """A wildcard address is not one to connect to."""
    assert reachable(url) == expected


def test_long_line_is_wrapped_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal gets wrapped, indented words; a pipe gets one line."""
    monkeypatch.setenv("COLUMNS", "20")
    line = "  error: tensor x-y-z is not within the file"
    render.show_line(line)
    assert capsys.readouterr().out == line + "\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    render.show_line(line)
    assert capsys.readouterr().out == "  error: tensor\n    x-y-z is not\n    within the file\n"


def test_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    """At most the requested number, none of a missing file."""
    path = tmp_path / "log"
    assert tail(path, 5) == []
    path.write_text("a\nb\nc\n", encoding="utf-8")
    assert tail(path, 2) == ["b", "c"]
    assert tail(path, 5) == ["a", "b", "c"]
    assert tail(path, 0) == []


COLUMNS = ("ID", "NAME", "SOURCE", "SIZE")
ROWS = [("1", "n" * 30, "owner/name", "1 MB"), ("2", "short", "-", "12 MB")]


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (100, COLUMNS),
        (2 + 20 + 10 + 5 + 3 * 2, COLUMNS),  # the long name goes on in the next line
        (2 + 20 + 10 + 5 + 3 * 2 - 1, ("NAME", "SOURCE", "SIZE")),
        (20 + 5 + 2, ("NAME", "SIZE")),
        (5, ("NAME", "SIZE")),  # what is not spared stays
    ],
)
def test_columns_that_do_not_fit_are_left_out(width: int, kept: tuple[str, ...]) -> None:
    """On a narrow terminal optional columns are dropped in their order, and no more than necessary."""
    columns, rows = render.fit_columns(COLUMNS, ROWS, width, wrapped=("NAME",), droppable=("ID", "SOURCE"))
    assert tuple(columns) == kept
    assert all(len(row) == len(kept) for row in rows)
    assert rows[1][0] == ("2" if "ID" in kept else "short")


@pytest.mark.parametrize("kind", ["pull", "other"])
def test_name_with_brackets_is_shown_unchanged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """In a progress bar, too: no part of a name is parsed as a style."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    if kind == "pull":
        with TextReporter().progress() as on_progress:
            on_progress(
                PullProgress(file="m[bold]-Q8_0.gguf", done_bytes=1, total_bytes=2, phase="downloading")
            )
    else:
        with progress_bar() as tell_bytes:
            tell_bytes("m[bold]-Q8_0.gguf", 1, 2)
    assert "m[bold]-Q8_0.gguf" in capsys.readouterr().err
