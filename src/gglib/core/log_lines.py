"""The lines of gglib's log: as text, and as JSON with the same fields. Pure.

A line of text is ``TIME LEVEL MESSAGE``; a message may go on in indented lines. A line of JSON is an object with
``time``, ``level``, ``logger``, ``message``, for an error ``exception`` (the traceback), and the fields of a request.
Both show times as ISO 8601 with milliseconds and the offset from UTC.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from gglib.core.plain_text import CONTINUATION_INDENT, escape_block, escape_line, escape_record, json_text

TEXT, JSON = "text", "json"
LOG_FORMATS = (TEXT, JSON)
LOG_LEVELS = ("debug", "info", "warning", "error")
_LEVELS = frozenset((*LOG_LEVELS, "critical"))
_SECONDS_CHARS = len("2026-11-29T13:00:00")
_IN_MESSAGE = frozenset(("time", "level", "logger", "message", "exception", "method", "path"))
"""Fields that a line of text has in another form, or not at all."""
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.+-]+Z?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a log, as it is shown."""

    text: str
    """Readable, control characters escaped, without a line end."""
    time: str | None = None
    """ISO 8601; None for a line that continues another, and in logs of engines."""
    level: str | None = None
    """In capitals: ``INFO``."""
    source: str | None = None
    """The logger; None in logs of the text format."""


class Timestamps:
    """Formats times; the text of a second is kept, since neighbouring lines share it.

    ``zone`` is the local one by default, with the offset that it has at the time.
    """

    __slots__ = ("_offset", "_second", "_start", "_zone")

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone
        self._second = -1
        self._start = self._offset = ""

    def format(self, at_s: float) -> str:
        """Return a time in seconds since the epoch, as ``2026-11-29T13:00:00.123+00:00``."""
        second = int(at_s)
        if second != self._second:
            text = datetime.fromtimestamp(second, UTC).astimezone(self._zone).isoformat()
            self._second, self._start, self._offset = second, text[:_SECONDS_CHARS], text[_SECONDS_CHARS:]
        return f"{self._start}.{int((at_s - second) * 1000):03}{self._offset}"


def text_line(time: str, level: str, message: str) -> str:
    """Return a line of text; ``level`` as of ``logging``, ``message`` as it is."""
    return f"{time} {level.upper():<7} {message}"


def json_line(fields: Mapping[str, object]) -> str:
    """Return a line of JSON; control characters in its texts are escaped."""
    return json_text(fields)


def readable_line(line: str) -> str:
    """Return a line of JSON as text, in the form of the other format; any other line as it is."""
    fields = _read_json(line)
    if fields is None:
        return line
    message = str(fields["message"])
    shown = " ".join(f"{name}={_value(value)}" for name, value in fields.items() if name not in _IN_MESSAGE)
    text = text_line(str(fields["time"]), str(fields["level"]), f"{message} {shown}" if shown else message)
    trace = fields.get("exception")
    return escape_record(f"{text}\n{trace}" if trace else text)


def _parsed(line: str) -> dict[str, object] | None:
    """Return the fields of a line of either format; None for a line that continues another, or is of no format."""
    fields = _read_json(line)
    if fields is not None:
        return fields
    parts = line.split(maxsplit=2)
    if line.startswith(CONTINUATION_INDENT) or len(parts) < 3 or parts[1].lower() not in _LEVELS:
        return None
    return {"time": parts[0], "level": parts[1].lower(), "message": parts[2]}


def shown_lines(line: str) -> list[LogLine]:
    """Return a line of a log as it is shown; a record with a traceback becomes several lines."""
    fields = _parsed(line) or {}
    first, *others = escape_block(readable_line(line)).split("\n")
    time, level, source = (str(fields.get(name, "")) for name in ("time", "level", "logger"))
    if not _ISO_TIME.fullmatch(time) or level.lower() not in _LEVELS:
        # Of an engine: the second word may happen to be a level.
        return [LogLine(text=text) for text in (first, *others)]
    record = LogLine(text=first, time=time, level=level.upper(), source=escape_line(source) or None)
    return [record, *(LogLine(text=text) for text in others)]


def parsed_lines(lines: Iterable[str]) -> list[dict[str, object]]:
    """Return the records of a log; lines that continue a record are added to its message."""
    records: list[dict[str, object]] = []
    for line in lines:
        fields = _parsed(line)
        if fields is not None:
            records.append(fields)
        elif records and line.startswith(CONTINUATION_INDENT):
            records[-1]["message"] = f"{records[-1]['message']}\n{line.removeprefix(CONTINUATION_INDENT)}"
        else:
            records.append({"message": line})
    return records


def _read_json(line: str) -> dict[str, object] | None:
    if not line.startswith("{"):
        return None
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) and {"time", "level", "message"} <= fields.keys() else None


def _value(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text or not text else text


class LineSplitter:
    """Splits a text that arrives in pieces into lines, which end with a line feed."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, piece: str) -> list[str]:
        """Return the lines that are complete now, without their ends."""
        *lines, self._rest = (self._rest + piece).split("\n")
        return [line.removesuffix("\r") for line in lines]


class ReadableStream:
    """Makes the lines of a log readable that arrives in pieces; lines of other text are passed on at once."""

    def __init__(self) -> None:
        self._held = ""
        self._is_at_line_start = True

    def feed(self, piece: str) -> str:
        """Return what can be shown now; an incomplete line that may be JSON is held back."""
        if not piece:
            return ""
        *lines, rest = (self._held + piece).split("\n")
        shown = [
            readable_line(line) if self._starts_line(number) else line for number, line in enumerate(lines)
        ]
        self._held = rest if rest.startswith("{") and self._starts_line(len(lines)) else ""
        self._is_at_line_start = (not rest or bool(self._held)) and (bool(lines) or self._is_at_line_start)
        return "".join(f"{line}\n" for line in shown) + rest.removeprefix(self._held)

    def _starts_line(self, number: int) -> bool:
        return number > 0 or self._is_at_line_start
