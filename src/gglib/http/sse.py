"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): writer and parser. Pure.

Written events have neither an ``id`` nor a ``retry`` field: with either, a client may reconnect and repeat its request.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_MAX_TERMINATOR_BYTES = 4
"""The longest terminator of an event: CR LF CR LF."""

HEARTBEAT = b":\n\n"
"""A comment, which clients ignore; it resets idle timeouts on the way."""


def error_event(error_body: bytes, name: bytes = b"") -> bytes:
    """Return an event whose data is ``error_body``, JSON on one line; ``name`` is the optional event type."""
    line = b"event: " + name + b"\n" if name else b""
    return line + b"data: " + error_body + b"\n\n"


def event_terminator(stream_tail: bytes) -> bytes:
    """Return the bytes that terminate an incomplete event, given the last bytes of the stream; b"" between events."""
    tail = stream_tail[-_MAX_TERMINATOR_BYTES:]
    folded = tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not folded or folded.endswith(b"\n\n"):
        return b""
    # One line feed after a carriage return would only complete its CR LF.
    return b"\n" if tail.endswith(b"\n") else b"\n\n"


@dataclass(frozen=True, slots=True)
class SseEvent:
    """A parsed event."""

    name: str
    """``message`` if the event has no ``event`` field."""
    data: bytes


class SseReader:
    """Parses a stream that is received in parts, split anywhere. Lines end with a line feed.

    Comments are skipped, and so is an unterminated last event.
    """

    def __init__(self) -> None:
        self._partial_line = b""
        """The beginning of an incomplete line."""
        self._name = ""
        self._data: list[bytes] = []

    @property
    def is_between_events(self) -> bool:
        """Whether the next part begins an event."""
        return not (self._partial_line or self._data or self._name)

    def receive(self, part: bytes) -> Iterator[SseEvent]:
        """Yield the events that end in ``part``. Exhaust the iterator before the next part."""
        *lines, self._partial_line = (self._partial_line + part).split(b"\n")
        for line in lines:
            event = self._read_line(line.rstrip(b"\r"))
            if event is not None:
                yield event

    def _read_line(self, line: bytes) -> SseEvent | None:
        """Parse a line; return the event if the line ends one."""
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
    """Yield the events of a stream as its parts arrive; see ``SseReader``."""
    reader = SseReader()
    for part in parts:
        yield from reader.receive(part)
