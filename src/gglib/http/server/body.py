"""The body of one request while it is received. Without a socket: the connection feeds it."""

import asyncio
from io import BytesIO

from gglib.http.errors import BodyTooLargeError

PREALLOCATE_FROM_BYTES = 256 * 1024
PREALLOCATE_DIVISOR = 16
"""A body of known length is preallocated once this many bytes, and a sixteenth of the body, have been received."""


class RequestBody:
    """Buffers a body up to a limit, whether or not a task reads it. A fault ends the body and frees the buffer.

    Parts are written to one ``BytesIO``, whose ``getvalue`` makes no copy: joining parts of 20 MB at the end took 20 to
    40 ms for new memory pages alone (measured, glibc 2.36). ``BytesIO`` grows by an eighth at a time and each time
    copies the content or maps new pages, which is slower: 20 MB cost 5,000 page faults, 20 ms. So the buffer of a large
    body of known length is allocated at once, in memory that was used before if available. A client that announces a
    large body and sends little reserves at most ``PREALLOCATE_DIVISOR`` times the bytes it sent, and new memory has no
    pages until it is written to.
    """

    __slots__ = (
        "_fault",
        "_first",
        "_length_bytes",
        "_limit_bytes",
        "_parts",
        "_preallocate_at_bytes",
        "_waiter",
        "is_complete",
        "size_bytes",
    )

    def __init__(self, *, limit_bytes: int, length_bytes: int | None = None) -> None:
        """``length_bytes`` is the ``Content-Length``; None if unknown."""
        self._limit_bytes = limit_bytes
        self._length_bytes = length_bytes or 0
        self._preallocate_at_bytes = max(PREALLOCATE_FROM_BYTES, self._length_bytes // PREALLOCATE_DIVISOR)
        self._first = b""
        """The first part, until there is a second: a body of one part is returned without a copy."""
        self._parts: BytesIO | None = None
        self.size_bytes = 0
        """Bytes received."""
        self._waiter: asyncio.Future[None] | None = None
        self._fault: Exception | None = None
        self.is_complete = False

    @property
    def has_begun(self) -> bool:
        """Whether any of the body has been received."""
        return self.size_bytes > 0 or self.is_complete

    @property
    def has_failed(self) -> bool:
        """Whether the body has failed: no more is accepted."""
        return self._fault is not None

    def feed(self, part: bytes | memoryview) -> None:
        """Add a part. A memoryview is copied."""
        self.size_bytes += len(part)
        if self.size_bytes > self._limit_bytes:
            self.fail(BodyTooLargeError(self._limit_bytes))
        if self._fault is not None:
            return
        if self._parts is not None:
            self._parts.write(part)
            if self._preallocate_at_bytes <= self.size_bytes < self._length_bytes:
                self._preallocate()
        elif not self._first:
            self._first = bytes(part)
        else:
            self._parts = BytesIO()
            self._parts.write(self._first)
            self._parts.write(part)
            self._first = b""

    def _preallocate(self) -> None:
        """Move to a buffer for the whole body. ``BytesIO`` writes in place to bytes without other references."""
        received = BytesIO() if self._parts is None else self._parts
        self._parts = BytesIO(bytes(self._length_bytes))
        self._parts.write(received.getbuffer())
        self._preallocate_at_bytes = self._length_bytes

    def lower_limit(self, limit_bytes: int) -> None:
        """Lower the limit; a higher ``limit_bytes`` has no effect."""
        self._limit_bytes = min(self._limit_bytes, limit_bytes)
        if self.size_bytes > self._limit_bytes:
            self.is_complete = False
            self.fail(BodyTooLargeError(self._limit_bytes))

    def finish(self) -> None:
        """Mark the body as complete, unless it has failed."""
        if self._fault is None:
            self.is_complete = True
            self._wake()

    def fail(self, fault: Exception) -> None:
        """End the body with ``fault``, which ``read`` raises."""
        if self._fault is None and not self.is_complete:
            self._fault = fault
            self._free()
            self._wake()

    async def read(self) -> bytes:
        """Return the whole body. Raises the fault if it fails; ``BodyTooLargeError`` as soon as it is too large."""
        while not self.is_complete:
            if self._fault is not None:
                raise self._fault
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        whole = self._first if self._parts is None else self._parts.getvalue()
        self._free()
        return whole

    def _free(self) -> None:
        self._first, self._parts = b"", None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
