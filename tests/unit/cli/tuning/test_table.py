"""The table of a tuning, and the sentences below it."""

from tests.unit.cli.tuning.tuning_results import ROWS, result

from gglib.cli.tuning.table import (
    COLUMNS,
    DROPPABLE_COLUMNS,
    WRAPPED_COLUMNS,
    head_line,
    table_rows,
    verdict_lines,
)
from gglib.cli.views.tables import fit_columns, table_lines, text_width


def test_a_row_has_rates_times_and_the_noise() -> None:
    """A try that was not measured has its reason instead."""
    assert table_rows(ROWS)[:4] == [
        ["current settings", "512", "107", "1.60 s", "1.0 %", "current"],
        ["--threads 1", "256", "53.3", "3.20 s", "0.0 %", "slower"],
        ["--ubatch-size 128", "640", "133", "1.28 s", "0.0 %", "taken"],
        ["--flash-attn on", "-", "-", "-", "-", "failed, not <supported>"],
    ]


def test_the_table_fits_each_terminal() -> None:
    """From 60 columns on; the rates leave before the times."""
    for width in (60, 80, 100, 140):
        columns, rows = fit_columns(
            COLUMNS, table_rows(ROWS), width, wrapped=WRAPPED_COLUMNS, droppable=DROPPABLE_COLUMNS
        )
        lines = [
            "".join(words for words, _ in line)
            for line in table_lines(columns, rows, width, wrapped=WRAPPED_COLUMNS)
        ]
        assert max(map(text_width, lines)) <= width
        assert "TURN" in columns


def test_the_head_says_what_was_measured() -> None:
    """With the engine: another one has other figures."""
    assert head_line(result(), "m", "an engine") == (
        "'m' with a context of 4096 tokens, an engine: a turn has 512 tokens of prompt and 64 generated ones; medians "
        "of 3 rounds."
    )


def test_what_is_kept_comes_with_the_command_that_undoes_it() -> None:
    """Which sets the arguments as they were."""
    assert list(verdict_lines(result(), "my model", is_kept=True)) == [
        "Faster by 20 %: a turn takes 1.28 s instead of 1.60 s.",
        "Kept: --threads 2 --ubatch-size 128",
        "Undo: gglib set --engine-args '--threads 2' 'my model'",
    ]


def test_what_is_not_kept_comes_with_the_command_that_keeps_it() -> None:
    """With ``--dry-run``."""
    assert list(verdict_lines(result(), "m", is_kept=False))[1:] == [
        "Nothing was changed. Keep it: gglib set --engine-args '--threads 2 --ubatch-size 128' m"
    ]


def test_nothing_to_keep_is_one_sentence() -> None:
    """After the notes."""
    lines = list(verdict_lines(result(best=(), notes=("A note.",)), "m", is_kept=False))
    assert lines == ["A note.", "Nothing is clearly faster than the current settings, so they stay."]
