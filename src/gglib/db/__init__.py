"""The catalogue of models, in SQLite. Imports core and system only."""

from gglib.db.catalog import SqliteCatalog

__all__ = ["SqliteCatalog"]
