"""One connection of a download: it fetches one byte range of the file in its own thread."""

import threading
import time
from collections.abc import Callable

from gglib.hf.cancellation import CancelToken
from gglib.hf.download.byte_ranges import ByteRange
from gglib.hf.download.hashing import IncrementalHasher
from gglib.hf.download.part_file import PartFile
from gglib.hf.transport.headers import Request
from gglib.hf.transport.responses import Body, TransientError
from gglib.hf.transport.transport import Response, Transport

BLOCK_BYTES = 1024 * 1024
"""Written and recorded together: a kill costs at most this much per connection."""
FLUSH_INTERVAL_S = 0.1
"""Bytes of a slow connection are written after this time even if the block is not full."""
UNKNOWN_END = 2**63 - 1


class WrongSizeError(Exception):
    """The file on the server is longer or shorter than expected."""


class Segment:
    """Fetches the bytes from ``position`` to ``end``; another segment may take over the rest by lowering ``end``."""

    def __init__(
        self, byte_range: ByteRange, *, part: PartFile, hasher: IncrementalHasher, cancel_token: CancelToken
    ) -> None:
        self.position, self.end = byte_range
        self.received_bytes = 0
        self.error: Exception | None = None
        self.cancel_token = CancelToken(cancel_token)
        self._part = part
        self._hasher = hasher
        self._thread: threading.Thread | None = None

    def start(
        self,
        transport: Transport,
        request: Request,
        accept: Callable[["Segment", Response], Body],
        on_end: Callable[["Segment"], None],
    ) -> None:
        """Start the thread. ``accept`` checks the head of the response; ``on_end`` is called at the end."""

        def run() -> None:
            try:
                with transport.open(request, self.cancel_token) as response:
                    self._receive(response, accept(self, response))
            except Exception as error:  # noqa: BLE001 - handled by Download
                self.error = error
            finally:
                self.cancel_token.detach()
                on_end(self)

        self._thread = threading.Thread(target=run, name="gglib-segment", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the thread."""
        if self._thread is not None:
            self._thread.join()

    def _receive(self, response: Response, body: Body) -> None:
        last = UNKNOWN_END if body.length_bytes is None else body.first_byte + body.length_bytes
        buffer, filled, is_over = memoryview(bytearray(BLOCK_BYTES)), 0, False
        try:
            began_s = time.monotonic()
            while (
                not is_over and (wanted := min(BLOCK_BYTES, min(self.end, last) - self.position) - filled) > 0
            ):
                got = response.read_into(buffer[filled : filled + wanted])
                filled, is_over = filled + got, got == 0
                if filled == BLOCK_BYTES or time.monotonic() - began_s >= FLUSH_INTERVAL_S:
                    filled, buffer = 0, self._store(buffer, filled)
                    began_s = time.monotonic()
        finally:
            buffer = self._store(buffer, filled)
        if response.is_chunked:
            self._check_chunked_end(response, buffer, is_over=is_over)
        elif self.position < self.end:
            raise TransientError("the connection was closed early")

    def _store(self, buffer: memoryview, filled: int) -> memoryview:
        """Write received bytes that still belong to this segment; return a buffer for the next ones."""
        length = min(filled, self.end - self.position)
        if length <= 0:
            return buffer
        offset = self.position
        self._part.write(buffer[:length], offset)
        self.position += length
        self.received_bytes += length
        return self._hasher.update(buffer, length, offset)

    def _check_chunked_end(self, response: Response, buffer: memoryview, *, is_over: bool) -> None:
        """Compare the end of the chunked body with the expected end; if that is unknown, it is the file's end."""
        if self.end == UNKNOWN_END:
            self.end = self.position
        elif self.position < self.end or (not is_over and response.read_into(buffer[:1])):
            raise WrongSizeError
