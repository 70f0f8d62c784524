"""How many rows each panel gets. Pure."""

from collections.abc import Sequence

HEADING_ROWS = 1
AIRY_HEIGHT = 30
"""From this height on, an empty line separates two panels."""
ROUND = (2, 0, 1, 3, 4, 2, 5)
"""Indexes of the panels in the order in which they get one more row each: the requests in progress get two a round."""
PRECEDENCE = (0, 2, 5, 1, 3, 4)
"""Where not even one row each fits, the last panels of this order are left out."""


def panel_rows(height: int, needs: Sequence[int], gap: int) -> list[int]:
    """Return the number of rows of each panel below its heading; 0: the panel is left out.

    ``needs`` are the rows that each panel can use. They should only grow while the view is open, so that no panel moves
    when a row goes. A panel without rows gets one, for a sentence. The last panel, of nodes, may be missing.
    """
    kept: list[int] = []
    for index in PRECEDENCE:
        if index < len(needs) and (len(kept) + 1) * (HEADING_ROWS + 1) + len(kept) * gap <= height:
            kept.append(index)
    rows = [1 if index in kept else 0 for index in range(len(needs))]
    spare = height - len(kept) * (HEADING_ROWS + 1) - max(0, len(kept) - 1) * gap
    while spare > 0:
        growing = [index for index in ROUND if index in kept and rows[index] < needs[index]]
        if not growing:
            break
        for index in growing:
            if spare > 0 and rows[index] < needs[index]:
                rows[index] += 1
                spare -= 1
    return rows


def visible_slice(count: int, rows: int, selected: int | None) -> tuple[int, int, int]:
    """Return the first and the end of the rows that are shown, and how many are hidden.

    If some are hidden, the last of ``rows`` lines says how many (except if there is one line only), and the selected
    row is among those shown.
    """
    if count <= rows:
        return 0, count, 0
    shown = max(1, rows - 1)
    first = 0 if selected is None else max(0, min(selected - shown + 1, count - shown))
    return first, first + shown, count - shown
