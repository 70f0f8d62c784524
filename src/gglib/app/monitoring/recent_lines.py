"""Splits a log that arrives in pieces into lines, and keeps the last ones in bounded memory. Pure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from gglib.core.log_lines import LogLine, shown_lines

MAX_LINES = 1000
MAX_BYTES = 256 * 1024
"""Of all lines together."""
MAX_RECORD_BYTES = 64 * 1024
"""What is read of one line, which may be a record of JSON with a traceback. An engine may print a line of 100 MB."""
MAX_LINE_CHARS = 8 * 1024
"""Longer lines are cut, when they are shown."""
CUT = " [...]"
"""The end of a line that was cut."""


class RecentLines:
    """The last complete lines since the last ``take``."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._size_bytes = 0
        self._dropped = 0
        self._partial = b""

    def feed(self, piece: bytes) -> None:
        """Add a piece of the log, split anywhere; a line counts when its end has arrived."""
        first, *others = piece.split(b"\n")
        self._extend(first)
        for line in others:
            self._finish_line()
            self._extend(line)

    def take(self) -> tuple[tuple[LogLine, ...], int]:
        """Return the lines as they are shown, and the number of lines that were dropped before them."""
        shown = shown_tail(line.decode(errors="replace") for line in self._lines)
        dropped = self._dropped
        self._lines.clear()
        self._size_bytes = self._dropped = 0
        return shown, dropped

    def _extend(self, part: bytes) -> None:
        self._partial += part[: MAX_RECORD_BYTES - len(self._partial)]

    def _finish_line(self) -> None:
        line, self._partial = self._partial.removesuffix(b"\r"), b""
        self._lines.append(line)
        self._size_bytes += len(line)
        while len(self._lines) > MAX_LINES or self._size_bytes > MAX_BYTES:
            self._size_bytes -= len(self._lines.popleft())
            self._dropped += 1


def shown_tail(lines: Iterable[str]) -> tuple[LogLine, ...]:
    """Return lines of a log as they are shown: records of JSON are read first, then long lines are cut."""
    return tuple(_shortened(shown) for line in lines for shown in shown_lines(line[:MAX_RECORD_BYTES]))


def _shortened(line: LogLine) -> LogLine:
    return line if len(line.text) <= MAX_LINE_CHARS else replace(line, text=line.text[:MAX_LINE_CHARS] + CUT)
