"""An engine's event stream on its way to the client: byte for byte, but for the engine's own error at its end.

The error is raised, so that it is sent in the client's dialect like every other. Which bytes it is is decided by
``error_events``.
"""

from typing import Protocol

from gglib.http.response_reader import ResponseHead
from gglib.proxy.dialects.error_events import ErrorEventDetector, is_content
from gglib.proxy.errors import EngineError
from gglib.proxy.response import Response


class _TryWrite(Protocol):
    def __call__(self, part: bytes, *, is_last: bool = False) -> bool: ...


class EventRelay:
    """A ``RelayTarget`` in front of a response. All but ``try_write`` raise the ``EngineError`` that they meet."""

    __slots__ = ("_detector", "_is_at_line_start", "_response", "try_write")

    def __init__(self, response: Response) -> None:
        self._response = response
        self._detector = ErrorEventDetector()
        self._is_at_line_start = True
        """Whether the next part begins a line, and nothing is held back."""
        self.try_write: _TryWrite = response.try_write_events
        """Sends a part at once where it cannot hold an error; else takes nothing, so that it comes to ``write``.

        The method of the response itself: each token of a stream would pay for a call in between.
        """

    async def begin(self, head: ResponseHead, part: bytes, *, is_last: bool) -> None:
        """Send the head, and what has come of the events; not even the head where the first event is an error."""
        part, error = self._split_at_error(part, is_last=is_last)
        if error is not None and not part.strip():
            raise error
        await self._response.start_with(
            head.status,
            head.relayed_header_lines,
            length=None,  # an error may have to be sent behind its events
            is_event_stream=True,
            part=part,
            is_last=is_last and error is None,
        )
        if error is not None:
            raise error

    async def drain(self) -> None:
        """Return when the client has read, or is gone."""
        await self._response.drain()

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Send a part, up to the error in it."""
        part, error = self._split_at_error(part, is_last=is_last)
        if part or (is_last and error is None):
            await self._response.write(part, is_last=is_last and error is None)
        if error is not None:
            raise error

    async def finish(self) -> None:
        """Send what was held back when a stream breaks off."""
        rest, error = self._detector.finish()
        if rest:
            await self._response.write(rest)
        if error is not None:
            raise error

    def _split_at_error(self, part: bytes, *, is_last: bool) -> tuple[bytes, EngineError | None]:
        """Return what of a part may be sent, and the error behind it."""
        if self._is_at_line_start and is_content(part):
            return part, None
        part, error = self._detector.feed(part)
        if error is None and is_last:
            rest, error = self._detector.finish()
            part += rest
        self._is_at_line_start = is_at_line_start = self._detector.is_at_line_start
        self.try_write = self._response.try_write_events if is_at_line_start else _decline_write
        return part, error


def _decline_write(part: bytes, *, is_last: bool = False) -> bool:
    del part, is_last
    return False
