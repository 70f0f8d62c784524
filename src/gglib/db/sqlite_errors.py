"""The one place that turns errors of SQLite and the file system into ``CatalogError``.

Does not know what was attempted: the message follows from the kind of failure alone. It names the file, never its
directory, because clients of the proxy may see the message.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.core.errors import CatalogError

PRIMARY_CODE_MASK = 0xFF
"""SQLite's extended result codes have the primary code in their low byte."""

BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

DAMAGED = (
    "is damaged, or is not a gglib catalogue: "
    "restore a backup with 'gglib restore FILE', or move it away and add the models again"
)
NOT_ACCESSIBLE = "cannot be opened for writing: check that gglib's home directory exists and is writable"

MESSAGES = {
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_FULL: "cannot be written because the disk is full: free some space and try again",
    sqlite3.SQLITE_IOERR: "cannot be read or written: check that its disk is neither full nor failing",
    sqlite3.SQLITE_CANTOPEN: NOT_ACCESSIBLE,
    sqlite3.SQLITE_READONLY: NOT_ACCESSIBLE,
    sqlite3.SQLITE_PERM: NOT_ACCESSIBLE,
    sqlite3.SQLITE_BUSY: "is in use by another program: close that program or try again",
    sqlite3.SQLITE_LOCKED: "is in use by another program: close that program or try again",
}


class MissingRowsError(sqlite3.DatabaseError):
    """Related rows are missing: no version of gglib wrote that."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


@contextmanager
def map_sqlite_errors(path: Path) -> Iterator[None]:
    """Turn every failure of the database at ``path`` into a ``CatalogError`` of one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        reason = MESSAGES.get(primary_code(error), f"failed: {error}")
        if _lacks_tables(error):
            reason = DAMAGED
        raise CatalogError(f"The catalogue {path.name} {reason}.", path=path) from error
    except OSError as error:
        raise CatalogError(
            f"The catalogue {path.name} cannot be used ({error.strerror}): "
            "check that gglib's home directory exists and is writable.",
            path=path,
        ) from error
    except (OverflowError, ValueError) as error:  # a value that SQLite cannot hold, or a row edited by hand
        raise CatalogError(f"The catalogue {path.name} cannot hold or read a value: {error}.") from error


@contextmanager
def map_row_errors() -> Iterator[None]:
    """Turn errors of reading rows from inconsistent tables into a database error.

    A restored file beside a foreign log causes them: ``integrity_check`` fails, and rows refer to missing rows.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError) as error:
        raise MissingRowsError(f"its tables are inconsistent ({error!r})") from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection held a lock: the same call may succeed a moment later."""
    return primary_code(error) in BUSY_CODES


def _lacks_tables(error: sqlite3.Error) -> bool:
    """Whether a table or a column is missing: every statement of gglib names its own tables."""
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith("no such ")


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; SQLITE_ERROR if the error did not come from SQLite itself."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & PRIMARY_CODE_MASK
