"""Formats and prints values: numbers with units, tables, JSON. Pure except for printing."""

import math
import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TextIO

import click

from gglib.cli.help.hints import runnable
from gglib.cli.terminal.colours import marked, styled
from gglib.cli.terminal.streams import ignore_output_errors
from gglib.cli.views.tables import NO_STYLES, ColumnStyles, Styled, fit_columns, table_lines
from gglib.core.file_names import escaped
from gglib.core.plain_text import escape_block, escape_line, json_text
from gglib.core.sizes import format_size

_COMMAND = re.compile(
    r"""(?<!\w)'(?:[^' ]+ )*[^' ]*gglib [^']*'|"(?:[^" ]+ )*[^" ]*gglib [^"]*"|(?:(?<=: )|^ +)\S*gglib .*$"""
)
"""A command in quotes, the rest of a line after a colon, or a line of its own."""
_NO_BREAK = "\0"
"""Stands for a space of a command: no line has this character, because it is escaped."""
PIPE_WIDTH = 1000
"""Width without a terminal, so that text in pipes is not wrapped."""


STATE_STYLES = {
    "ready": "green",
    "loading": "yellow",
    "draining": "yellow",
    "stopping": "yellow",
    "failed": "red",
}
"""Styles of a model's state."""


def show_json(value: object) -> None:
    """Print a value as indented JSON, with control characters escaped.

    Dataclasses become objects; those of the HTTP API are in ``gglib.proxy.routes.responses``.
    """
    import msgspec

    click.echo(json_text(msgspec.to_builtins(value), indent=2))


def echo(text: str, *, is_error: bool = False) -> None:
    """Print a text with untrusted parts, escaped: names, messages of engines and hubs. See ``plain_text``.

    Its gglib commands are printed as the user has to type them: see ``help.hints``.
    On a terminal, lines that do not fit are wrapped (``wrap_line``); ``show_verbatim`` is for texts to copy.
    Output to stderr (``is_error``) is informational: write errors are ignored, and ``Warning:`` has a colour.
    """
    text = fit_terminal(escape_block(runnable(text)), sys.stderr if is_error else sys.stdout)
    with ignore_output_errors() if is_error else nullcontext():
        click.echo(marked(text) if is_error else text, err=is_error)


def warn(sentence: str) -> None:
    """Print a warning to stderr. See ``echo``."""
    echo(f"Warning: {sentence}", is_error=True)


def show_verbatim(text: str, *, is_error: bool = False) -> None:
    """Print a text that is copied or belongs to others: escaped as by ``echo``, and never wrapped."""
    with ignore_output_errors() if is_error else nullcontext():
        click.echo(escape_block(runnable(text)), err=is_error)


def show_table(  # noqa: PLR0913 - one option per rule of the layout
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    wrapped: Collection[str] = (),
    droppable: Sequence[str] = (),
    styles: ColumnStyles = NO_STYLES,
    spilled: str | None = None,
) -> None:
    """Print a table that fits the terminal (see ``tables``), or a whole one in a pipe.

    Control characters are escaped. ``styles`` has the styles of cells by column.
    """
    rows = [[escape_line(cell) for cell in row] for row in rows]
    width = terminal_width() if sys.stdout.isatty() else None
    columns, rows = fit_columns(columns, rows, width, wrapped=wrapped, droppable=droppable, spilled=spilled)
    show_styled(table_lines(columns, rows, width, wrapped=wrapped, styles=styles, spilled=spilled))


def show_fields(
    fields: Mapping[str, str | None], *, width: int | None = None, wrapped: Collection[str] = ()
) -> None:
    """Print a line for each label and its value, aligned at ``width``; those without a value are left out.

    On a terminal the values of ``wrapped`` labels are wrapped between words; others, such as paths, are copied.
    """
    width = max(map(len, fields)) + 2 if width is None else width
    for label, value in fields.items():
        if value:
            line = f"{f'{label}:':<{width}}{escaped(value)}"
            click.echo(fit_terminal(line, sys.stdout, hanging=width) if label in wrapped else line)


