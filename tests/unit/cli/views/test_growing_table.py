"""Tables whose rows arrive one by one."""

from gglib.cli.views.growing_table import GrowingTable

COLUMNS = ("NAME", "KEY", "SIZE")


def table() -> GrowingTable:
    """Return an empty table with an optional column."""
    return GrowingTable(COLUMNS, {"NAME": "12345678", "SIZE": "100"}, droppable=("SIZE",), optional=("KEY",))


def drawn(shown: GrowingTable, width: int | None, *row: str) -> list[str]:
    """Return the lines for a row, without styles."""
    lines = shown.lines(dict(zip(COLUMNS, row, strict=True)), width, {})
    return ["".join(text for text, _ in line) for line in lines]


def test_rows_are_aligned_from_the_first_one() -> None:
    """With the widths of the samples, under one heading."""
    shown = table()
    assert drawn(shown, None, "a", "-", "1") == ["NAME      SIZE", "a            1"]
    assert drawn(shown, None, "abcdefgh", "-", "1000") == ["abcdefgh  1000"]
    assert drawn(shown, None, "b", "-", "2") == ["b            2"]


def test_columns_grow_with_their_cells() -> None:
    """Later rows are aligned with the widest so far."""
    shown = table()
    drawn(shown, None, "a", "-", "1")
    assert drawn(shown, None, "abcdefghij", "-", "1") == ["abcdefghij     1"]
    assert drawn(shown, None, "a", "-", "1") == ["a              1"]


def test_optional_column_appears_with_its_first_value() -> None:
    """Under a new heading; it stays."""
    shown = table()
    drawn(shown, None, "a", "-", "1")
    assert drawn(shown, None, "a", "me", "1") == ["NAME      KEY  SIZE", "a         me      1"]
    assert drawn(shown, None, "a", "-", "1") == ["a         -       1"]


def test_columns_follow_the_width_of_the_terminal() -> None:
    """A terminal that is made narrower gets a new heading."""
    shown = table()
    assert drawn(shown, 14, "a", "-", "1") == ["NAME      SIZE", "a            1"]
    assert drawn(shown, 13, "a", "-", "1") == ["NAME", "a"]
    assert drawn(shown, 13, "b", "-", "1") == ["b"]
    assert drawn(shown, 20, "b", "-", "1") == ["NAME      SIZE", "b            1"]


def test_wide_characters_count_two() -> None:
    """The name with more characters may be the narrower one."""
    shown = table()
    drawn(shown, None, "文文文文文", "-", "1")
    assert drawn(shown, None, "abcdefghi", "-", "1") == ["abcdefghi      1"]
