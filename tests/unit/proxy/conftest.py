"""What several tests of the proxy's parts listen with."""

import logging
from collections.abc import Iterator

import pytest

from gglib.proxy.telemetry import access_log


class Records(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.messages.append(record.getMessage())

    @property
    def batches(self) -> list[list[str]]:
        """The lines of each record."""
        return [message.split("\n") for message in self.messages]


@pytest.fixture
def records() -> Iterator[Records]:
    """Listen to the access log at the level that servers have."""
    handler, level = Records(), access_log.log.level
    access_log.log.addHandler(handler)
    access_log.log.setLevel(logging.INFO)
    yield handler
    access_log.log.setLevel(level)
    access_log.log.removeHandler(handler)
