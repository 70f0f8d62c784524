"""The few bytes of a server-sent event stream that are the proxy's own.

Pure. Never an ``id:`` or a ``retry:``: after either, a client may reconnect by itself and ask twice.
"""

HEARTBEAT = b":\n\n"
"""A comment: every client skips it, and no idle timeout runs out."""

_TAIL_BYTES = 4
"""The longest end of an event: two line ends of two bytes."""


def error_event(error_body: bytes) -> bytes:
    """Return one event that carries ``error_body``, which is JSON on one line."""
    return b"data: " + error_body + b"\n\n"


class StreamTail:
    """Follows what was relayed, to tell what an event of ours must start with. Keeps four bytes."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, relayed: bytes) -> None:
        """Take note of bytes that the client was sent."""
        self._tail = (self._tail + relayed[-_TAIL_BYTES:])[-_TAIL_BYTES:]

    def separator(self) -> bytes:
        """Return what ends the event that the stream broke off in: nothing where it ended between two."""
        tail = self._tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not tail or tail.endswith(b"\n\n"):
            return b""
        # A line feed after a bare carriage return would only complete that one line end.
        return b"\n" if self._tail.endswith(b"\n") else b"\n\n"
