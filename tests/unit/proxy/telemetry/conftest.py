"""Captures the access log for the tests of telemetry."""

import logging
from collections.abc import Iterator

import pytest

from gglib.proxy.telemetry import access_log
from gglib.proxy.telemetry.recorder import flush_pending


class Records(logging.Handler):
    """Collects the messages of log records."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Append the message of a record."""
        self.messages.append(record.getMessage())

    @property
    def batches(self) -> list[list[str]]:
        """The lines of each record."""
        return [message.split("\n") for message in self.messages]


@pytest.fixture
def records() -> Iterator[Records]:
    """Capture the access log at INFO, the level of servers."""
    flush_pending()  # the lines of other tests' recorders, whose loops have ended
    handler, level = Records(), access_log.log.level
    access_log.log.addHandler(handler)
    access_log.log.setLevel(logging.INFO)
    yield handler
    access_log.log.setLevel(level)
    access_log.log.removeHandler(handler)
