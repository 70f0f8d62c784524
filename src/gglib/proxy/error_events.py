"""Finds an engine's error among the events of its stream, wherever the parts are cut. Pure.

Theory of operation. An error event begins where a line begins, in one of two ways. A model's text cannot: in JSON its
line ends and quotes are escaped. So a part that is whole lines, after whole lines, without the word is passed by
``EventRelay`` with one search through it, and never comes here. What does is looked through line by line; of it only an
error event that is not complete, or the beginning of what could become one, waits for the next part.
"""

import re

from gglib.proxy.engine_errors import SIZE_LIMIT_BYTES, read_event
from gglib.proxy.errors import EngineError

MARK = b"error"
"""Every error event has it."""

_BEGINNING = re.compile(rb'(?<=[\r\n])(?:event: ?error[\r\n]|data: ?\{\s*"error"\s*:)')
_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_BEGINNINGS = (b'data: {"error":', b'data:{"error":', b"event: error\n", b"event:error\n")


class ErrorEventWatch:
    """Follows one stream; after an error nothing more may be asked of it."""

    __slots__ = ("_held", "_is_in_line")

    def __init__(self) -> None:
        self._held = b""
        """What begins at the beginning of a line and may be, or become, an error event."""
        self._is_in_line = False

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing waits, and the next part begins a line."""
        return not self._held and not self._is_in_line

    def feed(self, part: bytes) -> tuple[bytes, EngineError | None]:
        """Return what may be relayed now, and the error that came behind it, if one did."""
        text, self._held = self._held + part, b""
        before = (
            b"x" if self._is_in_line else b"\n"
        )  # what the first line continues, for the pattern to look back at
        relayed_to, error = self._find(before + text)
        if error is None:
            self._held = text[relayed_to:]
            if relayed_to:
                self._is_in_line = text[relayed_to - 1] not in b"\r\n"
        return text[:relayed_to], error

    def finish(self) -> tuple[bytes, EngineError | None]:
        """Return what waits at the end of the stream, or the error that it is."""
        held, self._held = self._held, b""
        error = read_event(held) if held else None
        return (b"", error) if error is not None else (held, None)

    @staticmethod
    def _find(text: bytes) -> tuple[int, EngineError | None]:
        """Return up to where ``text``, its first byte not counted, may be relayed, and the error that begins there."""
        position = 0
        while (match := _BEGINNING.search(text, position)) is not None:
            begin = match.start()
            end = _END.search(text, begin)
            if end is None:
                return (begin if len(text) - begin <= SIZE_LIMIT_BYTES else len(text)) - 1, None
            error = read_event(text[begin : end.end()])
            if error is not None:
                return begin - 1, error
            position = end.end()
        begin = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        last_line = text[begin:]
        if begin and last_line and any(one.startswith(last_line) for one in _BEGINNINGS):
            return begin - 1, None
        return len(text) - 1, None
