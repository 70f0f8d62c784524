"""Formatting of values."""

import sys

import click
import pytest

from gglib.cli.pull.reporters import TextReporter
from gglib.cli.server.client import reachable
from gglib.cli.terminal.progress_bar import progress_bar
from gglib.cli.views import render
from gglib.cli.views.model_list import format_context
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.models import ModelSettings, ModelSummary
from gglib.library.pull.execute import PullProgress


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (render.size(None), "-"),
        (render.size(98_362_432), "98 MB"),
        (render.size(4_700_000_000), "4.7 GB"),
        (render.size(10), "1 kB"),
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


def test_long_message_is_wrapped_on_its_own_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each stream by itself, each line by itself; short lines, and texts to copy, stay as they are."""
    monkeypatch.setenv("COLUMNS", "20")
    text = "Warning: no model has answered.\nShort,  as it is.\n   A line that is indented."
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    render.echo(text)
    render.echo(text, is_error=True)
    render.show_verbatim(text, is_error=True)
    printed = capsys.readouterr()
    assert printed.out == text + "\n"
    wrapped = "Warning: no model\n  has answered.\nShort,  as it is.\n   A line that is\n     indented.\n"
    assert click.unstyle(printed.err) == f"{wrapped}{text}\n"


def test_fields_are_wrapped_beside_their_labels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that are prose: a path is copied."""
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    fields = {"Text": "words that are wrapped", "File": "/a directory/with a file", "None": None}
    render.show_fields(fields, width=6, wrapped=("Text",))
    expected = "Text: words that are\n      wrapped\nFile: /a directory/with a file\n"
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Run 'gglib set a --ctx N' or stop.", "Run\n  'gglib set a --ctx N'\n  or stop."),
        ("Run \"gglib rm 'a b'\" now.", "Run\n  \"gglib rm 'a b'\"\n  now."),
        ("Update it: gglib pull owner/name:Q8_0", "Update it:\n  gglib pull owner/name:Q8_0"),
        ("Run 'python -m gglib up' or stop.", "Run\n  'python -m gglib up'\n  or stop."),
        ("  gglib pull owner/name:Q8_0  (9 GB)", "  gglib pull owner/name:Q8_0  (9 GB)"),
        ("What gglib wrote and keeps, always", "What gglib wrote\n  and keeps,\n  always"),
        ("a-name-of-more-than-sixteen-characters", "a-name-of-more-than-sixteen-characters"),
    ],
)
def test_names_and_commands_are_not_broken(line: str, expected: str) -> None:
    """They are copied from the terminal."""
    assert render.wrap_line(line, 16) == expected


@pytest.mark.parametrize("kind", ["pull", "other"])
def test_name_with_brackets_is_shown_unchanged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """In a progress bar, too: no part of a name is parsed as a style."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    if kind == "pull":
        with TextReporter().progress() as on_progress:
            on_progress(
                PullProgress(file="m[bold]-Q8_0.gguf", done_bytes=1, total_bytes=2, phase="downloading")
            )
    else:
        with progress_bar() as on_progress:
            on_progress("m[bold]-Q8_0.gguf", 1, 2)
    assert "m[bold]-Q8_0.gguf" in capsys.readouterr().err
