"""Tables with fixed columns."""

import pytest

from gglib.cli.top.cells import Column, Row, bar, cut_text, fit_table, fitted_text, heading_line, row_line
from gglib.cli.top.rows import (
    FAILED_COLUMNS,
    MODEL_COLUMNS,
    QUEUE_COLUMNS,
    REQUEST_COLUMNS,
    SWAP_COLUMNS,
)
from gglib.cli.views.tables import text_width

COLUMNS = (
    Column(title="NAME", width=0),
    Column(title="STATE", width=7),
    Column(title="N", width=4, is_right=True),
    Column(title="WIDE", width=60, drop=1),
    Column(title="SMALL", width=5, drop=2),
    Column(title="WHY", width=5, most=20, drop=3),
)
ROW = Row(id="a", cells=("a", "ready", "1", "w", "s", "because"), style="green", is_state=True)


def text_of(columns: tuple[Column, ...], row: Row, width: int, *, is_selected: bool = False) -> str:
    """Return a row without its styles."""
    return "".join(text for text, _ in row_line(columns, row, width, is_selected=is_selected))


def test_columns_that_fit_come_back() -> None:
    """Without the wide one the small ones fit; the rest goes to the column that grows."""
    assert fit_table(COLUMNS, 80) == [(0, 17), (1, 7), (2, 4), (4, 5), (5, 20)]


def test_column_that_was_dropped_for_a_wider_one_comes_back() -> None:
    """The first in the order of dropping is the last to come back."""
    columns = (
        *COLUMNS[:3],
        Column(title="SMALL", width=3, drop=1),
        Column(title="WIDE", width=60, drop=2),
    )
    assert fit_table(columns, 80) == [(0, 17), (1, 7), (2, 4), (3, 3)]


@pytest.mark.parametrize(
    "columns", [MODEL_COLUMNS, QUEUE_COLUMNS, REQUEST_COLUMNS, SWAP_COLUMNS, FAILED_COLUMNS]
)
@pytest.mark.parametrize("width", range(40, 200, 3))
def test_tables_fit_any_width(columns: tuple[Column, ...], width: int) -> None:
    """Headings and rows, whatever their cells are."""
    row = Row(id="x", cells=["an endless text " * 20] * len(columns))
    heading = "".join(text for text, _ in heading_line(columns, "MODELS 12", width, "bold"))
    assert text_width(heading) <= width
    assert text_width(text_of(columns, row, width)) <= width
    assert text_width(text_of(columns, row, width, is_selected=True)) == width


def test_essential_columns_of_a_small_terminal() -> None:
    """What 80 columns have to show."""
    titles = [MODEL_COLUMNS[index].title for index, _ in fit_table(MODEL_COLUMNS, 80)]
    assert titles == ["MODELS", "STATE", "IN FLIGHT", "TOK/S", "REQ/S", "MEMORY", "IDLE", "PIN"]
    assert len(fit_table(MODEL_COLUMNS, 140)) == len(MODEL_COLUMNS)


def test_values_never_move_the_columns() -> None:
    """Cells begin at the same place in rows of short and of long texts."""
    short = text_of(COLUMNS, Row(id="a", cells=("a", "b", "1", "", "S", "")), 80)
    long = text_of(COLUMNS, Row(id="a", cells=("x" * 50, "y" * 50, "12345678", "", "S", "")), 80)
    assert short.index("S") == long.index("S")
    assert "…" in long


def test_state_has_its_style_alone() -> None:
    """The rest of the row is plain; a row without a state has one style."""
    line = row_line(COLUMNS, ROW, 80, is_selected=False)
    assert [style for _, style in line] == ["", "green", ""]
    assert line[1][0].strip() == "ready"
    assert [
        style
        for _, style in row_line(COLUMNS, Row(id="a", cells=ROW.cells, style="red"), 80, is_selected=False)
    ] == ["red"]


def test_state_at_the_end_of_a_row_has_no_empty_part() -> None:
    """prompt-toolkit would draw it for nothing."""
    line = row_line(COLUMNS[:2], Row(id="a", cells=("a", "ready"), is_state=True), 80, is_selected=False)
    assert [text.strip() for text, _ in line] == ["a", "ready"]


def test_selected_row_is_marked_and_reversed() -> None:
    """The mark is for terminals without styles."""
    ((text, style),) = row_line(COLUMNS, ROW, 80, is_selected=True)
    assert (text[:3], style, text_width(text)) == ("> a", "reverse", 80)


def test_tail_replaces_the_cells_after_the_state() -> None:
    """The progress of a load."""
    row = Row(id="a", cells=ROW.cells, is_state=True, tail="[##..] 1 s")
    text = text_of(COLUMNS, row, 80)
    assert text.endswith("  [##..] 1 s")
    assert "because" not in text
    assert text_width(text_of(COLUMNS, Row(id="a", cells=ROW.cells, tail="t" * 99), 80)) == 80


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("abc", 0, "")],
)
def test_texts_are_cut_by_terminal_cells(text: str, width: int, expected: str) -> None:
    """Wide characters take two."""
    assert cut_text(text, width) == expected
    assert text_width(fitted_text(text, width)) == width


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, "[....]"), (0.5, "[##..]"), (7.0, "[####]"), (-1, "[....]")]
)
def test_bar_stays_in_its_brackets(share: float, expected: str) -> None:
    """A load may take longer than expected."""
    assert bar(share, 6) == expected


@pytest.mark.parametrize("width", [80, 100, 140, 170, 220])
def test_columns_that_grow_share_the_room(width: int) -> None:
    """Several may grow, and all together are never wider than the terminal."""
    for columns in (MODEL_COLUMNS, QUEUE_COLUMNS, REQUEST_COLUMNS, SWAP_COLUMNS, FAILED_COLUMNS):
        assert 2 + sum(size + 2 for _, size in fit_table(columns, width)) - 2 <= width
