"""How values look in a terminal: numbers with units, tables, JSON. Pure but for the printing itself."""

import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from gglib.cli.streams import ignore_output_errors
from gglib.core.plain_text import escape_block, escape_line, json_text
from gglib.system.files.sizes import format_size

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 1000
"""Nothing is wrapped or cut for a program that reads a table."""
NO_STYLES: Mapping[str, str] = {}

Styled = tuple[str, str]
"""Words, and how they look: a style of rich's, or nothing."""
GAP = 2
"""Between two columns."""
MIN_WRAPPED_WIDTH = 20
"""What a column that may go on in the next line keeps at least: names stay readable."""


def show_json(value: object) -> None:
    """Print a value as JSON, readable by people too, with nothing in it that a terminal would execute.

    Dataclasses are objects; ``gglib.proxy.routes.responses`` has those that the HTTP API answers with as well.
    """
    import msgspec

    click.echo(json_text(msgspec.to_builtins(value), indent=2))


def echo(text: str, *, is_error: bool = False) -> None:
    """Print a text that has words of others in it: names, sentences of engines and hubs. See ``plain_text``.

    What goes to stderr (``is_error``) only reports progress: where it cannot be written, the command goes on.
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
    """Return the columns and rows without as many of ``droppable`` as are too many for ``width``, the first one first.

    A column of ``wrapped`` is counted with ``MIN_WRAPPED_WIDTH`` characters where it has more.
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
    """Return rows under their columns; a column whose cells are all numbers is aligned to the right.

    On a narrow terminal only the columns ``wrapped`` go on in the next line; without any, all may. A cell that is a
    key of ``styles`` has that style where there are colours.
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
    """Print lines of styled words, which are wrapped already; the styles show on a terminal with colours only."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble(*((escape_line(words), style) for words, style in line)))


def terminal_width() -> int:
    """Return how many characters go into a line."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


def show_line(line: str) -> None:
    """Print a line; on a terminal that is too narrow for it, go on between two words and indented."""
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
    """Return a size in bytes as people say it, in powers of ten as disks are sold."""
    return "-" if size_bytes is None else format_size(size_bytes)


def count(number: int | None) -> str:
    """Return a parameter count as models are named: 135M, 7.6B."""
    if number is None:
        return "-"
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= limit:
            scaled = number / limit
            return f"{scaled:.1f}{letter}" if scaled < 10 else f"{scaled:.0f}{letter}"
    return str(number)


def duration(seconds: float | None) -> str:
    """Return a duration as people say it."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def ago(seconds: float | None) -> str:
    """Return how long ago something was, as people say it; None: it never was."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return "just now"
    for limit_s, unit_s, unit in ((3600, 60, "min"), (86_400, 3600, "h"), (math.inf, 86_400, "d")):
        if seconds < limit_s:
            return f"{seconds // unit_s:.0f} {unit} ago"
    raise AssertionError


def seconds(value: float | None) -> str:
    """Return how long something took, to the tenth of a second while that matters."""
    if value is None:
        return "-"
    return f"{value:.1f} s" if value < 60 else span(value)


def span(value: float) -> str:
    """Return a time of any length with all of its parts, so that a limit is read as it was set: 1 h 30 min."""
    if value < 60:
        return f"{value:g} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def text(value: object) -> str:
    """Return a value that may be missing."""
    return "-" if value is None or value == "" else str(value)
