"""How long a server has kept silent in one exchange, and how long it may.

Pure: time is an argument, in seconds of any one clock. It knows neither timers nor sockets.
"""

from gglib.http.errors import StallError, StallPhase

_COMMENT_STARTS = b":\r\n"
"""What a comment and an empty line begin with."""

_LINE_FEED = ord("\n")


class StallTimer:
    """The silence of an engine while it is listened to; what passes while nobody listens is not its own.

    Two limits, 0 is none. ``first_byte_s`` holds until the answer has begun, ``chunk_gap_s`` from then on.
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
        """Whether somebody listens, and has heard nothing since."""
        return self._started_s is not None

    def start(self, now_s: float) -> None:
        """Note that somebody waits for the engine from now on."""
        self._started_s = now_s

    def pause(self, now_s: float) -> None:
        """Note that nobody waits any more; the silence goes on with the next ``start`` unless it is broken."""
        if self._started_s is not None:
            self._elapsed_s += now_s - self._started_s
            self._started_s = None

    def reset(self) -> None:
        """Note a sign of life that is no part of the answer: the engine has read some of the request."""
        self._elapsed_s = 0.0
        self._started_s = None

    def record_head(self, *, is_event_stream: bool) -> None:
        """Note the head of the answer. That of a stream says nothing yet, and nor do its comments."""
        if is_event_stream:
            self._comment_filter = SseCommentFilter()
        else:
            self._has_begun = True
            self.reset()

    def record_part(self, part: bytes, now_s: float | None) -> None:
        """Note a part of the body, which is not empty.

        Whoever listened goes on listening from ``now_s``; None: they have to be told, and do not listen meanwhile.
        """
        comment_filter = self._comment_filter
        # The middle is how ``has_content`` begins: nearly every part ends here, and is spared the call.
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

    def is_expired(self, now_s: float) -> bool:
        """Whether the limit that holds now is reached."""
        left_s = self._left_s(now_s)
        return left_s is not None and left_s <= 0

    def next_check_s(self, now_s: float) -> float | None:
        """Return in how many seconds the limit can be reached at the earliest, whatever is heard; None: never.

        Before the answer has begun that is no later than its first gap could end: so nobody has to be told when it
        begins.
        """
        left_s = self._left_s(now_s)
        if self._has_begun or self._chunk_gap_s <= 0:
            return left_s
        return self._chunk_gap_s if left_s is None else min(left_s, self._chunk_gap_s)

    def error(self) -> StallError:
        """Return the error that a silence ends with which has lasted too long."""
        if self._has_begun:
            return StallError(StallPhase.BODY, self._chunk_gap_s)
        return StallError(StallPhase.FIRST_BYTE, self.first_byte_s)

    def _left_s(self, now_s: float) -> float | None:
        limit_s = self._chunk_gap_s if self._has_begun else self.first_byte_s
        if limit_s <= 0:
            return None
        waited_s = 0.0 if self._started_s is None else now_s - self._started_s
        return limit_s - self._elapsed_s - waited_s


class SseCommentFilter:
    """Tells the parts of an event stream that say something from those that hold only comments and empty lines.

    llama-server's HTTP threads send ``:`` and an empty line every ``sse_ping_interval`` seconds (30; a request's body
    may set it) for as long as a stream has nothing to say, before the first token too, and the head of a stream
    leaves when a slot takes the prompt up. They do it whatever the computation does: with its thread stopped by
    ptrace in mid-stream the pings went on and ``/health`` said 200 (seen with xllamacpp 2026.10.11549; pings came in
    with llama.cpp pull request 24013). So neither head nor ping says that a stream is alive. Follows lines over the
    borders of parts; keeps one byte.
    """

    __slots__ = ("line_start",)

    def __init__(self) -> None:
        self.line_start = b""
        """The first byte of the line that the next part continues; empty where a new line begins."""

    def has_content(self, part: bytes) -> bool:
        """Whether ``part``, which is not empty, holds anything but comments and empty lines."""
        if not self.line_start and part[-1] == _LINE_FEED and part[0] not in _COMMENT_STARTS:
            return True  # nearly every part: whole lines, of which the first begins with "data" or "event"
        text = self.line_start + part
        begin = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        self.line_start = text[begin : begin + 1]
        return any(line[:1] not in {b"", b":"} for line in text.splitlines())
