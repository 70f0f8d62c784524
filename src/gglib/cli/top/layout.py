"""Lays out ``gglib top`` for a terminal of any size: a state becomes lines of styled texts. Pure."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gglib.cli.top import rows as panel
from gglib.cli.top.cells import Column, Line, Row, cut_text, fitted_text, heading_line, row_line
from gglib.cli.top.data import TopData
from gglib.cli.top.help_text import HELP_LINES, KEY_LINES
from gglib.cli.top.panels import AIRY_HEIGHT, panel_rows, visible_slice
from gglib.cli.top.ui import Field, Panel, Ui, selected_row
from gglib.cli.views import render
from gglib.cli.views.measures import short_rate
from gglib.cli.views.tables import Styled, text_width
from gglib.core.memory import RAM
from gglib.core.plain_text import escape_line

HEADER_ROWS = 3
FOOTER_ROWS = 2
MIN_WIDTH, MIN_HEIGHT = 40, 8
MESSAGE_ROWS, WRAP_HEIGHT = 3, 20
"""A message has so many lines at most, from this height on; below it has one."""
WHOLE = 10_000
"""A height at which nothing is left out."""
TITLE, FOCUSED_TITLE, QUIET = "bold", "bold cyan", "dim"


@dataclass(frozen=True, slots=True)
class _Panel:
    columns: Sequence[Column]
    rows: Callable[[TopData, Ui, float], list[Row]]
    empty: str
    key: Panel | None = None


PANELS = (
    _Panel(panel.MODEL_COLUMNS, panel.model_rows, "No model is loaded.", Panel.MODELS),
    _Panel(panel.QUEUE_COLUMNS, panel.queue_rows, "No request waits for a model."),
    _Panel(panel.REQUEST_COLUMNS, panel.request_rows, "No request is in progress.", Panel.REQUESTS),
    _Panel(panel.SWAP_COLUMNS, panel.swap_rows, "No swap yet."),
    _Panel(panel.FAILED_COLUMNS, panel.failed_rows, "No request has failed."),
    _Panel(panel.NODE_COLUMNS, panel.node_rows, "No nodes."),
)
_NO_REQUESTS = "This server does not report its requests: update it."
_FILTERED = "Nothing here fits the filter."
_UNKNOWN = "The server does not respond."


def frame(
    data: TopData, ui: Ui, now_s: float, size: tuple[int, int], needs: Sequence[int] = ()
) -> list[Line]:
    """Return the lines for a terminal of ``size``, its width and height; never more lines than its height.

    ``needs`` are the most rows that each panel had so far (``row_counts``): panels keep that room. The lines are safe
    to print: control characters are escaped.
    """
    width, height = size
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return [[(cut_text("The terminal is too small.", width), "")]]
    body_height = height - HEADER_ROWS - FOOTER_ROWS
    if ui.is_help:
        body = [[(cut_text(line, width), "")] for line in HELP_LINES[:body_height]]
    else:
        body = _body(data, ui, now_s, (width, body_height), needs)
    body += [[] for _ in range(body_height - len(body))]
    message = _message_lines(data, ui, width, MESSAGE_ROWS if height >= WRAP_HEIGHT else 1)
    kept = body[
        : body_height + 1 - len(message)
    ]  # a long message covers the last rows: no panel moves for it
    return [*header_lines(data, ui, now_s, width), *kept, *message, _key_line(width)]


def plain_frame(data: TopData, ui: Ui, now_s: float, width: int) -> list[Line]:
    """Return the lines of one printed frame: all rows, without selection and keys."""
    lines = header_lines(data, ui, now_s, width)
    for shown in _panels(data):
        rows = shown.rows(data, ui, now_s)
        lines += [[], heading_line(shown.columns, _title(shown, len(rows)), width, TITLE)]
        lines += [row_line(shown.columns, row, width, is_selected=False) for row in rows]
        if not rows:
            lines.append([(f"  {_empty_text(shown, data, ui)}", QUIET)])
    return lines


def row_counts(data: TopData, ui: Ui, now_s: float) -> list[int]:
    """Return the number of rows that each panel has."""
    return [len(shown.rows(data, ui, now_s)) for shown in PANELS]


def header_lines(data: TopData, ui: Ui, now_s: float, width: int) -> list[Line]:
    """Return the server, the rates and the memory. The values have fixed places."""
    version = f" {data.status.version}" if data.status is not None else ""
    left = escape_line(f"gglib{version} at {data.url}")
    marks = ["PAUSED"] if ui.is_paused else []
    marks += [f"filter: {escape_line(ui.filter_text)}"] if ui.filter_text else []
    if data.started_s is not None and data.problem is None:
        marks.append(f"up {render.duration(now_s - data.started_s)}")
    right = "  ".join(marks)
    room = width - text_width(left) - 1
    first = left + fitted_text(right, room, is_right=True).rjust(room + 1) if room > 0 else left
    in_flight = sum(resident.in_flight for resident in data.residents)
    waiting = sum(waiting.waiting for waiting in data.waiting)
    rates = (
        f"Requests {short_rate(data.rates.requests):>6}/s   Tokens {short_rate(data.rates.tokens):>6}/s   "
        f"In flight {in_flight:>4}   Waiting {waiting:>4}"
    )
    return [
        [(cut_text(text, width), style)]
        for text, style in zip((first, rates, _memory_text(data)), (TITLE, "", ""), strict=True)
    ]


def _memory_text(data: TopData) -> str:
    """Return the used memory and the budget of each device."""
    if data.status is None:
        return ""
    limits, used = data.status.limits, data.status.used
    parts = []
    for device in (*limits, *(device for device in used if device not in limits)):
        name = "Memory" if device == RAM else escape_line(device)
        budget = f" of {render.size(limits[device])}" if device in limits else ""
        parts.append(f"{name} {render.size(used.get(device, 0)):>7}{budget}")
    return "   ".join(parts) or "Memory       -"


def _body(data: TopData, ui: Ui, now_s: float, size: tuple[int, int], needs: Sequence[int]) -> list[Line]:
    width, height = size
    panels = _panels(data)
    all_rows = [shown.rows(data, ui, now_s) for shown in panels]
    counts = [len(rows) for rows in all_rows]
    most = [max(pair) for pair in zip(counts, (needs or counts)[: len(counts)], strict=True)]
    gap = 1 if height + HEADER_ROWS + FOOTER_ROWS >= AIRY_HEIGHT else 0
    lines: list[Line] = []
    for shown, rows, room in zip(panels, all_rows, panel_rows(height, most, gap), strict=True):
        if not room:
            continue
        if lines and gap:
            lines.append([])
        lines += _panel_lines(shown, rows, data, ui, (width, room))
    return lines


def _panels(data: TopData) -> Sequence[_Panel]:
    """Return the panels; without nodes, all but theirs."""
    return PANELS if data.nodes else PANELS[:-1]


def _panel_lines(shown: _Panel, rows: list[Row], data: TopData, ui: Ui, size: tuple[int, int]) -> list[Line]:
    """Return the heading and exactly as many lines as the panel has room for."""
    width, room = size
    style = FOCUSED_TITLE if shown.key is ui.panel else TITLE
    lines = [heading_line(shown.columns, _title(shown, len(rows)), width, style)]
    selected = selected_row(ui, ui.panel, [row.id for row in rows]) if shown.key is ui.panel else None
    index = next((index for index, row in enumerate(rows) if row.id == selected), None)
    first, end, hidden = visible_slice(len(rows), room, index)
    lines += [row_line(shown.columns, row, width, is_selected=row.id == selected) for row in rows[first:end]]
    if hidden and room > 1:
        lines.append([(f"  +{hidden} more", QUIET)])
    if not rows:
        lines.append([(cut_text(f"  {_empty_text(shown, data, ui)}", width), QUIET)])
    return lines + [[] for _ in range(1 + room - len(lines))]


def _title(shown: _Panel, count: int) -> str:
    name = shown.columns[0].title
    return f"{name} {count}" if count else name


def _empty_text(shown: _Panel, data: TopData, ui: Ui) -> str:
    if ui.filter_text and shown.rows(data, replace(ui, filter_text=""), 0.0):
        return _FILTERED
    if shown.rows in {panel.swap_rows, panel.failed_rows} or (data.problem is None and data.has_requests):
        return shown.empty
    if data.problem is not None:
        return _UNKNOWN
    return _NO_REQUESTS if shown.key is Panel.REQUESTS else shown.empty


def _message_lines(data: TopData, ui: Ui, width: int, most: int) -> list[Line]:
    """Return the message in at most ``most`` lines; one if there is none. What is typed stays in one line."""
    text, style = _message(data, ui)
    wrapped = textwrap.wrap(text, width) if ui.typing is None and most > 1 else []
    if len(wrapped) < 2:
        return [[(cut_text(text, width), style)]]
    rows = [*wrapped[: most - 1], " ".join(wrapped[most - 1 :])] if len(wrapped) > most else wrapped
    return [[(cut_text(row, width), style)] for row in rows]


def _message(data: TopData, ui: Ui) -> Styled:
    """Return the typed text or the question, else a problem, the result of the last action, or the hint."""
    text, style = "", ""
    if ui.typing is not None:
        hint = "Enter applies, Esc leaves" if ui.typing is Field.FILTER else "Enter loads it, Esc leaves"
        text, style = f"{ui.typing.value}: {escape_line(ui.typed)}_  ({hint})", TITLE
    elif ui.question is not None:
        text, style = f"{ui.question.text} (y/n)", "bold yellow"
    elif data.problem is not None:
        text, style = data.problem, "bold yellow"
    elif ui.note is not None:
        text, style = ui.note.text, "red" if ui.note.is_error else ""
    elif (advice := _hint(data)) is not None:
        text = f"Hint: {advice}"
    return (text if ui.typing else escape_line(text)), style


def _hint(data: TopData) -> str | None:
    """Return the first hint: on swapped models, else of a model."""
    if data.status is None:
        return None
    own = (resident.keep_hint for resident in data.status.residents)
    return next((hint for hint in (data.status.hint, *own) if hint), None)


def _key_line(width: int) -> Line:
    """Return the longest list of keys that fits."""
    fitting = [line for line in KEY_LINES if text_width(line) <= width]
    return [(fitted_text(fitting[0] if fitting else KEY_LINES[-1], width), "reverse")]
