"""Why the history cannot be used, in one sentence that says what to do."""

import errno
import sqlite3

import pytest

from gglib.core.errors import HistoryError
from gglib.db.history.errors import is_damage, map_read_errors, reason_of


def sqlite_error(code: int) -> sqlite3.Error:
    """Return an error of SQLite with an extended code."""
    error = sqlite3.OperationalError("raw words")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (sqlite_error(sqlite3.SQLITE_FULL), "free some space"),
        (sqlite_error(sqlite3.SQLITE_IOERR | 3 << 8), "neither full nor failing"),
        (sqlite_error(sqlite3.SQLITE_READONLY), "writable"),
        (sqlite_error(sqlite3.SQLITE_BUSY), "end that program"),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), "move it away"),
        (sqlite_error(sqlite3.SQLITE_ERROR), "history.db: raw words"),
        (OSError(errno.EACCES, "Permission denied"), "(Permission denied)"),
        (OSError("odd"), "OSError: odd"),
        (HistoryError("Upgrade gglib."), "Upgrade gglib"),
        (ValueError("x"), "ValueError: x"),
    ],
)
def test_reasons(error: Exception, words: str) -> None:
    """Without a full stop: they are parts of sentences."""
    assert words in reason_of(error)
    assert not reason_of(error).endswith(".")


def test_damage() -> None:
    """Only what SQLite says of the file itself."""
    assert is_damage(sqlite_error(sqlite3.SQLITE_CORRUPT | 2 << 8))
    assert is_damage(sqlite_error(sqlite3.SQLITE_NOTADB))
    assert not is_damage(sqlite_error(sqlite3.SQLITE_FULL))
    assert not is_damage(OSError())


def test_errors_of_reading() -> None:
    """They are errors of the history."""
    with (
        pytest.raises(HistoryError, match=r"cannot be read: the disk is full: free some space\.$"),
        map_read_errors(),
    ):
        raise sqlite_error(sqlite3.SQLITE_FULL)
    with pytest.raises(HistoryError, match="as it is"), map_read_errors():
        raise HistoryError("as it is")
