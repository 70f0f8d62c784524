"""The catalogue of models, in SQLite. Knows core and system only."""

from gglib.db.catalog import SqliteCatalog

__all__ = ["SqliteCatalog"]
