"""Which row is selected."""

import pytest

from gglib.cli.top.ui import Panel, Selection, Ui, selected_row

CHOSEN = Ui(selections={Panel.MODELS: Selection("b", 1), Panel.REQUESTS: Selection("r", 0)})


@pytest.mark.parametrize(
    ("ui", "panel", "rows", "expected"),
    [
        (Ui(), Panel.MODELS, ["a", "b"], "a"),
        (Ui(), Panel.MODELS, [], None),
        (Ui(), Panel.REQUESTS, ["r"], None),
        (CHOSEN, Panel.MODELS, ["a", "b"], "b"),
        (CHOSEN, Panel.MODELS, ["a", "c"], None),
        (CHOSEN, Panel.REQUESTS, ["q", "r"], "r"),
    ],
)
def test_selected_row(ui: Ui, panel: Panel, rows: list[str], expected: str | None) -> None:
    """The first model at the start; never the row that took the place of a selected one."""
    assert selected_row(ui, panel, rows) == expected
