"""The times of a tuning as bars for a terminal of any width. Pure."""

from collections.abc import Sequence

from gglib.app.tuning.measured import Measured
from gglib.app.tuning.rows import Outcome, Row
from gglib.cli.tuning.table import format_turn
from gglib.cli.views.tables import Styled, text_width

FULL, LIGHT = "\u2588", "\u2591"
ASCII_FULL, ASCII_LIGHT = "#", "-"
MIN_WIDTH = 40
"""A narrower terminal gets no bars."""
_VALUE_WIDTH = len(" 123.45 s")
_STYLES = {Outcome.CURRENT: "bold", Outcome.TAKEN: "green"}


def bar_lines(rows: Sequence[Row], width: int, *, is_unicode: bool) -> list[list[Styled]]:
    """Return a line for each measured row: its label, the times of prompt and generation, and the time of the turn.

    Empty for a terminal of less than ``MIN_WIDTH`` characters. The longest turn fills the width.
    """
    shown = [(row, row.measured) for row in rows if row.measured is not None]
    if width < MIN_WIDTH or not shown:
        return []
    label_width = min(max(text_width(row.label) for row, _ in shown), width * 2 // 5)
    room = width - label_width - 1 - _VALUE_WIDTH
    longest_s = max(measured.turn_s for _, measured in shown)
    light, full = (LIGHT, FULL) if is_unicode else (ASCII_LIGHT, ASCII_FULL)
    lines = [_legend(light, full)]
    for row, measured in shown:
        prompt, generated = _lengths(measured, room / longest_s)
        style = _STYLES.get(row.outcome, "")
        lines.append(
            [
                (_fitted(row.label, label_width, is_unicode=is_unicode) + " ", style),
                (light * prompt, "cyan"),
                (full * generated, "cyan"),
                (f" {format_turn(measured.turn_s)}", style),
            ]
        )
    return lines


def _legend(light: str, full: str) -> list[Styled]:
    return [
        ("Time of a turn: ", ""),
        (light * 2, "cyan"),
        (" prompt, ", ""),
        (full * 2, "cyan"),
        (" generation", ""),
    ]


def _lengths(measured: Measured, characters_per_s: float) -> tuple[int, int]:
    """Return the characters of the prompt and of the generation; together those of the turn, at least one."""
    turn, prompt_s = measured.turn, measured.turn.prompt_tokens / measured.prompt_per_s
    generated_s = turn.tokens / measured.generated_per_s
    whole = max(1, round(measured.turn_s * characters_per_s))
    prompt = round(whole * prompt_s / (prompt_s + generated_s))
    return prompt, whole - prompt


def _fitted(label: str, width: int, *, is_unicode: bool) -> str:
    """Return a label of exactly ``width`` characters; the start of a long one is cut, the value at its end stays."""
    mark = "\u2026" if is_unicode else "~"
    while text_width(label) > width:
        label = mark + label.removeprefix(mark)[1:]
    return label + " " * (width - text_width(label))
