"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), written and read. Pure.

What is written has never an ``id:`` or a ``retry:``: after either, a client may reconnect by itself and ask twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_MAX_TERMINATOR_BYTES = 4
"""The longest end of an event: two line ends of two bytes."""

HEARTBEAT = b":\n\n"
"""A comment: every client skips it, and no idle timeout runs out."""


def error_event(error_body: bytes, name: bytes = b"") -> bytes:
    """Return one event that carries ``error_body``, which is JSON on one line; ``name`` is its type, if it has one."""
    line = b"event: " + name + b"\n" if name else b""
    return line + b"data: " + error_body + b"\n\n"


def event_terminator(relayed_end: bytes) -> bytes:
    """Return what ends the event that a stream broke off in, given its last bytes: nothing between two events."""
    tail = relayed_end[-_MAX_TERMINATOR_BYTES:]
    folded = tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not folded or folded.endswith(b"\n\n"):
        return b""
    # A line feed after a bare carriage return would only complete that one line end.
    return b"\n" if tail.endswith(b"\n") else b"\n\n"


@dataclass(frozen=True, slots=True)
class SseEvent:
    """An event as it was read."""

    name: str
    """``message`` where the stream does not name it."""
    data: bytes


class SseReader:
    """Reads a stream that comes in parts, which may be cut anywhere. Lines end with a line feed.

    Comments are skipped, and so is an event without its end.
    """

    def __init__(self) -> None:
        self._rest = b""
        """The beginning of a line whose end has not come."""
        self._name = ""
        self._data: list[bytes] = []

    def receive(self, part: bytes) -> Iterator[SseEvent]:
        """Yield the events that end in ``part``. Exhaust the iterator before the next part."""
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            event = self._read_line(line.rstrip(b"\r"))
            if event is not None:
                yield event

    def _read_line(self, line: bytes) -> SseEvent | None:
        """Take in a line; return the event that it ends."""
        if not line:
            event = SseEvent(self._name or "message", b"\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"data":
            self._data.append(value)
        return None


def read_events(parts: Iterable[bytes]) -> Iterator[SseEvent]:
    """Yield the events of a stream as its parts come; see ``SseReader``."""
    reader = SseReader()
    for part in parts:
        yield from reader.receive(part)
