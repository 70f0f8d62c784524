"""How many rows the panels of ``gglib top`` get."""

import pytest

from gglib.cli.top.panels import panel_rows, visible_slice


@pytest.mark.parametrize("height", range(60))
@pytest.mark.parametrize("gap", [0, 1])
def test_panels_never_exceed_the_height(height: int, gap: int) -> None:
    """With headings and empty lines between them, at any height."""
    rows = panel_rows(height, [7, 3, 50, 20, 20], gap)
    kept = [number for number in rows if number]
    assert sum(kept) + len(kept) + gap * max(0, len(kept) - 1) <= height


def test_every_row_fits_into_a_tall_terminal() -> None:
    """Each panel gets what it needs, and no more; an empty one has a line for a sentence."""
    assert panel_rows(100, [3, 0, 20, 5, 1], 1) == [3, 1, 20, 5, 1]


def test_no_panel_starves_in_a_storm() -> None:
    """40 requests leave room for models, the queue and swaps; requests get the larger part."""
    rows = panel_rows(19, [5, 5, 40, 50, 50], 0)
    assert all(rows)
    assert rows[2] == max(rows)


def test_small_terminal_leaves_out_the_past_first() -> None:
    """Then the queue: models and requests are what keys act on."""
    assert panel_rows(8, [3, 3, 3, 3, 3], 0) == [1, 1, 1, 1, 0]
    assert panel_rows(4, [3, 3, 3, 3, 3], 0) == [1, 0, 1, 0, 0]
    assert panel_rows(1, [3, 3, 3, 3, 3], 0) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("count", "rows", "selected", "expected"),
    [
        (3, 3, None, (0, 3, 0)),
        (0, 1, None, (0, 0, 0)),
        (10, 4, None, (0, 3, 7)),
        (10, 4, 2, (0, 3, 7)),
        (10, 4, 3, (1, 4, 7)),
        (10, 4, 9, (7, 10, 7)),
        (10, 1, 5, (5, 6, 9)),
    ],
)
def test_selected_row_is_visible(
    count: int, rows: int, selected: int | None, expected: tuple[int, int, int]
) -> None:
    """One line is for the number of hidden rows."""
    assert visible_slice(count, rows, selected) == expected


@pytest.mark.parametrize("gap", [0, 1])
def test_needed_height_is_used_to_the_last_line(gap: int) -> None:
    """Headings, rows and the lines between the panels."""
    assert sum(panel_rows(40, [50] * 5, gap)) + 5 + 4 * gap == 40


def test_nodes_come_after_the_models_and_requests() -> None:
    """Where not all panels fit; without nodes there is no such panel."""
    assert panel_rows(6, [3, 3, 3, 3, 3, 3], 0) == [1, 0, 1, 0, 0, 1]
    assert panel_rows(100, [3, 3, 3, 3, 3, 4], 0) == [3, 3, 3, 3, 3, 4]
