"""An engine's event stream on its way to the client: byte for byte, but for the engine's own error at its end.

The error is raised, so that it is told in the client's dialect like every other. Which bytes it is is decided by
``ErrorEventWatch``; this sees to it that nearly every part costs one search and no more.
"""

from gglib.proxy.answer import Answer
from gglib.proxy.error_events import MARK, ErrorEventWatch
from gglib.proxy.http1.response import ResponseHead

_LINE_FEED = ord("\n")


class EventRelay:
    """A ``Sink`` in front of an answer. All but ``offer`` raise the ``EngineError`` that they meet."""

    __slots__ = ("_answer", "_watch")

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._watch = ErrorEventWatch()

    async def begin(self, head: ResponseHead, part: bytes, *, is_last: bool) -> None:
        """Send the head, and what has come of the events; not even the head where the first event is an error."""
        error = None
        if not self._is_plain(part):
            part, error = self._watch.feed(part)
            if error is None and is_last:
                rest, error = self._watch.finish()
                part += rest
        if error is not None and not part.strip():
            raise error
        await self._answer.start_with(
            head.status,
            head.relayed_lines,
            length=None,  # an error may have to be told behind its events
            is_event_stream=True,
            part=part,
            is_last=is_last and error is None,
        )
        if error is not None:
            raise error

    def offer(self, part: bytes, *, is_last: bool = False) -> bool:
        """Send a part at once where it cannot hold an error; else take nothing, so that it comes to ``write``."""
        # As in _is_plain, without the call: this is run for every part of every stream.
        if MARK in part or (part and part[-1] != _LINE_FEED) or not self._watch.is_at_rest:
            return False
        return self._answer.offer(part, is_last=is_last)

    async def room(self) -> None:
        """Return when the client has read, or is gone."""
        await self._answer.room()

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Send a part, up to the error in it."""
        error = None
        if not self._is_plain(part):
            part, error = self._watch.feed(part)
            if error is None and is_last:
                rest, error = self._watch.finish()
                part += rest
        if part or (is_last and error is None):
            await self._answer.write(part, is_last=is_last and error is None)
        if error is not None:
            raise error

    async def finish(self) -> None:
        """Send what was held back when a stream breaks off."""
        rest, error = self._watch.finish()
        if rest:
            await self._answer.write(rest)
        if error is not None:
            raise error

    def _is_plain(self, part: bytes) -> bool:
        return MARK not in part and (not part or part[-1] == _LINE_FEED) and self._watch.is_at_rest
