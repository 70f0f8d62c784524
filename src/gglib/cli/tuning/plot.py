"""The times of a tuning as a plot: an SVG file. Pure."""

import textwrap
from collections.abc import Sequence

from gglib.app.tuning.measured import Measured
from gglib.app.tuning.rows import Outcome, Row
from gglib.cli.tuning.svg import document, line, rectangle, text_at

_WIDTH, _LEFT, _RIGHT, _ROW, _BAR = 900, 330, 90, 24, 14
_MARGIN, _LINE = 16, 18
_PROMPT, _GENERATED, _INK, _NOISE, _TAKEN = "#9ecae1", "#3182bd", "#222", "#444", "#1a7f37"
_CHARACTERS, _TITLE_CHARACTERS = 46, 120
"""Of a label at the left, and of a line of the title."""


def tuning_plot(rows: Sequence[Row], title: str) -> str:
    """Return the plot: a bar for each measured row, of prompt and generation, with its noise and its time."""
    shown = [(row, row.measured) for row in rows if row.measured is not None]
    longest_s = max((m.turn_s + m.noise_s for _, m in shown), default=1.0)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest_s
    lines = textwrap.wrap(title, _TITLE_CHARACTERS)
    legend_y = _MARGIN + (len(lines) + 1) * _LINE
    elements = [
        text_at(_MARGIN, _MARGIN + (index + 1) * _LINE - 6, words) for index, words in enumerate(lines)
    ]
    elements += _legend(legend_y)
    top = legend_y + _LINE
    for index, (row, measured) in enumerate(shown):
        elements += _bar(row, measured, top + index * _ROW, scale)
    return document(_WIDTH, top + len(shown) * _ROW + _MARGIN, elements, title=title)


def _legend(y: float) -> list[str]:
    return [
        rectangle(_MARGIN, y - 10, 12, 12, colour=_PROMPT),
        text_at(_MARGIN + 18, y, "prompt"),
        rectangle(_MARGIN + 80, y - 10, 12, 12, colour=_GENERATED),
        text_at(_MARGIN + 98, y, "generation"),
        line(_MARGIN + 190, y - 4, _MARGIN + 210, y - 4, colour=_NOISE),
        text_at(_MARGIN + 216, y, "fastest to slowest round; seconds of a turn, shorter is faster"),
    ]


def _bar(row: Row, measured: Measured, y: float, scale: float) -> list[str]:
    turn = measured.turn
    parts = (turn.prompt_tokens / measured.prompt_per_s, turn.tokens / measured.generated_per_s)
    end = _LEFT + measured.turn_s * scale
    share = parts[0] / sum(parts)
    middle = _LEFT + (end - _LEFT) * share
    noise, y_noise = measured.noise_s * scale, y + _BAR / 2
    colour = _TAKEN if row.outcome is Outcome.TAKEN else _INK
    is_bold = row.outcome in {Outcome.TAKEN, Outcome.CURRENT}
    label = row.label if len(row.label) <= _CHARACTERS else f"\u2026{row.label[1 - _CHARACTERS :]}"
    return [
        text_at(_LEFT - 10, y + 12, label, anchor="end", colour=colour, is_bold=is_bold),
        rectangle(_LEFT, y, middle - _LEFT, _BAR, colour=_PROMPT),
        rectangle(middle, y, end - middle, _BAR, colour=_GENERATED),
        line(end - noise, y_noise, end + noise, y_noise, colour=_NOISE),
        text_at(end + noise + 6, y + 12, f"{measured.turn_s:.2f} s", colour=colour, is_bold=is_bold),
    ]
