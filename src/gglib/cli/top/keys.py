"""What a key does: it changes the state of the view, and may cause an action on the server. Pure.

Keys are prompt-toolkit's names (``up``, ``tab``, ``c-c``), or the typed character.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from gglib.cli.top.data import TopData
from gglib.cli.top.rows import MODEL_ORDERS, REQUEST_ORDERS, row_ids
from gglib.cli.top.ui import (
    Action,
    Cancel,
    Field,
    Load,
    Note,
    Panel,
    Question,
    Quit,
    Selection,
    SetPin,
    Ui,
    Unload,
    selected_row,
)

ENTER, ESCAPE, BACKSPACE, TAB = "enter", "escape", "backspace", "tab"
Pressed = tuple[Ui, Action | None]
ORDERS = {Panel.MODELS: MODEL_ORDERS, Panel.REQUESTS: REQUEST_ORDERS}
_PAGE = 10


def press(data: TopData, ui: Ui, key: str) -> Pressed:
    """Return the state after a key, and the action that it causes."""
    if key == "c-c":
        return ui, Quit()
    if ui.typing is not None:
        return _type(ui, ui.typing, key)
    if ui.question is not None:
        return _answer(ui, ui.question, key)
    if ui.is_help:
        return replace(ui, is_help=False), None
    act = _KEYS.get(key)
    return (ui, None) if act is None else act(data, replace(ui, note=None))


def _type(ui: Ui, field: Field, key: str) -> Pressed:
    """Edit the text; the filter takes effect while it is typed."""
    if key == ESCAPE:
        closed = replace(ui, typing=None, typed="")
        return (replace(closed, filter_text="") if field is Field.FILTER else closed), None
    if key == ENTER:
        closed = replace(ui, typing=None, typed="")
        name = ui.typed.strip()
        return closed, Load(name) if field is Field.LOAD and name else None
    if key == BACKSPACE:
        typed = ui.typed[:-1]
    elif key == "c-u":
        typed = ""
    elif len(key) == 1 and key.isprintable():
        typed = ui.typed + key
    else:
        return ui, None
    ui = replace(ui, typed=typed)
    return (replace(ui, filter_text=typed) if field is Field.FILTER else ui), None


def _answer(ui: Ui, question: Question, key: str) -> Pressed:
    """Perform the action of the question for y; any other key closes the question."""
    closed = replace(ui, question=None)
    return (closed, question.action) if key in {"y", "Y"} else (closed, None)


def _move(step: int) -> Callable[[TopData, Ui], Pressed]:
    def move(data: TopData, ui: Ui) -> Pressed:
        ids = row_ids(data, ui, ui.panel)
        if not ids:
            return ui, None
        selection = ui.selections.get(ui.panel)
        selected = selected_row(ui, ui.panel, ids)
        if selected is not None:
            index = ids.index(selected) + step
        elif selection is None:
            index = 0
        else:
            index = selection.index
        index = max(0, min(index, len(ids) - 1))
        return replace(ui, selections={**ui.selections, ui.panel: Selection(ids[index], index)}), None

    return move


def _switch(data: TopData, ui: Ui) -> Pressed:
    del data
    return replace(ui, panel=Panel.REQUESTS if ui.panel is Panel.MODELS else Panel.MODELS), None


def _sort(data: TopData, ui: Ui) -> Pressed:
    del data
    names = ORDERS[ui.panel]
    index = (ui.orders[ui.panel] + 1) % len(names)
    note = Note(f"Order of the {ui.panel.value}: {names[index]}.")
    return replace(ui, orders={**ui.orders, ui.panel: index}, note=note), None


def _unload(data: TopData, ui: Ui) -> Pressed:
    name = _selected(data, ui, Panel.MODELS)
    resident = data.resident(name)
    if resident is None:
        return _not_selected(ui, Panel.MODELS), None
    if not resident.in_flight:
        return ui, Unload(resident.model_name)
    number = resident.in_flight
    serves = "1 request" if number == 1 else f"{number} requests"
    text = f"Unload {resident.model_name}, which serves {serves}?"
    return replace(ui, question=Question(text, Unload(resident.model_name))), None


def _pin(data: TopData, ui: Ui) -> Pressed:
    resident = data.resident(_selected(data, ui, Panel.MODELS))
    if resident is None:
        return _not_selected(ui, Panel.MODELS), None
    return ui, SetPin(resident.model_name, not resident.is_pinned)


def _cancel(data: TopData, ui: Ui) -> Pressed:
    request_id = _selected(data, ui, Panel.REQUESTS)
    return (_not_selected(ui, Panel.REQUESTS), None) if request_id is None else (ui, Cancel(request_id))


def _selected(data: TopData, ui: Ui, panel: Panel) -> str | None:
    """Return the selected row of a panel; None if the other panel is in use."""
    return selected_row(ui, panel, row_ids(data, ui, panel)) if ui.panel is panel else None


def _not_selected(ui: Ui, panel: Panel) -> Ui:
    what = "model" if panel is Panel.MODELS else "request"
    way = "j and k move" if ui.panel is panel else "Tab switches the panel, j and k move"
    return replace(ui, note=Note(f"Select a {what} first: {way}.", is_error=True))


_KEYS: Mapping[str, Callable[[TopData, Ui], Pressed]] = {
    **dict.fromkeys(("q", "Q", ESCAPE), lambda _, ui: (ui, Quit())),
    **dict.fromkeys(("j", "down"), _move(1)),
    **dict.fromkeys(("k", "up"), _move(-1)),
    "pagedown": _move(_PAGE),
    "pageup": _move(-_PAGE),
    **dict.fromkeys(("g", "home"), _move(-10_000)),
    **dict.fromkeys(("G", "end"), _move(10_000)),
    **dict.fromkeys((TAB, "s-tab"), _switch),
    "s": _sort,
    "u": _unload,
    "p": _pin,
    "c": _cancel,
    "l": lambda _, ui: (replace(ui, typing=Field.LOAD, typed=""), None),
    "/": lambda _, ui: (replace(ui, typing=Field.FILTER, typed=ui.filter_text), None),
    " ": lambda _, ui: (replace(ui, is_paused=not ui.is_paused), None),
    **dict.fromkeys(("?", "h", "f1"), lambda _, ui: (replace(ui, is_help=True), None)),
}
