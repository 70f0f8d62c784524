"""Where log lines go: a rotated file in the home, and stderr for who watches."""

import logging
import logging.handlers
import sys
from pathlib import Path

LOG_NAME = "gglib.log"
MAX_BYTES = 5 * 1024 * 1024
KEPT_FILES = 3
FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
ACCESS_LOGGER = "gglib.access"
"""Its records hold lines that are whole already."""


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage() if record.name == ACCESS_LOGGER else super().format(record)


def start_logging(log_dir: Path, *, stderr_level: int) -> None:
    """Write everything to the log file, and what is at least ``stderr_level`` to stderr, too."""
    # A full disk or a closed terminal costs log lines; it must not cost a traceback for each of them.
    logging.raiseExceptions = False
    root = logging.getLogger("gglib")
    root.setLevel(logging.INFO)
    root.propagate = False
    log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = logging.handlers.RotatingFileHandler(
        log_dir / LOG_NAME, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
    )
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(stderr_level)
    for handler in (file, screen):
        handler.setFormatter(_Formatter(FORMAT))
        root.addHandler(handler)