def show_styled(lines: Iterable[Sequence[Styled]]) -> None:
    """Print lines of styled texts, already wrapped; where there are no colours, without the styles."""
    for line in lines:
        click.echo("".join(styled(runnable(words), style) for words, style in line))


def terminal_width() -> int:
    """Return the number of characters per line of stdout."""
    return _width_of(sys.stdout) if sys.stdout.isatty() else PIPE_WIDTH


def _width_of(terminal: TextIO) -> int:
    """Return the number of characters per line of a terminal: stderr may be one although stdout is a pipe."""
    import shutil

    with suppress(OSError, ValueError):  # a replaced stream without a descriptor
        if "COLUMNS" not in os.environ and (columns := os.get_terminal_size(terminal.fileno()).columns):
            return columns
    return shutil.get_terminal_size().columns


def fit_terminal(text: str, stream: TextIO, *, hanging: int | None = None) -> str:
    """Return an escaped text with lines that fit the stream, if that is a terminal: see ``wrap_line``."""
    if not stream.isatty():
        return text
    width = _width_of(stream)
    return "\n".join(
        line if len(line) <= width else wrap_line(line, width, hanging) for line in text.split("\n")
    )


def can_encode(text: str, stream: TextIO) -> bool:
    """Whether a stream has the characters of a text; ``prepare_streams`` makes it escape others."""
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def show_line(line: str, style: str = "") -> None:
    """Print a line in a style; on a narrow terminal it is wrapped (``wrap_line``)."""
    for part in fit_terminal(escape_line(runnable(line)), sys.stdout).split("\n"):
        click.echo(styled(part, style))


def show_note(line: str) -> None:
    """Print a line about a list, which is not part of it: below it on a terminal, on stderr in a pipe or a file."""
    if sys.stdout.isatty():
        show_line(line)
    else:
        echo(line, is_error=True)


def wrap_line(line: str, width: int, hanging: int | None = None) -> str:
    """Wrap a line at spaces; names and commands stay in one line, to be copied.

    The lines below are indented by ``hanging`` characters, else by two more than the line.
    """
    import textwrap

    whole = _COMMAND.sub(lambda found: found[0].replace(" ", _NO_BREAK), line)
    indent = len(line) - len(line.lstrip()) + 2 if hanging is None else hanging
    wrapped = textwrap.fill(
        whole, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapped.replace(_NO_BREAK, " ")


def size(size_bytes: int | None) -> str:
    """Format a size in bytes with a decimal unit."""
    return "-" if size_bytes is None else format_size(size_bytes)


def count(number: int | None) -> str:
    """Format a parameter count as in model names: 135M, 7.6B."""
    if number is None:
        return "-"
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= limit:
            scaled = number / limit
            return f"{scaled:.1f}{letter}" if scaled < 10 else f"{scaled:.0f}{letter}"
    return str(number)


def duration(seconds: float | None) -> str:
    """Format a duration, rounded."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def ago(seconds: float | None) -> str:
    """Format the time since an event; None: it never happened."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return "just now"
    for limit_s, unit_s, unit in ((3600, 60, "min"), (86_400, 3600, "h"), (math.inf, 86_400, "d")):
        if seconds < limit_s:
            return f"{seconds // unit_s:.0f} {unit} ago"
    raise AssertionError


def seconds(value: float | None) -> str:
    """Format a duration, with tenths of a second below a minute."""
    if value is None:
        return "-"
    return f"{value:.1f} s" if value < 60 else exact_duration(value)


def exact_duration(value: float) -> str:
    """Format a duration exactly, so that a limit reads as it was set: 1 h 30 min."""
    if value < 60:
        return f"{value:g} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def text(value: object) -> str:
    """Format a value that may be missing."""
    return "-" if value is None or value == "" else str(value)
