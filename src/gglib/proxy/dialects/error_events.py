"""Detects an engine's error event in its stream, however the stream is split into parts. Pure.

Theory of operation. An error event starts at the beginning of a line, in one of two forms. Generated text cannot look
like one, because JSON escapes its line feeds and quotes. ``ErrorEventDetector`` checks the beginning of each line. It
buffers only a partial error event, or the start of a line that could still become one, until the next part.

``Response.try_write_events`` recognizes nearly all parts by their form, so they skip the detector. Searching every part
would cost 2 ns per byte (CPython 3.11, measured: a tenth of the cost of a stream in large parts). Checking the last
event is enough, because no content follows an error: llama-server ends the stream there (``server-context.cpp``),
others send at most ``[DONE]``.
"""

import re

from gglib.proxy.dialects.engine_errors import SIZE_LIMIT_BYTES, read_event
from gglib.proxy.errors import EngineError

LINE_FEED = ord("\n")

COMMON_PREFIX = b'data: {"choices":['  # chats and completions, of llama-server
COMMON_PREFIX_BYTES = len(COMMON_PREFIX)
_CONTENT_PREFIXES = (
    COMMON_PREFIX,
    b'data: {"type":"content_block_',  # Anthropic's
    b'data: {"type":"message_delta"',
    b'data: {"type":"response.output_',  # Responses
    b'data: {"type":"response.reasoning',
    b'data: {"type":"response.function_call',
    b'data: {"index":',  # llama-server's own completions
    b'data: {"content":',
    b'data: {"id":"',  # chats of other servers
)
_DONE = b"data: [DONE]\n\n"
_ERROR_START = re.compile(rb'event: ?error\r?\n|data: ?\{\s*"error"\s*:')
_ERROR_CANDIDATES = (b'data: {"error"', b"event: error", b'data:{"error"', b"event:error", b'data: { "error"')
"""Prefixes checked before ``_ERROR_START``, because that is slower."""
_PLAIN_ERROR_STARTS = (b'data: {"error":', b'data:{"error":', b"event: error\r\n", b"event:error\r\n")
"""Matches of ``_ERROR_START``; a partial line that begins one of them is buffered."""
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n")


MULTI_EVENT_BYTES = 1024
"""Longer parts usually have several events; only the last one is checked, which is cheaper."""

KEY_OFFSET = len(b'data: {"')
CONTENT_KEY_INITIALS = frozenset(b"ci")
"""First letters of the keys ``choices``, ``content``, ``id`` and ``index``; no error event has them there."""

MESSAGE_DELTA_LINE = b"event: content_block_delta\n"
"""The first line of nearly all events of Anthropic's streams; the second is their data, and no third follows."""
MESSAGE_DELTA_LINE_BYTES = len(MESSAGE_DELTA_LINE)

_EVENT_START_BYTES = 16
"""Length of the keys of ``_EVENT_LINE_BYTES``."""
_EVENT_LINE_BYTES = {
    b'data: {"choices"': 0,
    b'data: {"index":0': 0,
    b'data: {"id":"cha': 0,
    b"event: content_b": MESSAGE_DELTA_LINE_BYTES,
    b"event: response.": len(b"event: response.output_text.delta\n"),
}
"""Length of the ``event:`` line by the first ``_EVENT_START_BYTES`` of an event; 0 without that line."""


def is_error_free(part: bytes) -> bool:
    """Whether the form of a part, which begins a line, excludes an error event."""
    if len(part) < MULTI_EVENT_BYTES:
        event_line_bytes = _EVENT_LINE_BYTES.get(part[:_EVENT_START_BYTES])
        if (
            event_line_bytes is not None
            and LINE_FEED not in part[event_line_bytes:-2]
            and part[-1] == LINE_FEED
        ):
            return True
    return not part or ends_with_content_event(part)


def ends_with_content_event(part: bytes) -> bool:
    """Whether a part, which begins a line, ends with a complete content event, so that it has no error event.

    If it ends with ``[DONE]``, the event before that is checked.
    """
    end = len(part)
    last_line = part.rfind(b"\n", 0, end - 2) + 1  # not the two line feeds that end the event
    if part.startswith(_DONE, last_line):
        end = last_line  # an offset, because a slice would copy a part that may be long
        if not end:
            return True
        last_line = part.rfind(b"\n", 0, max(end - 2, 0)) + 1
    return part.startswith(_CONTENT_PREFIXES, last_line, end) and part[end - 1] == LINE_FEED


class ErrorEventDetector:
    """Detects the error event of one stream. Unusable after it returned an error."""

    __slots__ = ("_buffer", "_is_mid_line")

    def __init__(self) -> None:
        self._buffer = b""
        """Bytes from the beginning of a line that are, or may become, an error event."""
        self._is_mid_line = False

    @property
    def is_at_line_start(self) -> bool:
        """Whether nothing is buffered and the next part begins a line."""
        return not self._buffer and not self._is_mid_line

    def feed(self, part: bytes) -> tuple[bytes, EngineError | None]:
        """Return the bytes that may be relayed, and the error that follows them, if any."""
        text, self._buffer = self._buffer + part, b""
        relay_end, error = self._find(text, text.find(b"\n") + 1 if self._is_mid_line else 0)
        if error is None:
            self._buffer = text[relay_end:]
            if relay_end:
                self._is_mid_line = text[relay_end - 1] != LINE_FEED
        return text[:relay_end], error

    def finish(self) -> tuple[bytes, EngineError | None]:
        """Return the buffered bytes at the end of the stream, or the error that they form."""
        buffered, self._buffer = self._buffer, b""
        error = read_event(buffered) if buffered else None
        return (b"", error) if error is not None else (buffered, None)

    def _find(self, text: bytes, line: int) -> tuple[int, EngineError | None]:
        """Return the end of the bytes of ``text`` that may be relayed, and the error there, if any.

        ``line`` is the offset of the first line start; if ``text`` continues a line, 0 means that it starts none.
        """
        if self._is_mid_line and not line:
            return len(text), None
        while True:
            if text.startswith(_ERROR_CANDIDATES, line) and _ERROR_START.match(text, line) is not None:
                end = _EVENT_END.search(text, line)
                if end is None:
                    return line if len(text) - line <= SIZE_LIMIT_BYTES else len(text), None
                error = read_event(text[line : end.end()])
                if error is not None:
                    return line, error
            line_feed = text.find(b"\n", line)
            if line_feed < 0:
                break
            line = line_feed + 1
        last_line = text[line:]
        may_become_error = last_line and any(start.startswith(last_line) for start in _PLAIN_ERROR_STARTS)
        return line if may_become_error else len(text), None
