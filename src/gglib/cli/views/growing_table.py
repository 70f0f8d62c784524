"""Lays out a table whose rows arrive one by one, such as followed requests: rows stay aligned. Pure."""

from collections.abc import Collection, Sequence

from gglib.cli.views.measures import NO_VALUE
from gglib.cli.views.tables import ColumnStyles, Styled, fit_columns, table_lines, text_width


class GrowingTable:
    """Columns are as wide as their widest cell so far, and those of ``samples`` at least as wide as these.

    Columns of ``optional`` appear with their first value. The heading is repeated whenever the columns change.
    """

    def __init__(
        self,
        columns: Sequence[str],
        samples: dict[str, str],
        *,
        droppable: Sequence[str] = (),
        optional: Collection[str] = (),
    ) -> None:
        """Begin with the widths of ``samples``: likely wide cells by column; of columns of numbers, a number."""
        self._widest = {column: samples.get(column, "") for column in columns}
        self._droppable = droppable
        self._optional = optional
        self._shown: list[str] | None = None

    def lines(self, row: dict[str, str], width: int | None, styles: ColumnStyles) -> list[list[Styled]]:
        """Return the lines of a further row for a terminal of ``width`` characters; None: all columns."""
        for column, widest in self._widest.items():
            self._widest[column] = max(widest, row[column], key=text_width)
        used = [column for column in self._widest if not self._is_unused(column)]
        rows = [[cells[column] for column in used] for cells in (self._widest, row)]
        columns, rows = fit_columns(used, rows, width, droppable=self._droppable)
        heading, _, line = table_lines(columns, rows, width, styles=styles)
        is_same, self._shown = columns == self._shown, columns
        return [line] if is_same else [heading, line]

    def _is_unused(self, column: str) -> bool:
        return column in self._optional and self._widest[column] in {"", NO_VALUE}
