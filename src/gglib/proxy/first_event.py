"""Looks at the first event of a stream before the client gets it, and then steps aside."""

from gglib.proxy.answer import Answer
from gglib.proxy.lanes import Lane
from gglib.proxy.overflow import FirstEvent, error_of, first_event
from gglib.proxy.upstream_connection import UpstreamConnection

_ERROR_STATUS = 500
_JSON_LINE = b"content-type: application/json\r\n"


class CrowdedOutError(Exception):
    """The engine's cache was full because of other requests; nothing of the answer has been relayed but comments.

    ``body`` is the engine's error; ``status`` and ``lines`` are those that it has as a whole answer.
    """

    def __init__(self, body: bytes, *, status: int = _ERROR_STATUS, lines: bytes = _JSON_LINE) -> None:
        super().__init__(body)
        self.body = body
        self.status = status
        self.lines = lines


class FirstEventSink:
    """A sink that passes parts on to ``answer``, and is out of the way from the first event on.

    Raises ``CrowdedOutError`` where that says that the cache was full, and there were others in ``lane``.
    """

    __slots__ = ("_answer", "_entry", "_held", "_is_over", "_lane", "_upstream")

    def __init__(self, answer: Answer, upstream: UpstreamConnection, lane: Lane, entry: int) -> None:
        self._answer = answer
        self._upstream = upstream
        self._lane = lane
        self._entry = entry
        self._held = b""
        self._is_over = False

    def begin(self, part: bytes, *, is_last: bool) -> bytes:
        """Return what the client may have of the part that came with the head; what could be an error is kept."""
        return self._passed(part, is_last=is_last)

    def offer(self, part: bytes, *, is_last: bool = False) -> bool:
        """Take a part unless it could be an error, which is for ``write`` to look at."""
        if not self._is_over:
            found = first_event(part)
            if self._held or found is FirstEvent.OVERFLOW or found is FirstEvent.UNDECIDED:
                return False
            self._is_over = found is FirstEvent.OTHER
        if self._is_over:
            self._upstream.pour_on_into(self._answer)
        return self._answer.offer(part, is_last=is_last)

    async def room(self) -> None:
        """Return when there is room."""
        await self._answer.room()

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Take a part; what could be the begin of an error is kept until more of it has come."""
        passed = self._passed(part, is_last=is_last)
        if passed or is_last:
            await self._answer.write(passed, is_last=is_last)

    def _passed(self, part: bytes, *, is_last: bool) -> bytes:
        if self._is_over:
            return part
        part = self._held + part
        found = first_event(part)
        if found is FirstEvent.OVERFLOW and self._lane.had_company(self._entry):
            raise CrowdedOutError(error_of(part))
        if found is FirstEvent.UNDECIDED and not is_last:
            self._held = part
            return b""
        self._held = b""
        self._is_over = found is not FirstEvent.NONE_YET
        return part
