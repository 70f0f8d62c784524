"""Lays out tables for a terminal of any width. Pure.

Names and other words are never broken or truncated, so that they can be copied: columns are omitted instead, and a
table that still does not fit runs on beyond the edge of the terminal.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

GAP = 2
"""Characters between two columns."""
MIN_WRAPPED_WIDTH = 20
"""Minimum width of a wrapped column, so that it stays readable."""
_LEFT_ALIGNED = frozenset(
    (
        *(
            "NAME",
            "MODEL",
            "MODELS",
            "ALIAS",
            "ALIASES",
            "PROFILE",
            "FILE",
            "CLIENT",
            "SETTING",
            "KEY",
            "NODE",
        ),
        *("STATUS", "DAY", "HOUR"),
    )
)
"""Columns of names, statuses and dates, which may begin with digits."""
_NO_VALUES = frozenset(("", "-"))

Styled = tuple[str, str]
"""A text and its style (``terminal.colours.styled``), or an empty string."""
ColumnStyles = Mapping[str, Mapping[str, str]]
"""Column -> cell, or its part before a comma -> style."""
NO_STYLES: ColumnStyles = {}


def fit_columns(  # noqa: PLR0913 - one option per rule of the layout
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    *,
    wrapped: Collection[str] = (),
    droppable: Sequence[str] = (),
    spilled: str | None = None,
) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows that fit ``width`` characters; None: all of them.

    Columns are dropped in the order of ``droppable`` until the table fits; then those that fit nevertheless come back,
    the last dropped first. A column of ``wrapped`` counts ``MIN_WRAPPED_WIDTH``, or its longest word; of the column
    ``spilled`` long cells do not count, since ``table_lines`` gives them a line of their own.
    """
    limit = None if width is None or len(columns) == 1 else _most_beside_others(width)
    needed = {
        column: _least_width(column, cells, column in wrapped)
        for column, cells in _measured_cells(columns, rows, wrapped, spilled, limit)
    }
    kept = set(columns)

    def fits(names: Collection[str]) -> bool:
        return width is None or sum(needed[name] + GAP for name in names) - GAP <= width

    for name in droppable:
        if fits(kept):
            break
        kept.discard(name)
    for name in reversed(droppable):  # a table may lack some of them
        if name in needed and fits({*kept, name}):
            kept.add(name)
    indexes = [index for index, column in enumerate(columns) if column in kept]
    return [columns[index] for index in indexes], [[row[index] for index in indexes] for row in rows]


def table_lines(  # noqa: PLR0913 - one option per rule of the layout
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    *,
    wrapped: Collection[str] = (),
    styles: ColumnStyles = NO_STYLES,
    spilled: str | None = None,
) -> Iterator[list[Styled]]:
    """Yield the lines of a table; columns of numbers are right-aligned.

    Columns of ``wrapped`` are wrapped between words where the table is wider than ``width``. After a cell of the
    column ``spilled`` that is too long for a line with the others (``_spill_limit``) the row goes on in the next line,
    so that one long name does not cost all rows their columns.
    """
    limit = _spill_limit(columns, rows, width, wrapped, spilled)
    widths = _column_widths(columns, rows, width, wrapped, spilled, limit)
    is_right = [
        column not in _LEFT_ALIGNED and _are_numbers(cells) for column, cells in _cells(columns, rows)
    ]
    yield _line(columns, ["bold"] * len(columns), widths, is_right)
    for row in rows:
        looks = [_style(styles.get(column, {}), cell) for column, cell in zip(columns, row, strict=True)]
        parts = [
            _wrap(cell, widths[index]) if columns[index] in wrapped else [cell]
            for index, cell in enumerate(row)
        ]
        end = _spill_end(columns, row, wrapped, spilled, limit)
        if end is not None:
            above = [""] * len(parts[end - 1])
            parts = [[*above, *part] if index >= end else part for index, part in enumerate(parts)]
        for number in range(max(map(len, parts), default=0)):
            texts = [part[number] if number < len(part) else "" for part in parts]
            yield _line(texts, looks, widths, is_right)


