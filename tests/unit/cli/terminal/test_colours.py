"""Colours: when output has them."""

import sys
from collections.abc import Mapping

import click
import pytest
from click.testing import CliRunner

from gglib.cli.app import cli
from gglib.cli.terminal.colours import colour_choice, marked, stream_has_colours, styled
from gglib.cli.terminal.console import rich_console

VARIABLES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM")


@pytest.fixture(autouse=True)
def _no_colour_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "0"}, False),  # any value
        ({"NO_COLOR": ""}, None),  # but an empty one is none
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "3", "TERM": "dumb"}, True),
        ({"FORCE_COLOR": "0"}, None),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, True),
        ({"CLICOLOR": "0"}, False),
        ({"CLICOLOR": "1"}, None),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm-256color"}, None),
    ],
)
def test_environment_decides_before_the_terminal(
    environ: Mapping[str, str],
    expected: bool | None,  # noqa: FBT001
) -> None:
    """Explicit wishes come first, in Python's order; without one, a terminal has colours."""
    assert colour_choice(environ) is expected


@pytest.mark.parametrize("is_terminal", [True, False])
def test_without_a_wish_the_stream_decides(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:  # noqa: FBT001
    """Each stream by itself: stdout may be a pipe while stderr is a terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert stream_has_colours(sys.stderr) is is_terminal


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize(("variable", "colours"), [("NO_COLOR", False), ("FORCE_COLOR", True)])
def test_console_of_rich_follows(
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    colours: bool,  # noqa: FBT001
    is_terminal: bool,  # noqa: FBT001
) -> None:
    """Colours without a terminal are no reason for cursor movements, and ``NO_COLOR`` removes bold, too."""
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    console = rich_console(sys.stderr)
    assert (console.is_terminal, console.color_system is not None) == (is_terminal, colours)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("", "a\\x1bb"),
        ("green", "\x1b[32ma\\x1bb\x1b[0m"),
        ("bold", "\x1b[1ma\\x1bb\x1b[0m"),
        ("bold red", "\x1b[31m\x1b[1ma\\x1bb\x1b[0m"),
        ("dim", "\x1b[2ma\\x1bb\x1b[0m"),
    ],
)
def test_styled_text_is_escaped(style: str, expected: str) -> None:
    """The only control sequences are those of the style."""
    assert styled("a\x1bb", style) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Warning: a\nWarning: b", "\x1b[33m\x1b[1mWarning:\x1b[0m a\nWarning: b"),
        ("Usage: x\n\nError: a", "Usage: x\n\n\x1b[31m\x1b[1mError:\x1b[0m a"),
        ("An Error: a", "An Error: a"),
    ],
)
def test_mark_of_a_warning_or_an_error_has_a_colour(text: str, expected: str) -> None:
    """The first one, at the beginning of a line."""
    assert marked(text) == expected


def outputs(*words: str, **environ: str) -> tuple[str, str]:
    """Return stdout and stderr of a command, with their control sequences."""
    done = CliRunner().invoke(cli, [*words], prog_name="gglib", env=environ)
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "words", [("frobnicate",), ("--frob", "list"), ("load",), ("search", "--limit", "0", "a")]
)
def test_error_is_marked_where_there_are_colours(words: tuple[str, ...]) -> None:
    """Errors of every origin: of the root, of a command, of a value. Without colours they are the same text."""
    _, coloured = outputs(*words, FORCE_COLOR="1")
    assert "\x1b[31m\x1b[1mError:\x1b[0m " in coloured
    _, plain = outputs(*words)
    assert "\nError: " in plain
    assert plain == click.unstyle(coloured)
    assert outputs(*words, FORCE_COLOR="1", NO_COLOR="1")[1] == plain


def test_headings_of_help_are_bold() -> None:
    """Of the overview and of each command."""
    for words in ((), ("list",), ("profile", "set")):
        coloured, _ = outputs(*words, "--help", FORCE_COLOR="1")
        assert "\x1b[1mOptions:\x1b[0m" in coloured
        assert outputs(*words, "--help")[0] == click.unstyle(coloured)
