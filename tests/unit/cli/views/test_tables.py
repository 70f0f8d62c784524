"""Tables on terminals of any width."""

from collections.abc import Sequence

import pytest

from gglib.cli.commands.models import list as list_command
from gglib.cli.views import running
from gglib.cli.views.tables import fit_columns, table_lines, text_width

COLUMNS = ("ID", "NAME", "SOURCE", "SIZE")
ROWS = [("1", "n" * 30, "owner/name", "1 MB"), ("2", "short", "-", "12 MB")]
WHOLE = 2 + 30 + 10 + 5 + 3 * 2


def drawn(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, *wrapped: str
) -> list[str]:
    """Return the lines without styles."""
    lines = table_lines(columns, rows, width, wrapped=wrapped)
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (None, COLUMNS),
        (WHOLE, COLUMNS),
        (WHOLE - 1, ("NAME", "SOURCE", "SIZE")),
        (WHOLE - 5, ("ID", "NAME", "SIZE")),  # the short column that was dropped first fits again
        (30 + 5 + 2, ("NAME", "SIZE")),
        (5, ("NAME", "SIZE")),  # the name runs on
    ],
)
def test_columns_that_do_not_fit_are_left_out(width: int | None, kept: tuple[str, ...]) -> None:
    """Optional columns are dropped in their order, and no more than necessary."""
    columns, rows = fit_columns(COLUMNS, ROWS, width, droppable=("ID", "SOURCE"))
    assert tuple(columns) == kept
    assert rows[1] == [dict(zip(COLUMNS, ROWS[1], strict=True))[column] for column in kept]


def test_wrapped_column_counts_its_longest_word() -> None:
    """It takes at least that much, because words are not broken."""
    rows = [("a", "one two " + "w" * 25)]
    assert fit_columns(("A", "B"), rows, 1 + 2 + 25, wrapped=("B",), droppable=("A",))[0] == ["A", "B"]
    assert fit_columns(("A", "B"), rows, 1 + 2 + 24, wrapped=("B",), droppable=("A",))[0] == ["B"]


@pytest.mark.parametrize("width", [1, 20, 80, 140, None])
def test_name_is_whole_at_every_width(width: int | None) -> None:
    """Also where the terminal is narrower than the name."""
    name = "a-very-long-model-name-of-more-than-eighty-characters-" + "x" * 60
    columns, rows = fit_columns(
        COLUMNS, [("1", name, "owner/name", "1 MB")], width, droppable=("ID", "SOURCE")
    )
    assert any(name in line for line in drawn(columns, rows, width))


def test_wrapped_column_is_wrapped_between_words() -> None:
    """Each name of a list stays whole; the other cells stand in the first line."""
    rows = [("fast", "qwen-4b, smollm2-135m-instruct, llama-3.2-1b", "config")]
    assert drawn(("ALIAS", "MODELS", "FROM"), rows, 40, "MODELS") == [
        "ALIAS  MODELS                     FROM",
        "fast   qwen-4b,                   config",
        "       smollm2-135m-instruct,",
        "       llama-3.2-1b",
    ]


@pytest.mark.parametrize("length", [31, 80])
def test_a_long_name_does_not_cost_the_other_rows_their_columns(length: int) -> None:
    """It stands alone in its line, whole, and its other cells below, in their columns."""
    rows = [("1", "short", "1 MB"), ("2", "n" * length, "12 MB"), ("3", "m" * 25, "3 MB")]
    columns, kept = fit_columns(("ID", "NAME", "SIZE"), rows, 40, droppable=("ID", "SIZE"), spilled="NAME")
    lines = table_lines(columns, kept, 40, spilled="NAME")
    assert ["".join(text for text, _ in line) for line in lines] == [
        "ID  NAME                        SIZE",
        " 1  short                       1 MB",
        f" 2  {'n' * length}",
        "                               12 MB",
        f" 3  {'m' * 25}   3 MB",
    ]
    whole = list(table_lines(("ID", "NAME", "SIZE"), rows, None, spilled="NAME"))
    assert len(whole) == len(rows) + 1  # a pipe: each model in one line


def test_a_long_word_does_not_push_the_last_column_off_the_terminal() -> None:
    """A URL among the settings: it fits alone, but not beside the others; lists are wrapped, not spilled."""
    url = "https://releases.example.com/a/long/path"
    rows = [("engine_releases_url", url, "default"), ("keys", "alice, bob, carol, dave, eve", "config.toml")]
    lines = table_lines(("SETTING", "VALUE", "FROM"), rows, 64, wrapped=("VALUE",), spilled="VALUE")
    assert ["".join(text for text, _ in line) for line in lines] == [
        "SETTING              VALUE                         FROM",
        f"engine_releases_url  {url}",
        "                                                   default",
        "keys                 alice, bob, carol, dave, eve  config.toml",
    ]


def test_a_column_alone_has_no_line_below() -> None:
    """A name that runs on is the whole row."""
    lines = list(table_lines(("NAME",), [("n" * 90,)], 40, spilled="NAME"))
    assert [text for line in lines for text, _ in line] == ["NAME", "n" * 90]


def test_pipe_gets_one_line_per_row() -> None:
    """Nothing is wrapped, whatever its length."""
    rows = [("fast", "word " * 500, "config")]
    assert len(drawn(("ALIAS", "MODELS", "FROM"), rows, None, "MODELS")) == 2


def test_words_of_a_line_are_columns_for_other_programs() -> None:
    """``awk '{print $2}'`` prints the names of ``gglib list``: there is no empty cell before them."""
    assert list_command.COLUMNS[:2] == ("ID", "NAME")
    assert [line.split()[1] for line in drawn(COLUMNS, ROWS, None)] == ["NAME", "n" * 30, "short"]


def test_numbers_are_right_aligned_and_names_are_not() -> None:
    """A name may begin with a digit."""
    assert drawn(("NAME", "SIZE", "USED"), [("7b", "1 MB", "-"), ("70b-long", "12 MB", "2 h ago")], 80) == [
        "NAME       SIZE     USED",
        "7b         1 MB        -",
        "70b-long  12 MB  2 h ago",
    ]
    assert drawn(("NAME", "STATE", "N"), [("a", "-", "1")], 80)[1] == "a     -      1"


def test_wide_characters_take_two_cells() -> None:
    """Columns stay aligned after CJK names, combining marks and emoji joiners."""
    assert [text_width(text) for text in ("ab", "模型", "e\u0301", "ｱ")] == [2, 4, 1, 1]
    assert drawn(("NAME", "SIZE"), [("模型", "1 MB"), ("abcde", "2 MB")], 80) == [
        "NAME   SIZE",
        "模型   1 MB",
        "abcde  2 MB",
    ]


def test_cell_has_the_style_of_its_column() -> None:
    """A model with the name of a state has no colour; a state with an addition has."""
    lines = list(
        table_lines(("NAME", "STATE"), [("ready", "ready, pinned")], 80, styles={"STATE": {"ready": "green"}})
    )
    assert ("ready", "") in lines[1]
    assert ("ready, pinned", "green") in lines[1]
    assert ("NAME", "bold") in lines[0]


def test_every_column_but_the_name_can_be_dropped() -> None:
    """A name has the whole width of a narrow terminal."""
    assert {*list_command.COLUMNS} - {*list_command.DROPPABLE} == {"NAME"}
    assert running.MODEL not in running.DROPPABLE_COLUMNS


def test_table_without_rows_is_its_heading() -> None:
    """No row has no width."""
    assert drawn(("A", "B"), [], 80, "B") == ["A  B"]
