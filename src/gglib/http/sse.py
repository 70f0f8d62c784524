"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), written and read. Pure.

What is written has never an ``id:`` or a ``retry:``: after either, a client may reconnect by itself and ask twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_END_BYTES = 4
"""The longest end of an event: two line ends of two bytes."""

HEARTBEAT = b":\n\n"
"""A comment: every client skips it, and no idle timeout runs out."""


def error_event(error_body: bytes, name: bytes = b"") -> bytes:
    """Return one event that carries ``error_body``, which is JSON on one line; ``name`` is its type, if it has one."""
    line = b"event: " + name + b"\n" if name else b""
    return line + b"data: " + error_body + b"\n\n"


def separator(relayed_end: bytes) -> bytes:
    """Return what ends the event that a stream broke off in, given its last bytes: nothing between two events."""
    tail = relayed_end[-_END_BYTES:]
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


def read_events(lines: Iterable[bytes]) -> Iterator[SseEvent]:
    """Yield the events of a stream, from its lines. Comments are skipped, and so is an event without its end."""
    name, data = "", list[bytes]()
    for whole in lines:
        line = whole.rstrip(b"\r\n")
        if not line:
            if data:
                yield SseEvent(name or "message", b"\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode(errors="replace")
        elif field == b"data":
            data.append(value)
