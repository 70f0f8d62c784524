"""Captures the bodies of one exchange while it runs, within limits. Without I/O."""

from gglib.core.history.recording import RecordingRule
from gglib.core.history.recording_gap import gap_mark
from gglib.core.history.records import RecordedBodies, RequestRecord

MAX_REQUEST_BYTES = 256 * 1024
MAX_DOCUMENT_BYTES = 256 * 1024
"""Of a response that is no stream."""
MAX_STREAM_BYTES = 2 * 1024 * 1024
"""Of a stream: an event of OpenAI's dialect has about 200 bytes for each token, which becomes a few when it is
assembled (``core.history.streams``). So this is about 10,000 tokens."""
MAX_LONG_STREAMS = 64
"""Streams in progress that may be longer than a document: 128 MiB in all."""
_END_BYTES = 64 * 1024
"""The part of these limits for the end of a response: usage and the reason of the end are there."""
_FORM = b"multipart/form-data"


class LongStreams:
    """Counts the captured streams that are longer than a document, to bound their memory together."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def try_add(self) -> bool:
        """Count one more, unless there are too many."""
        if self.count >= MAX_LONG_STREAMS:
            return False
        self.count += 1
        return True


class BodyCapture:
    """The bodies of one exchange. Its memory is bounded by the limits, and ``_END_BYTES`` more.

    ``finish`` has to be called once, at the end of the exchange.
    """

    __slots__ = (
        "_end",
        "_is_long",
        "_is_request_cut",
        "_limit_bytes",
        "_long_streams",
        "_missing_bytes",
        "_request",
        "_start",
        "is_stream",
    )

    def __init__(self, long_streams: LongStreams) -> None:
        self._long_streams = long_streams
        self._is_long = False
        self._limit_bytes = MAX_DOCUMENT_BYTES - _END_BYTES
        self._request = b""
        self._is_request_cut = False
        self._start, self._end = bytearray(), bytearray()
        self._missing_bytes = 0
        """Bytes between the kept start and end."""
        self.is_stream = False
        """Whether the response is a stream; set before its first part."""

    def set_request(self, body: bytes, content_type: bytes | None) -> None:
        """Keep the request body; of a form, which has a file, only its size."""
        if content_type is not None and content_type.lower().startswith(_FORM):
            body = b"[a form of %d bytes, not recorded]" % len(body)
        self._request = body[:MAX_REQUEST_BYTES]
        self._is_request_cut = len(body) > MAX_REQUEST_BYTES

    def add(self, part: bytes) -> None:
        """Keep a part of the response body. Takes 0.2 us for the parts of most streams."""
        start = self._start
        room = self._limit_bytes - len(start)
        if len(part) > room and self._may_grow():
            room = self._limit_bytes - len(start)
        if len(part) <= room:
            start += part
            return
        start += part[:room]
        end = self._end
        end += part[room:]
        if len(end) > 2 * _END_BYTES:
            excess = len(end) - _END_BYTES
            del end[:excess]
            self._missing_bytes += excess

    def _may_grow(self) -> bool:
        """Whether this is a stream that may be longer than a document from now on."""
        if self._is_long or self._end or not self.is_stream or not self._long_streams.try_add():
            return False
        self._is_long = True
        self._limit_bytes = MAX_STREAM_BYTES - _END_BYTES
        return True

    def finish(self) -> None:
        """Leave room for other long streams."""
        if self._is_long:
            self._long_streams.count -= 1

    def bodies(self) -> RecordedBodies:
        """Return the bodies so far."""
        end = bytes(self._end)
        missing_bytes = self._missing_bytes
        if len(end) > _END_BYTES:
            missing_bytes += len(end) - _END_BYTES
            end = end[-_END_BYTES:]
        gap = gap_mark(missing_bytes) if missing_bytes else b""
        return RecordedBodies(
            request=self._request,
            response=b"".join((self._start, gap, end)),
            is_request_cut=self._is_request_cut,
            is_response_cut=missing_bytes > 0,
            is_stream=self.is_stream,
        )


def add_bodies(record: RequestRecord, capture: BodyCapture, rule: RecordingRule) -> None:
    """Add the captured bodies to the record of a finished request, if the rule in force at its end says so.

    Finishes the capture.
    """
    capture.finish()
    if rule.records(record.key_name, record.model, record.requested_model):
        record.bodies = capture.bodies()
