"""The body of one request, while it comes. It knows no socket: the connection feeds it."""

import asyncio

from gglib.proxy.http1.errors import BodyTooLargeError

_PARTS_IN_A_BLOCK = 512
"""A body that comes in very small parts must not cost fifty bytes of memory for each of its own."""


class IncomingBody:
    """Collects what has come, up to a limit, also while nobody reads it. A fault ends it, and lets go of what came."""

    __slots__ = ("_blocks", "_fault", "_limit_bytes", "_parts", "_size_bytes", "_waiter", "is_complete")

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._blocks: list[bytes] = []
        self._parts: list[bytes] = []
        self._size_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._fault: Exception | None = None
        self.is_complete = False

    @property
    def has_begun(self) -> bool:
        """Whether any of it has come."""
        return self._size_bytes > 0 or self.is_complete

    def feed(self, part: bytes) -> None:
        """Add a part."""
        self._size_bytes += len(part)
        if self._size_bytes > self._limit_bytes:
            self.fail(BodyTooLargeError(self._limit_bytes))
        if self._fault is not None:
            return
        self._parts.append(part)
        if len(self._parts) >= _PARTS_IN_A_BLOCK:
            self._blocks.append(b"".join(self._parts))
            self._parts.clear()

    def lower_limit(self, limit_bytes: int) -> None:
        """Take no more than this of it from now on; a limit that is lower already stays."""
        self._limit_bytes = min(self._limit_bytes, limit_bytes)
        if self._size_bytes > self._limit_bytes:
            self.is_complete = False
            self.fail(BodyTooLargeError(self._limit_bytes))

    def finish(self) -> None:
        """Note that it is complete, unless it has failed."""
        if self._fault is None:
            self.is_complete = True
            self._wake()

    def fail(self, fault: Exception) -> None:
        """Note that the rest will not come; whoever reads it is told why."""
        if self._fault is None and not self.is_complete:
            self._fault = fault
            self._blocks, self._parts = [], []
            self._wake()

    async def read(self) -> bytes:
        """Return all of it. Raises what it failed with; ``BodyTooLargeError`` as soon as it is."""
        while not self.is_complete:
            if self._fault is not None:
                raise self._fault
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._whole()

    def _whole(self) -> bytes:
        parts = self._blocks + self._parts
        self._blocks, self._parts = [], []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
