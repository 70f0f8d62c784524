"""Configures logging: to a rotated file in the home, and to stderr, as text or JSON (``core.log_lines``).

Records contain text of clients, models and engines: control characters are escaped, and continuation lines are
indented, so that such text cannot imitate a record.
"""

import io
import logging
import logging.handlers
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gglib.app.monitoring.log_files import LOG_NAME
from gglib.cli.help.hints import runnable
from gglib.core.log_lines import JSON, TEXT, Timestamps, json_line, text_line
from gglib.core.plain_text import escape_block, escape_record

if TYPE_CHECKING:
    from gglib.app.settings import Settings

MAX_BYTES = 5 * 1024 * 1024
BACKUP_COUNT = 3
ACCESS_LOGGER = "gglib.access"
"""Its records are preformatted lines."""
ON_CONSOLE = "is_on_console"
"""An attribute of records that were printed already (``serving.announcements``)."""


class _TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__()
        self._timestamps = Timestamps()

    def format(self, record: logging.LogRecord) -> str:
        if record.name == ACCESS_LOGGER:
            return record.getMessage()  # escaped by the access log
        return escape_record(runnable(super().format(record)))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return text_line(self._timestamps.format(record.created), record.levelname, record.message)


class _JsonFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__()
        self._timestamps = Timestamps()

    def format(self, record: logging.LogRecord) -> str:
        if record.name == ACCESS_LOGGER:
            return record.getMessage()
        fields: dict[str, object] = {
            "time": self._timestamps.format(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": escape_block(record.getMessage()),
        }
        if record.exc_info:
            fields["exception"] = escape_block(self.formatException(record.exc_info))
        return json_line(fields)


class _InOrder(logging.Filter):
    """Writes the access lines of earlier requests before a record: they are buffered, for speed."""

    def __init__(self, flush_pending: Callable[[], None]) -> None:
        super().__init__()
        self._flush_pending = flush_pending

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name != ACCESS_LOGGER:
            self._flush_pending()
        return True


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log file that never blocks, even if its path is a FIFO without a reader."""

    def _open(self) -> io.TextIOWrapper:
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
        return io.TextIOWrapper(os.fdopen(opened, "ab"), encoding=self.encoding)


def escape_warnings() -> None:
    """Escape the warnings that are printed to stderr while logging is not configured."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_PlainFormatter())


class _PlainFormatter(logging.Formatter):
    """The message alone."""

    def format(self, record: logging.LogRecord) -> str:
        return escape_record(super().format(record))


def start_quiet_logging(settings: "Settings") -> None:
    """Log to the file as the settings say, for a command whose own output is on the terminal."""
    start_logging(
        settings.log_dir,
        stderr_level=logging.CRITICAL,
        level=settings.log_level,
        log_format=settings.log_format,
    )


def start_logging(
    log_dir: Path, *, stderr_level: int = logging.NOTSET, level: str = "info", log_format: str = TEXT
) -> None:
    """Log records of at least ``level`` to the file, and those of at least ``stderr_level`` to stderr, too.

    ``level`` and ``log_format`` are settings, see ``core.log_lines``. Lines are in the order of their times.
    """
    from gglib.proxy.telemetry.recorder import flush_pending

    # A full disk or a closed terminal loses log lines; it must not print a traceback for each.
    logging.raiseExceptions = False
    root = logging.getLogger("gglib")
    root.setLevel(level.upper())
    root.propagate = False
    log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = _LogFile(
        log_dir / LOG_NAME, maxBytes=MAX_BYTES, backupCount=BACKUP_COUNT, encoding="utf-8", delay=True
    )
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(stderr_level)
    console.addFilter(lambda record: not hasattr(record, ON_CONSOLE))
    in_order = _InOrder(flush_pending)
    for handler in (file, console):
        handler.setFormatter(_JsonFormatter() if log_format == JSON else _TextFormatter())
        handler.addFilter(in_order)
        root.addHandler(handler)
