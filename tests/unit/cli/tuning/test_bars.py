"""The bars of a tuning on a terminal."""

import pytest
from tests.unit.cli.tuning.tuning_results import ROWS, measured

from gglib.app.tuning.rows import Outcome, Row
from gglib.cli.tuning.bars import MIN_WIDTH, bar_lines
from gglib.cli.views.tables import text_width


def lines(width: int, *, is_unicode: bool = True, rows: tuple[Row, ...] = ROWS) -> list[str]:
    """Return the lines without their styles."""
    shown = bar_lines(rows, width, is_unicode=is_unicode)
    return ["".join(words for words, _ in line) for line in shown]


def test_bars_are_as_long_as_the_turns() -> None:
    """The longest fills the line; the parts are those of the prompt and of the generation."""
    shown = lines(69)
    assert shown[0] == "Time of a turn: ░░ prompt, ██ generation"
    assert shown[1:] == [
        f"current settings  {'░' * 13}{'█' * 8} 1.60 s",
        f"--threads 1       {'░' * 26}{'█' * 16} 3.20 s",
        f"--ubatch-size 128 {'░' * 11}{'█' * 6} 1.28 s",
    ]


@pytest.mark.parametrize("width", [MIN_WIDTH, 60, 80, 100, 140, 400])
@pytest.mark.parametrize("is_unicode", [False, True])
def test_bars_fit_each_terminal(width: int, *, is_unicode: bool) -> None:
    """Also with a long label, of which the end stays."""
    long = Row(step=None, label=f"{'x' * 500} 4", outcome=Outcome.SLOWER, measured=measured(0.1))
    shown = lines(width, is_unicode=is_unicode, rows=(*ROWS, long))
    assert all(text_width(line) <= width for line in shown[1:])
    assert "x 4 " in shown[-1]
    assert is_unicode or "".join(shown).isascii()


def test_no_bars_without_room_or_values() -> None:
    """A line would have no room for a bar."""
    assert lines(MIN_WIDTH - 1) == []
    assert lines(80, rows=(ROWS[3],)) == []


def test_a_short_turn_has_a_bar() -> None:
    """Of one character at least."""
    quick = Row(step=None, label="quick", outcome=Outcome.TAKEN, measured=measured(10_000))
    assert "░ 0 ms" in lines(80, rows=(*ROWS, quick))[-1]


def test_styles_mark_the_current_settings_and_what_is_taken() -> None:
    """Besides the colour of the bars."""
    styles = [line[0][1] for line in bar_lines(ROWS, 80, is_unicode=True)]
    assert styles == ["", "bold", "", "green"]
