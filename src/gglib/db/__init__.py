"""The catalogue of models and the request history, in SQLite. Imports core and system only."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gglib.db.catalog import SqliteCatalog
    from gglib.db.history.history import SqliteHistory
    from gglib.db.history.reading.reader import SqliteHistoryReader

__all__ = ["SqliteCatalog", "SqliteHistory", "SqliteHistoryReader"]

_MODULES = {
    "SqliteCatalog": "gglib.db.catalog",
    "SqliteHistory": "gglib.db.history.history",
    "SqliteHistoryReader": "gglib.db.history.reading.reader",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    """Import a public name at its first use: completion reads names without the whole catalogue."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
