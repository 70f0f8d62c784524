"""The few bytes of a server-sent event stream that are the proxy's own.

Pure. Never an ``id:`` or a ``retry:``: after either, a client may reconnect by itself and ask twice.
"""

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
