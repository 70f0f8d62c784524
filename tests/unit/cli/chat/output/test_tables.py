"""Tables of Markdown."""

import pytest

from gglib.cli.chat.output.styles import plain_text
from gglib.cli.chat.output.tables import table_spans


def drawn(*lines: str, width: int = 40) -> list[str]:
    """Return the lines of a table."""
    spans = table_spans(lines, width)
    assert spans is not None
    return [line.rstrip() for line in plain_text(spans).splitlines()]


def test_columns_are_as_wide_as_their_cells() -> None:
    """Wide characters count twice; missing cells are empty, and a bar in code is no border."""
    assert drawn("|a|b|", "|-|-|", "| 日本 | `x|y` |", "| c \\| d |") == [
        *("a      b", "─────  ───", "日本   x|y", "c | d"),
    ]


def test_a_wide_table_is_wrapped_in_its_widest_columns() -> None:
    """A terminal that is too narrow for any table gets a wider one."""
    lines = ("| Word | Meaning |", "|-|-|", "| a | one two three four five six |")
    assert drawn(*lines, width=24)[2:] == ["a     one two three four", "      five six"]
    assert drawn(*lines, width=3)[2:] == ["a     one two", "      three four", "      five six"]


@pytest.mark.parametrize("lines", [["|a|"], ["|a|", "|b|"], ["|a|", "| --x |"], []])
def test_other_lines_are_no_table(lines: list[str]) -> None:
    """The second line has to be the rule."""
    assert table_spans(lines, 40) is None
