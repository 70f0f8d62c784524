"""One connection of a download: it brings one piece of the file, in a thread of its own."""

import threading
import time
from collections.abc import Callable

from gglib.hf.cancellation import Stop
from gglib.hf.download.byte_ranges import Span
from gglib.hf.download.hashing import Follower
from gglib.hf.download.part_file import Part
from gglib.hf.transport.headers import Request
from gglib.hf.transport.responses import Body, LostError
from gglib.hf.transport.transport import Reply, Transport

BLOCK_BYTES = 1024 * 1024
"""Written at once, and noted: a kill costs no more than this, for each lane."""
FLUSH_S = 0.1
"""What came on a slow connection is written after this, also when it is no block yet."""
UNKNOWN_END = 2**63 - 1


class WrongSizeError(Exception):
    """The server's file is longer or shorter than it must be."""


class Lane:
    """Brings the bytes from ``at`` to ``end``; another lane may take over the rest by making ``end`` smaller."""

    def __init__(self, piece: Span, *, part: Part, follower: Follower, stop: Stop) -> None:
        self.at, self.end = piece
        self.came_bytes = 0
        self.failed: Exception | None = None
        self.stop = Stop(stop)
        self._part = part
        self._follower = follower
        self._thread: threading.Thread | None = None

    def start(
        self,
        transport: Transport,
        request: Request,
        accept: Callable[["Lane", Reply], Body],
        tell: Callable[["Lane"], None],
    ) -> None:
        """Begin. ``accept`` judges the head of the answer; ``tell`` is called when all is over."""

        def run() -> None:
            try:
                with transport.open(request, self.stop) as reply:
                    self._bring(reply, accept(self, reply))
            except Exception as error:  # noqa: BLE001 - it is the coordinator's to judge
                self.failed = error
            finally:
                self.stop.leave()
                tell(self)

        self._thread = threading.Thread(target=run, name="gglib-lane", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread's end."""
        if self._thread is not None:
            self._thread.join()

    def _bring(self, reply: Reply, body: Body) -> None:
        last = UNKNOWN_END if body.length_bytes is None else body.first_byte + body.length_bytes
        buffer, filled, is_over = memoryview(bytearray(BLOCK_BYTES)), 0, False
        try:
            began_s = time.monotonic()
            while not is_over and (wanted := min(BLOCK_BYTES, min(self.end, last) - self.at) - filled) > 0:
                got = reply.read_into(buffer[filled : filled + wanted])
                filled, is_over = filled + got, got == 0
                if filled == BLOCK_BYTES or time.monotonic() - began_s >= FLUSH_S:
                    filled, buffer = 0, self._store(buffer, filled)
                    began_s = time.monotonic()
        finally:
            buffer = self._store(buffer, filled)
        if reply.is_chunked:
            self._end_chunked(reply, buffer, is_over=is_over)
        elif self.at < self.end:
            raise LostError("the connection ended too early")

    def _store(self, buffer: memoryview, filled: int) -> memoryview:
        """Write what came, as far as it is still this lane's, and return a buffer for what comes next."""
        length = min(filled, self.end - self.at)
        if length <= 0:
            return buffer
        offset = self.at
        self._part.write(buffer[:length], offset)
        self.at += length
        self.came_bytes += length
        return self._follower.came(buffer, length, offset)

    def _end_chunked(self, reply: Reply, buffer: memoryview, *, is_over: bool) -> None:
        """Compare the framing's end with the one that was known, if one was; else it is the file's."""
        if self.end == UNKNOWN_END:
            self.end = self.at
        elif self.at < self.end or (not is_over and reply.read_into(buffer[:1])):
            raise WrongSizeError
