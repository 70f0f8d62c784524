"""Assembles a recorded stream to one document: its texts, tool calls, reason of the end and usage. Pure.

In a stream each token is an event of its own, so a secret in an answer is in no event as a whole. Only what is
assembled is stored: of events of an unknown form only their number.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gglib.core.history.embedded_data import compacted
from gglib.core.history.recording_gap import split_at_gap
from gglib.core.history.stream_dialects import READERS
from gglib.core.history.stream_parts import StreamParts

_PREFIX, _DONE = "data:", "[DONE]"


def assembled(stream: str) -> str:
    """Return the document of a recorded stream, of events or of lines, as JSON.

    Where the recording has a gap, the incomplete words around it are left out.
    """
    before, after, missing_bytes = split_at_gap(stream)
    is_lines = stream.lstrip().startswith("{")
    parts = StreamParts()
    _read(before, parts, is_lines=is_lines)
    if missing_bytes:
        parts.add_gap()
        _read(after, parts, is_lines=is_lines)
    document = parts.document()
    if missing_bytes:
        document["missing_bytes"] = missing_bytes
    try:
        return json.dumps(compacted(document), ensure_ascii=False)
    except (ValueError, RecursionError):
        return json.dumps({"events": parts.events, "note": "the stream cannot be shown"})


def _read(stream: str, parts: StreamParts, *, is_lines: bool) -> None:
    for content in _lines(stream) if is_lines else _events(stream):
        parts.events += 1
        try:
            event = json.loads(content)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict) or not _take(event, parts):
            parts.unread += 1


def _take(event: Mapping[str, Any], parts: StreamParts) -> bool:
    """Add an event; returns False for an unknown form."""
    for dialect, is_of_dialect, read in READERS:
        if is_of_dialect(event):
            parts.dialect = parts.dialect or dialect
            read(event, parts)
            return True
    return False


def _lines(stream: str) -> Iterator[str]:
    return (line for line in stream.split("\n") if line.strip())


def _events(stream: str) -> Iterator[str]:
    """Yield the data of each event; comments and other fields are left out."""
    data: list[str] = []
    for line in stream.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.startswith(_PREFIX):
            data.append(line[len(_PREFIX) :].removeprefix(" "))
        elif not line and data:
            content = "\n".join(data)
            data = []
            if content != _DONE:
                yield content
    if data and (content := "\n".join(data)) != _DONE:
        yield content
