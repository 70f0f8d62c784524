"""Recognizes that an engine's cache was full: requests that fit alone failed each other. Pure.

llama-server then answers each of them with status 500 and one sentence, in an event stream as an event. The head of a
stream has status 200 by then, and comments may have gone before.
"""

from enum import Enum

_SENTENCE = b"Context size has been exceeded"
"""llama.cpp's server-context.cpp; a prompt that is too long alone is told in other words."""
_ERROR_EVENTS = (b'data: {"error"', b"event: error", b"error: {")
_LONGEST_EVENT_BYTES = 4096
"""Our sentence comes in a hundred bytes; what is longer is another error."""
_LINE_ENDS = b"\r\n"


class FirstEvent(Enum):
    """What the beginning of an event stream is."""

    NONE_YET = "none yet"
    """Comments and empty lines."""
    UNDECIDED = "undecided"
    """The begin of an error whose rest has not come."""
    OVERFLOW = "overflow"
    OTHER = "other"


def is_overflow(body: bytes) -> bool:
    """Whether the JSON ``body`` of an error says that the cache was full."""
    return _SENTENCE in body


def first_event(begin: bytes) -> FirstEvent:
    """Return what a stream begins with, of which ``begin`` has come so far; it starts where a line does."""
    event = _without_comments(begin)
    if not event:
        return FirstEvent.NONE_YET
    if event.startswith(_ERROR_EVENTS):
        if _SENTENCE in event[:_LONGEST_EVENT_BYTES]:
            return FirstEvent.OVERFLOW
        is_whole = b"\n\n" in event or len(event) >= _LONGEST_EVENT_BYTES
        return FirstEvent.OTHER if is_whole else FirstEvent.UNDECIDED
    if any(start.startswith(event) for start in _ERROR_EVENTS):
        return FirstEvent.UNDECIDED
    return FirstEvent.OTHER


def error_of(begin: bytes) -> bytes:
    """Return the JSON of the error that a stream begins with."""
    event = _without_comments(begin)
    return event[event.find(b"{") :].partition(b"\n")[0].rstrip()


def _without_comments(begin: bytes) -> bytes:
    event = begin.lstrip(_LINE_ENDS)
    while event.startswith(b":"):
        event = event.partition(b"\n")[2].lstrip(_LINE_ENDS)
    return event
