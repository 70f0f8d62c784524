"""Configures logging: to a rotated file in the home, and to stderr.

Records contain text of clients, models and engines: control characters are escaped, and continuation lines are
indented, so that such text cannot imitate a record.
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
"""Its records are preformatted lines."""


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if record.name == ACCESS_LOGGER:
            return record.getMessage()  # escaped by the access log
        return escape_record(super().format(record))


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log file that never blocks, even if its path is a FIFO without a reader."""

    def _open(self) -> io.TextIOWrapper:
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
        return io.TextIOWrapper(os.fdopen(opened, "ab"), encoding=self.encoding)


def escape_warnings() -> None:
    """Escape the warnings that are printed to stderr while logging is not configured."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Formatter())


def start_logging(log_dir: Path, *, stderr_level: int) -> None:
    """Log everything to the file, and records of at least ``stderr_level`` to stderr, too."""
    # A full disk or a closed terminal loses log lines; it must not print a traceback for each.
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
