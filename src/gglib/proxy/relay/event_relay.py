"""Relays an engine's event stream to the client byte for byte, except a final error event of the engine.

The error event is raised as an exception, so that the client receives it in its own dialect. ``error_events`` detects
it.
"""

from typing import Protocol

from gglib.http.response_reader import ResponseHead
from gglib.proxy.dialects.error_events import ErrorEventDetector, ends_with_content_event
from gglib.proxy.errors import EngineError
from gglib.proxy.response import Response


class _TryWrite(Protocol):
    def __call__(self, part: bytes, *, is_last: bool = False) -> bool: ...


class EventRelay:
    """A ``RelayTarget`` in front of a response. ``begin``, ``write`` and ``finish`` raise ``EngineError``."""

    __slots__ = ("_detector", "_is_at_line_start", "_response", "try_write")

    def __init__(self, response: Response) -> None:
        self._response = response
        self._detector = ErrorEventDetector()
        self._is_at_line_start = True
        """Whether the next part begins a line and nothing is buffered."""
        self.try_write: _TryWrite = response.try_write_events
        """Sends a part if it cannot contain an error; else returns False, and the caller uses ``write``.

        This is the bound method of the response: a wrapper would cost one more call for each token.
        """

    async def begin(self, head: ResponseHead, part: bytes, *, is_last: bool) -> None:
        """Send the head and the first events. Raises before the head is sent if the first event is an error."""
        part, error = self._split_at_error(part, is_last=is_last)
        if error is not None and not part.strip():
            raise error
        await self._response.start_with(
            head.status,
            head.relayed_header_lines,
            length=None,  # an error event of the proxy may follow
            is_stream=True,
            part=part,
            is_last=is_last and error is None,
        )
        if error is not None:
            raise error

    async def drain(self) -> None:
        """Wait until the transport is not paused by a slow client, or the client has disconnected."""
        await self._response.drain()

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Send a part; if it has an error event, only the bytes before that."""
        part, error = self._split_at_error(part, is_last=is_last)
        if part or (is_last and error is None):
            await self._response.write(part, is_last=is_last and error is None)
        if error is not None:
            raise error

    async def finish(self) -> None:
        """Send the buffered bytes when the upstream connection breaks."""
        rest, error = self._detector.finish()
        if rest:
            await self._response.write(rest)
        if error is not None:
            raise error

    def _split_at_error(self, part: bytes, *, is_last: bool) -> tuple[bytes, EngineError | None]:
        """Return the bytes of a part that may be sent, and the error that follows them."""
        if self._is_at_line_start and ends_with_content_event(part):
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
