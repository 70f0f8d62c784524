"""A response whose body can be captured. Used only while bodies are recorded: others have no cost."""

from gglib.http.server.transport import ResponseTransport
from gglib.proxy.dialects.error_events import is_error_free
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.telemetry.body_capture import BodyCapture, LongStreams


class RecordedResponse(Response):
    """A response that keeps what the client receives, without HTTP framing and heartbeats, in ``capture``."""

    __slots__ = ("capture",)

    def __init__(
        self, transport: ResponseTransport, *, method: str, minor_version: int, request_id: str
    ) -> None:
        super().__init__(transport, method=method, minor_version=minor_version, request_id=request_id)
        self.capture: BodyCapture | None = None
        """None: nothing is captured."""

    def try_write_events(self, part: bytes, *, is_last: bool = False) -> bool:
        """Send engine events like ``Response``, without its inline fast path, which bypasses ``try_write``."""
        return is_error_free(part) and self.try_write(part, is_last=is_last)

    def try_write(self, part: bytes, *, is_last: bool = False) -> bool:
        """Send a part like ``Response``, and capture it if it was sent."""
        is_sent = super().try_write(part, is_last=is_last)
        if is_sent and not is_last:  # the last part goes through ``_send``
            self._capture(part)
        return is_sent

    def _send(self, head: bytes, part: bytes, *, is_last: bool) -> None:
        super()._send(head, part, is_last=is_last)
        self._capture(part)

    def _capture(self, part: bytes) -> None:
        capture = self.capture
        if capture is not None and part:
            capture.is_stream = self.is_stream
            capture.add(part)


def start_capture(request: ProxyRequest, response: Response, long_streams: LongStreams) -> None:
    """Capture the bodies of a request from now on."""
    if isinstance(response, RecordedResponse):
        request.capture = response.capture = BodyCapture(long_streams)
