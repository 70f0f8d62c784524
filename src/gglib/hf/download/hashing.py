"""Hashes a file during its download: a thread follows the contiguous bytes from the beginning.

The hash is therefore ready soon after the last byte. Bytes just written are hashed from memory; all others (of an
earlier download, and of other connections) are read from disk. Neither holds the interpreter's lock.
"""

import errno
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self

from gglib.hf.cancellation import CancelToken, OperationCancelledError
from gglib.hf.download.part_file import PartFile
from gglib.system.files.hashing import hash_stream
from gglib.system.files.small_files import open_regular

CHUNK_BYTES = 256 * 1024
"""Stays in the processor's cache between being read and being hashed."""
QUEUE_BLOCKS = 3
"""Further blocks would have left the processor's cache."""


class IncrementalHasher:
    """The running hash of a part file, from the beginning.

    ``_frontier`` is the end of the bytes that are hashed or claimed; only the thread moves it beyond the queued bytes.
    """

    def __init__(self, part: PartFile, cancel_token: CancelToken) -> None:
        self._part = part
        self._cancel_token = cancel_token
        self._hash = hashlib.sha256()
        self._changed = threading.Condition()
        self._queue: deque[tuple[memoryview, int]] = deque()
        self._spare: list[memoryview] = []
        self._frontier = 0
        self._size: int | None = None
        self._is_closed = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="gglib-hash", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def update(self, buffer: memoryview, length: int, offset: int) -> memoryview:
        """Hash bytes that were written at ``offset``; return a buffer of the same length to continue with.

        The next bytes in order are hashed from memory; a caller that is far ahead waits, since an unbounded queue would
        hold the whole file in memory. All other bytes are read from disk when it is their turn.
        """
        with self._changed:
            self._changed.notify_all()
            # Meanwhile the thread may claim these very bytes from disk: they are stored already.
            self._changed.wait_for(lambda: not self._is_next(offset) or len(self._queue) < QUEUE_BLOCKS)
            if not self._is_next(offset):
                return buffer
            self._queue.append((buffer, length))
            self._frontier += length
            self._changed.notify_all()
            return self._spare.pop() if self._spare else memoryview(bytearray(len(buffer)))

    def finish(self, size_bytes: int) -> str:
        """Return the hash of the complete file of ``size_bytes``."""
        with self._changed:
            self._size = size_bytes
            self._changed.notify_all()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._hash.hexdigest()

    def _run(self) -> None:
        try:
            self._hash_all()
        except Exception as error:  # noqa: BLE001 - raised by finish
            self._error = error
        finally:
            with self._changed:
                self._is_closed = True
                self._changed.notify_all()

    def _hash_all(self) -> None:
        chunk, at = memoryview(bytearray(CHUNK_BYTES)), 0
        while at != self._size:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self._is_closed:
                    raise OperationCancelledError
                queued = self._queue.popleft() if self._queue else None
                if queued is None:
                    claimed = min(self._part.received.prefix_bytes - at, CHUNK_BYTES)
                    self._frontier = at + claimed
                self._changed.notify_all()
            self._cancel_token.raise_if_cancelled()
            if queued is None:
                at += self._hash_stored(chunk[:claimed], at)
            else:
                self._hash.update(queued[0][: queued[1]])
                self._spare.append(queued[0])
                at += queued[1]

    def _is_next(self, offset: int) -> bool:
        return offset == self._frontier and not self._is_closed

    def _has_work(self) -> bool:
        is_asked = self._size is not None or self._is_closed
        return is_asked or bool(self._queue) or self._part.received.prefix_bytes > self._frontier

    def _hash_stored(self, chunk: memoryview, at: int) -> int:
        done = 0
        while done < len(chunk):
            got = self._part.read_into(chunk[done:], at + done)
            if got == 0:
                raise OSError(errno.EIO, "the file became shorter while it was read")
            self._hash.update(chunk[done : done + got])
            done += got
        return done


def hash_file(path: Path, cancel_token: CancelToken, on_progress: Callable[[int], None]) -> str:
    """Return the hash of a file; calls ``on_progress`` with the bytes read so far. Raises ``OSError``."""

    def report(done_bytes: int) -> None:
        cancel_token.raise_if_cancelled()
        on_progress(done_bytes)

    with os.fdopen(open_regular(path, follows_links=True), "rb", buffering=0) as file:
        return hash_stream(file, report)
