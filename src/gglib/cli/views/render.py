"""Formats and prints values: numbers with units, tables, JSON. Pure except for printing."""

import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from gglib.cli.streams import ignore_output_errors
from gglib.core.plain_text import escape_block, escape_line, json_text
from gglib.core.sizes import format_size

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 1000
"""Width without a terminal, so that tables in pipes are not wrapped or truncated."""
NO_STYLES: Mapping[str, str] = {}

Styled = tuple[str, str]
"""A text and its rich style, or an empty string."""
GAP = 2
"""Columns between two table columns."""
MIN_WRAPPED_WIDTH = 20
"""Minimum width of a wrapped column, so that names stay readable."""


def show_json(value: object) -> None:
    """Print a value as indented JSON, with control characters escaped.

    Dataclasses become objects; those of the HTTP API are in ``gglib.proxy.routes.responses``.
    """
    import msgspec

    click.echo(json_text(msgspec.to_builtins(value), indent=2))


def echo(text: str, *, is_error: bool = False) -> None:
    """Print a text with untrusted parts, escaped: names, messages of engines and hubs. See ``plain_text``.

    Output to stderr (``is_error``) is informational: write errors are ignored.
    """
    with ignore_output_errors() if is_error else nullcontext():
        click.echo(escape_block(text), err=is_error)


def show_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    wrapped: Collection[str] = (),
    droppable: Sequence[str] = (),
    styles: Mapping[str, str] = NO_STYLES,
) -> None:
    """Print a table that fits the terminal (see ``build_table``, ``fit_columns``); control characters are escaped."""
    from rich.console import Console

    rows = [[escape_line(cell) for cell in row] for row in rows]
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
    columns, rows = fit_columns(columns, rows, console.width, wrapped=wrapped, droppable=droppable)
    console.print(build_table(columns, rows, wrapped=wrapped, styles=styles))


def fit_columns(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    wrapped: Collection[str],
    droppable: Sequence[str],
) -> tuple[list[str], list[list[str]]]:
    """Drop columns in the order of ``droppable`` until the table fits ``width``; return the columns and rows.

    A column of ``wrapped`` counts at most ``MIN_WRAPPED_WIDTH`` characters.
    """
    kept = list(range(len(columns)))

    def needed(index: int) -> int:
        natural = max(len(cells[index]) for cells in (columns, *rows))
        return min(natural, MIN_WRAPPED_WIDTH) if columns[index] in wrapped else natural

    for name in droppable:
        if sum(map(needed, kept)) + GAP * (len(kept) - 1) <= width:
            break
        kept.remove(columns.index(name))
    return [columns[index] for index in kept], [[row[index] for index in kept] for row in rows]


def build_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    wrapped: Collection[str] = (),
    styles: Mapping[str, str] = NO_STYLES,
) -> "Table":
    """Return the table; columns of numbers are right-aligned.

    On a narrow terminal only the columns in ``wrapped`` are wrapped, or all columns if it is empty. A cell that is a
    key of ``styles`` gets that style on a terminal with colours.
    """
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        is_number = bool(rows) and all(row[index][:1].isdigit() or row[index] in {"", "-"} for row in rows)
        drawn.add_column(
            column,
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=bool(wrapped) and column not in wrapped,
        )
    for row in rows:
        drawn.add_row(*(Text(cell, styles.get(cell, "")) for cell in row))
    return drawn


def show_styled(lines: Iterable[Sequence[Styled]]) -> None:
    """Print lines of styled texts, already wrapped; styles are used on a terminal with colours only."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble(*((escape_line(words), style) for words, style in line)))


def terminal_width() -> int:
    """Return the number of characters per line."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


def show_line(line: str) -> None:
    """Print a line; on a narrow terminal it is wrapped at spaces and indented."""
    line = escape_line(line)
    if not sys.stdout.isatty():
        click.echo(line)
        return
    import shutil
    import textwrap

    width = shutil.get_terminal_size().columns
    indent = " " * (len(line) - len(line.lstrip()))
    click.echo(
        textwrap.fill(
            line, width, subsequent_indent=indent + "  ", break_long_words=False, break_on_hyphens=False
        )
    )


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
