"""Where log lines go: a rotated file in the home, and stderr for a person who watches.

A line has words of clients, models and engines in it: control characters are escaped, and the further lines of a
record are indented, so that only gglib begins a line.
"""

import io
import logging
import logging.handlers
import os
import sys
from pathlib import Path

from gglib.core.plain_text import escape_record

LOG_NAME = "gglib.log"
MAX_BYTES = 5 * 1024 * 1024
BACKUP_COUNT = 3
FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
ACCESS_LOGGER = "gglib.access"
"""Its records hold lines that are whole already."""


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if record.name == ACCESS_LOGGER:
            return record.getMessage()  # each of its lines is escaped where it is made
        return escape_record(super().format(record))


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log file that is never waited for: a FIFO without a reader in its place takes no lines."""

    def _open(self) -> io.TextIOWrapper:
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
        return io.TextIOWrapper(os.fdopen(opened, "ab"), encoding=self.encoding)


def escape_warnings() -> None:
    """Escape what is printed to stderr where logging was not started: warnings, as bare sentences."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Formatter())


def start_logging(log_dir: Path, *, stderr_level: int) -> None:
    """Write everything to the log file, and what is at least ``stderr_level`` to stderr, too."""
    # A full disk or a closed terminal costs log lines; it must not cost a traceback for each of them.
    logging.raiseExceptions = False
    root = logging.getLogger("gglib")
    root.setLevel(logging.INFO)
    root.propagate = False
    log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = _LogFile(
        log_dir / LOG_NAME, maxBytes=MAX_BYTES, backupCount=BACKUP_COUNT, encoding="utf-8", delay=True
    )
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(stderr_level)
    for handler in (file, console):
        handler.setFormatter(_Formatter(FORMAT))
        root.addHandler(handler)
