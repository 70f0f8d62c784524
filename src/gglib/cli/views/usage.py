"""The output of ``gglib usage``: a table with totals and bars, or CSV. Pure."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime

from gglib.cli.views import measures
from gglib.cli.views.measures import NO_VALUE
from gglib.cli.views.tables import GAP, Styled, fit_columns, table_lines, text_width
from gglib.core.history.usage import UsageField, UsageRow
from gglib.core.plain_text import escape_line

HEADINGS = {
    UsageField.HOUR: "HOUR",
    UsageField.DAY: "DAY",
    UsageField.KEY: "KEY",
    UsageField.MODEL: "MODEL",
    UsageField.CLIENT: "CLIENT",
}
FIGURES = ("REQUESTS", "FAILED", "IN", "CACHED", "OUT", "BUSY")
DROPPABLE = ("BUSY", "CACHED", "FAILED")
"""Omitted in this order where the names leave no room for them."""
TOTAL = "Total"
TOTAL_STYLES = {heading: {TOTAL: "bold"} for heading in (*HEADINGS.values(), "")}
_CSV_FIGURES = ("requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "busy_s")
FULL_BLOCK = "█"
_EIGHTHS = " ▏▎▍▌▋▊▉"
"""Parts of a cell, by eighths."""
MIN_BAR_WIDTH, MAX_BAR_WIDTH = 8, 30
_FORMULA = ("=", "+", "@", "-")


def usage_table(
    rows: Sequence[UsageRow], total: UsageRow, by: Sequence[UsageField], now: datetime
) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows, the totals last: below each other if there is more than one row."""
    columns = [*(HEADINGS[field] for field in by), *FIGURES]
    if not by:
        return columns, [figures(total)]
    cells = [[*(group_cell(row, field, now) for field in by), *figures(row)] for row in rows]
    if len(rows) > 1:
        cells.append([TOTAL, *[""] * (len(by) - 1), *figures(total)])
    return columns, cells


def group_cell(row: UsageRow, field: UsageField, now: datetime) -> str:
    """Return what the row is about, ``-`` for requests without a name."""
    if field in {UsageField.HOUR, UsageField.DAY}:
        if row.start_s is None:
            return NO_VALUE
        at = measures.date_or_hour(row.start_s, now)
        return f"{at} 00:00" if field is UsageField.HOUR and " " not in at else at
    return {UsageField.KEY: row.key, UsageField.MODEL: row.model}.get(field, row.client) or NO_VALUE


def figures(row: UsageRow) -> list[str]:
    """Return the cells of ``FIGURES``."""
    return [
        measures.number(row.requests),
        measures.number(row.failed),
        measures.number(row.prompt_tokens),
        measures.share(row.cached_tokens, row.prompt_tokens),
        measures.number(row.completion_tokens),
        measures.interval(row.busy_s),
    ]


def usage_lines(  # noqa: PLR0913 - what is shown, and how
    rows: Sequence[UsageRow],
    total: UsageRow,
    by: Sequence[UsageField],
    now: datetime,
    width: int | None,
    *,
    has_bars: bool,
) -> list[list[Styled]]:
    """Return the lines of the table for a terminal of ``width`` characters, with bars where there is room."""
    columns, cells = usage_table(rows, total, by, now)
    safe = [[escape_line(cell) for cell in row] for row in cells]
    columns, safe = fit_columns(columns, safe, width, droppable=DROPPABLE)
    lines = list(table_lines(columns, safe, width, styles=TOTAL_STYLES))
    if width is None or not has_bars or len(rows) < 2:
        return lines
    used = max(_line_width(line) for line in lines)
    return _with_bars(lines, rows, used, bar_width(used, width))


def _with_bars(
    lines: list[list[Styled]], rows: Sequence[UsageRow], used: int, room: int
) -> list[list[Styled]]:
    if not room:
        return lines
    heading, *rest = lines
    drawn = [
        [*line, (" " * (used - _line_width(line) + GAP), ""), (bar, "cyan")]
        for line, bar in zip(rest, bars(rows, room), strict=False)  # the totals have none
    ]
    title = (" " * (used - _line_width(heading) + GAP) + bar_title(rows), heading[-1][1])
    return [[*heading, title], *drawn, *rest[len(drawn) :]]


def _line_width(line: Sequence[Styled]) -> int:
    return sum(text_width(text) for text, _ in line)


def bar_title(rows: Sequence[UsageRow]) -> str:
    """Return the heading of the bars."""
    return "IN + OUT" if _has_tokens(rows) else "REQUESTS"


def _has_tokens(rows: Sequence[UsageRow]) -> bool:
    return any(row.prompt_tokens or row.completion_tokens for row in rows)


def bars(rows: Sequence[UsageRow], width: int) -> list[str]:
    """Return a bar of at most ``width`` cells for the tokens of each row; of the requests, if there are no tokens."""
    has_tokens = _has_tokens(rows)
    values = [row.prompt_tokens + row.completion_tokens if has_tokens else row.requests for row in rows]
    longest = max(values, default=0)
    return [_bar(value / longest * width) if longest else "" for value in values]


def _bar(cells: float) -> str:
    eighths = max(1, round(cells * 8)) if cells else 0
    whole, part = divmod(eighths, 8)
    return FULL_BLOCK * whole + (_EIGHTHS[part] if part else "")


def bar_width(table_width: int, terminal_width: int) -> int:
    """Return the width of the bars beside a table; 0 if there is no room for them."""
    spare = terminal_width - table_width - GAP
    return min(spare, MAX_BAR_WIDTH) if spare >= MIN_BAR_WIDTH else 0


def usage_csv(rows: Sequence[UsageRow], by: Sequence[UsageField], now: datetime) -> str:
    """Return the rows as CSV (RFC 4180) with a heading, without totals; times are those of the zone of ``now``."""
    names = ["start" if field in {UsageField.HOUR, UsageField.DAY} else field.value for field in by]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, *_CSV_FIGURES])
    for row in rows:
        groups = [
            _csv_start(row, now) if name == "start" else _csv_name(getattr(row, name)) for name in names
        ]
        writer.writerow([*groups, *(_csv_figure(getattr(row, name)) for name in _CSV_FIGURES)])
    return text.getvalue()


def _csv_start(row: UsageRow, now: datetime) -> str:
    start = None if row.start_s is None else measures.local_time(row.start_s, now)
    return "" if start is None else start.isoformat()


def _csv_name(name: str | None) -> str:
    """Return a name that is no formula for a spreadsheet: names of clients are theirs to choose."""
    text = escape_line(name or "")
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv_figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def period_note(since_s: float | None, until_s: float | None, now: datetime) -> str:
    """Return the period of the table."""
    until = None if until_s is None else measures.date_or_hour(until_s, now)
    if since_s is None:
        return f"All usage until {until}." if until else "All usage so far."
    since = measures.date_or_hour(since_s, now)
    return f"Usage from {since} to {until}." if until else f"Usage since {since}."
