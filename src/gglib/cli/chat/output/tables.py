"""Draws the tables of Markdown in columns that fit the terminal. Pure."""

import re
from collections.abc import Sequence

from rich.cells import cell_len

from gglib.cli.chat.output.inline import inline_spans
from gglib.cli.chat.output.styles import DIM, Span, Style, plain_text
from gglib.cli.chat.output.wrap import Wrapper, joined

GAP = "  "
MIN_COLUMN = 10
"""A column is not made narrower."""
_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")
_CELL = re.compile(r"((?:`[^`]*`|\\.|[^|])*)\|")

Cell = list[Span]


def table_spans(lines: Sequence[str], width: int) -> list[Span] | None:
    """Return the table of complete lines, without their line ends; None if they are no table."""
    if len(lines) < 2 or not _DELIMITER.fullmatch(lines[1]):
        return None
    heading, *rows = [_cells(line) for index, line in enumerate(lines) if index != 1]
    count = max(map(len, (heading, *rows)))
    table = [
        _padded([inline_spans(cell, Style(bold=True)) for cell in heading], count),
        *(_padded([inline_spans(cell) for cell in row], count) for row in rows),
    ]
    widths = _fit([max(_width(row[at]) for row in table) for at in range(count)], width)
    rule = Span(GAP.join("─" * column for column in widths) + "\n", DIM)
    drawn = [_drawn(row, widths) for row in table]
    return joined([*drawn[0], rule, *(span for row in drawn[1:] for span in row)])


def _cells(line: str) -> list[str]:
    body = line.strip().removeprefix("|")
    body = body if body.endswith("|") and not body.endswith("\\|") else f"{body}|"
    return [cell.strip().replace("\\|", "|") for cell in _CELL.findall(body)]


def _padded(cells: list[Cell], count: int) -> list[Cell]:
    return [*cells, *([] for _ in range(count - len(cells)))]


def _fit(widths: list[int], width: int) -> list[int]:
    """Make the widest columns narrower until the table fits, if it can."""
    fitting = [max(column, 1) for column in widths]
    while sum(fitting) + len(GAP) * (len(fitting) - 1) > width and max(fitting) > MIN_COLUMN:
        fitting[fitting.index(max(fitting))] -= 1
    return fitting


def _drawn(row: list[Cell], widths: Sequence[int]) -> list[Span]:
    """Return the lines of a row."""
    columns = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    spans: list[Span] = []
    for at in range(max(map(len, columns))):
        for column, (lines, width) in enumerate(zip(columns, widths, strict=True)):
            line = lines[at] if at < len(lines) else []
            is_last = column == len(widths) - 1
            spans += [*line, Span("" if is_last else " " * (width - _width(line)) + GAP)]
        spans.append(Span("\n"))
    return spans


def _wrapped(cell: Cell, width: int) -> list[Cell]:
    """Return the lines of a cell."""
    wrapper = Wrapper(width)
    spans = [part for span in cell for part in wrapper.feed(span.text, span.style)] + wrapper.finish()
    lines: list[Cell] = [[]]
    for text, style in spans:
        first, *others = text.split("\n")
        lines[-1].append(Span(first, style))
        lines += [[Span(other, style)] for other in others]
    return lines


def _width(cell: Cell) -> int:
    return cell_len(plain_text(cell))
