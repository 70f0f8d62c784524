"""The state of the view of ``gglib top``: what is selected and typed, and the action to perform. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum


class Panel(Enum):
    """A panel whose rows can be selected."""

    MODELS = "models"
    REQUESTS = "requests"


class Field(Enum):
    """A text that the user types in the last line."""

    FILTER = "Filter"
    LOAD = "Load model"


@dataclass(frozen=True, slots=True)
class Unload:
    """Unload a model."""

    model: str


@dataclass(frozen=True, slots=True)
class SetPin:
    """Pin or unpin a model."""

    model: str
    is_pinned: bool


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model."""

    model: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel a request in progress."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave the view."""


Action = Unload | SetPin | Load | Cancel | Quit


@dataclass(frozen=True, slots=True)
class Question:
    """A question that the user answers with y or n, and what y does."""

    text: str
    action: Action


@dataclass(frozen=True, slots=True)
class Note:
    """The result of an action."""

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """A selected row."""

    row: str
    """The name of a model, or the id of a request."""
    index: int
    """Where it was: if the row is gone, the next move begins there."""


FIRST_ORDERS: Mapping[Panel, int] = {Panel.MODELS: 0, Panel.REQUESTS: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ui:
    """The state of the view itself."""

    panel: Panel = Panel.MODELS
    """The panel that keys act on."""
    selections: Mapping[Panel, Selection] = field(default_factory=dict)
    """If a selected row is gone, none is selected: a key must not act on the row that took its place."""
    orders: Mapping[Panel, int] = field(default_factory=lambda: FIRST_ORDERS)
    """Index of the order of each panel: ``rows.MODEL_ORDERS`` and ``rows.REQUEST_ORDERS``."""
    filter_text: str = ""
    """Rows without this text are hidden; ignores case."""
    typing: Field | None = None
    typed: str = ""
    question: Question | None = None
    note: Note | None = None
    is_help: bool = False
    is_paused: bool = False


def selected_row(ui: Ui, panel: Panel, rows: Sequence[str]) -> str | None:
    """Return the selected one of the rows of a panel; None if it is gone, or none was selected.

    The first model is selected at the start; requests come and go, so none of them is.
    """
    selection = ui.selections.get(panel)
    if selection is None:
        return rows[0] if rows and panel is Panel.MODELS else None
    return selection.row if selection.row in rows else None
