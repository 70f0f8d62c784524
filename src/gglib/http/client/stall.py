"""Timeouts for a server that sends nothing during an exchange.

Pure: time is an argument, in seconds of any monotonic clock; no event loop, no sockets.
"""

from gglib.http.errors import StallError, StallPhase

_COMMENT_STARTS = b":\r\n"
"""The first byte of a comment, or of an empty line."""

_LINE_FEED = ord("\n")


class StallTimer:
    """Measures how long a server has sent nothing, and pauses while no task waits for the server.

    ``first_byte_s`` limits the time until the response begins, ``chunk_gap_s`` each gap from then on; 0 is no limit.
    """

    __slots__ = (
        "_chunk_gap_s",
        "_comment_filter",
        "_elapsed_s",
        "_has_begun",
        "_started_s",
        "first_byte_s",
    )

    def __init__(self, first_byte_s: float, chunk_gap_s: float) -> None:
        self.first_byte_s = first_byte_s
        self._chunk_gap_s = chunk_gap_s
        self._has_begun = False
        self._elapsed_s = 0.0
        self._started_s: float | None = None
        self._comment_filter: SseCommentFilter | None = None

    @property
    def is_running(self) -> bool:
        """Whether time is being measured: a task waits, and nothing was received."""
        return self._started_s is not None

    def start(self, now_s: float) -> None:
        """Start measuring, or resume: a task waits for the server."""
        self._started_s = now_s

    def pause(self, now_s: float) -> None:
        """Stop measuring and keep the elapsed time: no task waits for the server."""
        if self._started_s is not None:
            self._elapsed_s += now_s - self._started_s
            self._started_s = None

    def reset(self) -> None:
        """Stop measuring and set the elapsed time to 0: the server has made progress."""
        self._elapsed_s = 0.0
        self._started_s = None

    def record_head(self, *, is_event_stream: bool) -> None:
        """Record the response head. An event stream begins with its first content, not with its head or comments."""
        if is_event_stream:
            self._comment_filter = SseCommentFilter()
        else:
            self._has_begun = True
            self.reset()

    def record_part(self, part: bytes, now_s: float | None) -> None:
        """Record a part of the body, which is not empty.

        Content resets the timer, which restarts at ``now_s``, or stops if ``now_s`` is None because the task is woken.
        """
        comment_filter = self._comment_filter
        # The second condition repeats the first of ``has_content``: it saves the call for nearly every part.
        if (
            comment_filter is None
            or (part[-1] == _LINE_FEED and part[0] not in _COMMENT_STARTS and not comment_filter.line_start)
            or comment_filter.has_content(part)
        ):
            self._has_begun = True
            self._elapsed_s = 0.0
            self._started_s = now_s
        elif self._started_s is None:
            self._started_s = now_s

    def silence_s(self, now_s: float) -> float:
        """Return how long the server has sent no content while a task waited for it."""
        return self._elapsed_s + (0.0 if self._started_s is None else now_s - self._started_s)

    def is_expired(self, now_s: float) -> bool:
        """Whether the current limit is reached."""
        left_s = self._left_s(now_s)
        return left_s is not None and left_s <= 0

    def next_check_s(self, now_s: float) -> float | None:
        """Return the seconds until the earliest possible expiry; None if there is no limit.

        Before the response has begun this is at most ``chunk_gap_s``: the check need not be rescheduled when it begins.
        """
        left_s = self._left_s(now_s)
        if self._has_begun or self._chunk_gap_s <= 0:
            return left_s
        return self._chunk_gap_s if left_s is None else min(left_s, self._chunk_gap_s)

    def error(self) -> StallError:
        """Return the error for an expired timer."""
        if self._has_begun:
            return StallError(StallPhase.BODY, self._chunk_gap_s)
        return StallError(StallPhase.FIRST_BYTE, self.first_byte_s)

    def _left_s(self, now_s: float) -> float | None:
        limit_s = self._chunk_gap_s if self._has_begun else self.first_byte_s
        if limit_s <= 0:
            return None
        return limit_s - self.silence_s(now_s)


class SseCommentFilter:
    """Distinguishes parts of an event stream with content from those with only comments and empty lines.

    llama-server's HTTP threads send ``:`` and an empty line every ``sse_ping_interval`` seconds (30; the request body
    may set it) while a stream has no data, also before the first token, and send the head when a slot starts on the
    prompt. The computation has no part in it: with its thread stopped by ptrace in mid-stream, pings continued and
    ``/health`` returned 200 (seen with xllamacpp 2026.10.11549; llama.cpp pull request 24013 added pings). So neither
    head nor pings show progress. Tracks lines across parts with one byte of state.
    """

    __slots__ = ("line_start",)

    def __init__(self) -> None:
        self.line_start = b""
        """The first byte of the line that the next part continues; empty at the start of a line."""

    def has_content(self, part: bytes) -> bool:
        """Whether ``part``, which is not empty, has content other than comments and empty lines."""
        if not self.line_start and part[-1] == _LINE_FEED and part[0] not in _COMMENT_STARTS:
            return True  # nearly every part: whole lines, the first of them a field
        text = self.line_start + part
        begin = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        self.line_start = text[begin : begin + 1]
        return any(line[:1] not in {b"", b":"} for line in text.splitlines())