def text_width(text: str) -> int:
    """Return the number of terminal cells: wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # not at the top: most tables are ASCII, and rich is slow to import

    return cell_len(text)


def _cells(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
    for index, column in enumerate(columns):
        yield column, [row[index] for row in rows]


def _measured_cells(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    wrapped: Collection[str],
    spilled: str | None,
    limit: int | None,
) -> Iterator[tuple[str, list[str]]]:
    """Yield the cells that determine the width of each column: not those with a line of their own."""
    for column, cells in _cells(columns, rows):
        if limit is not None and column == spilled:
            yield column, [cell for cell in cells if _unbroken_width(cell, column in wrapped) <= limit]
        else:
            yield column, cells


def _spill_limit(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    wrapped: Collection[str],
    spilled: str | None,
) -> int | None:
    """Return the most characters of a cell of ``spilled`` in one line with the others; None: any number."""
    if width is None or spilled not in columns or len(columns) == 1:
        return None
    others = sum(
        _least_width(column, cells, column in wrapped) + GAP
        for column, cells in _cells(columns, rows)
        if column != spilled
    )
    return min(_most_beside_others(width), max(width - others, MIN_WRAPPED_WIDTH))


def _most_beside_others(width: int) -> int:
    """Return the most characters of a cell that leaves room for others in a terminal of ``width`` characters."""
    return width * 3 // 4


def _spill_end(
    columns: Sequence[str],
    row: Sequence[str],
    wrapped: Collection[str],
    spilled: str | None,
    limit: int | None,
) -> int | None:
    """Return the index of the first cell below a long one; None if the row has no long one."""
    if limit is None or spilled is None:
        return None
    index = columns.index(spilled)
    return index + 1 if _unbroken_width(row[index], spilled in wrapped) > limit else None


def _unbroken_width(cell: str, is_wrapped: bool) -> int:  # noqa: FBT001 - private
    """Return the width of the widest part of a cell that stays in one line."""
    return max(map(text_width, cell.split(" "))) if is_wrapped else text_width(cell)


def _natural_width(column: str, cells: Sequence[str]) -> int:
    return max(map(text_width, (column, *cells)))


def _least_width(column: str, cells: Sequence[str], is_wrapped: bool) -> int:  # noqa: FBT001 - private
    natural = _natural_width(column, cells)
    if not is_wrapped:
        return natural
    longest_word = max(_unbroken_width(cell, is_wrapped) for cell in (column, *cells))
    return max(longest_word, min(natural, MIN_WRAPPED_WIDTH))


def _column_widths(  # noqa: PLR0913, PLR0917 - one argument per rule of the layout
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    wrapped: Collection[str],
    spilled: str | None,
    limit: int | None,
) -> list[int]:
    """Return the width of each column; wrapped ones share what the others leave, the first one first."""
    measured = list(_measured_cells(columns, rows, wrapped, spilled, limit))
    natural = [_natural_width(column, cells) for column, cells in measured]
    if width is None:
        return natural
    widths = [_least_width(column, cells, column in wrapped) for column, cells in measured]
    spare = width - sum(widths) - GAP * (len(widths) - 1)
    for index, whole in enumerate(natural):
        more = max(0, min(spare, whole - widths[index]))
        widths[index] += more
        spare -= more
    return widths


def _wrap(cell: str, width: int) -> list[str]:
    """Return the lines of a cell, wrapped between words."""
    lines = [""]
    for word in cell.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and text_width(joined) > width:
            lines.append(word)
        else:
            lines[-1] = joined
    return lines


def _line(
    texts: Sequence[str], looks: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]
) -> list[Styled]:
    """Return one line: styled texts, and the unstyled space between them; none at the end."""
    line: list[Styled] = []
    owed = 0
    for text, look, width, right in zip(texts, looks, widths, is_right, strict=True):
        space = " " * (width - text_width(text))
        before, after = (len(space), 0) if right else (0, len(space))
        if text:
            line += [(" " * (owed + before), ""), (text, look)]
            owed = after + GAP
        else:
            owed += width + GAP
    return [part for part in line if part[0]]


def _are_numbers(cells: Sequence[str]) -> bool:
    values = [cell for cell in cells if cell not in _NO_VALUES]
    return bool(values) and all(value[:1].isdigit() for value in values)


def _style(styles: Mapping[str, str], cell: str) -> str:
    return styles.get(cell) or styles.get(cell.partition(",")[0], "")
