"""Tables whose columns stay where they are while values change: their widths depend on the terminal alone. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gglib.cli.views.tables import GAP, Styled, text_width

ELLIPSIS = "…"
Line = list[Styled]
SELECTED = "reverse"
MARGIN = 2
"""Left of each row, for the mark of the selected one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table. Widths in terminal cells."""

    title: str
    width: int
    """Of the first column: how much it is wider than ``name_width``."""
    most: int = 0
    """The width that it grows to where there is room, the first column first; 0: it does not."""
    is_right: bool = False
    drop: int = 0
    """Columns are left out in this order where there is no room; 0: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table."""

    id: str
    cells: Sequence[str]
    style: str = ""
    """Of the second cell if ``is_state``, else of the whole row."""
    is_state: bool = False
    tail: str = ""
    """Replaces the cells from the third one on, if there is one."""


def name_width(width: int) -> int:
    """Return the width of the column of names, which all tables have in common, so that the next ones align."""
    for least, name in ((140, 32), (100, 24), (80, 17)):
        if width >= least:
            return name
    return 12


def fit_table(columns: Sequence[Column], width: int) -> list[tuple[int, int]]:
    """Return the indexes of the columns that fit, and their widths.

    Columns that fit after wider ones were left out come back.
    """
    widths = {index: column.width for index, column in enumerate(columns)}
    widths[0] += name_width(width)
    room = width - MARGIN + GAP - sum(size + GAP for size in widths.values())
    droppable = sorted((i for i in widths if columns[i].drop), key=lambda i: columns[i].drop)
    left_out: dict[int, int] = {}
    for index in droppable:
        if room >= 0:
            break
        left_out[index] = widths.pop(index)
        room += left_out[index] + GAP
    for index, size in reversed(left_out.items()):
        if room >= size + GAP:
            widths[index] = size
            room -= size + GAP
    for index in sorted(widths):
        more = max(0, min(room, columns[index].most - widths[index]))
        widths[index] += more
        room -= more
    return sorted(widths.items())


def heading_line(columns: Sequence[Column], title: str, width: int, style: str) -> Line:
    """Return the titles of the columns; ``title`` replaces that of the first one."""
    fitted = fit_table(columns, width)
    parts = [fitted_text(title, fitted[0][1] + MARGIN)]
    parts += [
        fitted_text(columns[index].title, size, is_right=columns[index].is_right)
        for index, size in fitted[1:]
    ]
    return [(cut_text((" " * GAP).join(parts).rstrip(), width), style)]


def row_line(columns: Sequence[Column], row: Row, width: int, *, is_selected: bool) -> Line:
    """Return one row; a selected one is marked and reversed over the whole width."""
    fitted = fit_table(columns, width)
    shown = fitted[:2] if row.tail else fitted
    parts = [fitted_text(row.cells[index], size, is_right=columns[index].is_right) for index, size in shown]
    if row.tail:
        parts.append(cut_text(row.tail, width - MARGIN - sum(size + GAP for _, size in shown)))
    parts[0] = ("> " if is_selected else "  ") + parts[0]
    gap = " " * GAP
    if is_selected:
        return [(fitted_text(gap.join(parts), width), SELECTED)]
    if not row.is_state:
        return [(cut_text(gap.join(parts).rstrip(), width), row.style)]
    after = cut_text(gap + gap.join(parts[2:]), width - text_width(parts[0] + gap + parts[1])).rstrip()
    line = [(parts[0] + gap, ""), (parts[1], row.style), (after, "")]
    return [part for part in line if part[0]]


def fitted_text(text: str, width: int, *, is_right: bool = False) -> str:
    """Return a text of exactly ``width`` cells: padded, or cut."""
    text = cut_text(text, width)
    space = " " * (width - text_width(text))
    return space + text if is_right else text + space


def cut_text(text: str, width: int) -> str:
    """Return a text of at most ``width`` cells; the end of a longer one is replaced by an ellipsis."""
    if text_width(text) <= width:
        return text
    if width <= 0:
        return ""
    while text_width(text) > width - 1:
        text = text[:-1]
    return text + ELLIPSIS


def bar(share: float, width: int) -> str:
    """Return a progress bar: ``[####....]``."""
    inner = max(0, width - 2)
    done = round(max(0.0, min(1.0, share)) * inner)
    return f"[{'#' * done}{'.' * (inner - done)}]"
