"""Hashes a file while it comes: a thread follows the bytes that are here from the beginning.

So the end comes soon after the last byte. What was just written is hashed from memory, everything else (what an earlier
fetch brought, and other connections' pieces) from the disk. Both run without the interpreter's lock.
"""

import errno
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self

from gglib.hf.cancellation import Stop, StoppedError
from gglib.hf.download.part_file import Part
from gglib.system.files.hashing import hash_stream
from gglib.system.files.small_files import open_regular

CHUNK_BYTES = 256 * 1024
"""Stays in a processor's cache between being read and being hashed."""
QUEUE_BLOCKS = 3
"""Further ones would have left the processor's cache."""


class Follower:
    """The hash of a part, from the beginning to as far as it goes.

    ``_frontier`` is how far bytes are hashed or claimed for it; the thread alone moves beyond what is queued.
    """

    def __init__(self, part: Part, stop: Stop) -> None:
        self._part = part
        self._stop = stop
        self._hash = hashlib.sha256()
        self._turn = threading.Condition()
        self._queue: deque[tuple[memoryview, int]] = deque()
        self._spare: list[memoryview] = []
        self._frontier = 0
        self._size: int | None = None
        self._is_over = False
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="gglib-hash", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._turn:
            self._is_over = True
            self._turn.notify_all()
        self._thread.join()

    def came(self, buffer: memoryview, length: int, offset: int) -> memoryview:
        """Be told of bytes that were written at ``offset``, and return a buffer of the same length to go on with.

        The next bytes in turn are hashed from memory, for which the caller waits if it is far ahead: a queue without
        an end would be the whole file in memory. All others are read from the disk when it is their turn.
        """
        with self._turn:
            self._turn.notify_all()
            # While it waits, the thread may run dry and claim these very bytes: they are stored already.
            self._turn.wait_for(lambda: not self._is_next(offset) or len(self._queue) < QUEUE_BLOCKS)
            if not self._is_next(offset):
                return buffer
            self._queue.append((buffer, length))
            self._frontier += length
            self._turn.notify_all()
            return self._spare.pop() if self._spare else memoryview(bytearray(len(buffer)))

    def finish(self, size_bytes: int) -> str:
        """Return the hash of the file, which is all here now and has ``size_bytes``."""
        with self._turn:
            self._size = size_bytes
            self._turn.notify_all()
        self._thread.join()
        if self._failed is not None:
            raise self._failed
        return self._hash.hexdigest()

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001 - told to who asks for the hash
            self._failed = error
        finally:
            with self._turn:
                self._is_over = True
                self._turn.notify_all()

    def _follow(self) -> None:
        chunk, at = memoryview(bytearray(CHUNK_BYTES)), 0
        while at != self._size:
            with self._turn:
                self._turn.wait_for(self._has_work)
                if self._is_over:
                    raise StoppedError
                queued = self._queue.popleft() if self._queue else None
                if queued is None:
                    claimed = min(self._part.here.prefix_bytes - at, CHUNK_BYTES)
                    self._frontier = at + claimed
                self._turn.notify_all()
            self._stop.check()
            if queued is None:
                at += self._hash_stored(chunk[:claimed], at)
            else:
                self._hash.update(queued[0][: queued[1]])
                self._spare.append(queued[0])
                at += queued[1]

    def _is_next(self, offset: int) -> bool:
        return offset == self._frontier and not self._is_over

    def _has_work(self) -> bool:
        is_asked = self._size is not None or self._is_over
        return is_asked or bool(self._queue) or self._part.here.prefix_bytes > self._frontier

    def _hash_stored(self, chunk: memoryview, at: int) -> int:
        done = 0
        while done < len(chunk):
            got = self._part.read_into(chunk[done:], at + done)
            if got == 0:
                raise OSError(errno.EIO, "the file became shorter while it was read")
            self._hash.update(chunk[done : done + got])
            done += got
        return done


def hash_file(path: Path, stop: Stop, tell: Callable[[int], None]) -> str:
    """Return the hash of a file, telling now and then how many bytes were read. Raises ``OSError``."""

    def tell_or_stop(done_bytes: int) -> None:
        stop.check()
        tell(done_bytes)

    with os.fdopen(open_regular(path, follows_links=True), "rb", buffering=0) as file:
        return hash_stream(file, tell_or_stop)
