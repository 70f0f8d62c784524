"""The SHA-256 of a file or stream, with progress reports."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gglib.system.files.small_files import open_regular

BLOCK_BYTES = 4 * 1024 * 1024
"""About two milliseconds of work: frequent enough for progress and cancellation."""


class Stream(Protocol):
    """A source of bytes."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read bytes into ``buffer`` and return how many; 0 at the end."""


def hash_stream(stream: Stream, on_progress: Callable[[int], None]) -> str:
    """Return the hash in hex digits; ``on_progress`` gets the bytes read after each block, and may raise."""
    digest, buffer, done_bytes = hashlib.sha256(), memoryview(bytearray(BLOCK_BYTES)), 0
    while count := stream.readinto(buffer):
        digest.update(buffer[:count])
        done_bytes += count
        on_progress(done_bytes)
    return digest.hexdigest()


def hash_file(path: Path, on_progress: Callable[[int], None] = lambda _: None) -> str:
    """Return the hash in hex digits; ``on_progress`` gets the bytes read so far, and may raise. Raises OSError.

    Only regular files are read: a FIFO has no end, and neither has a device.
    """
    on_progress(0)
    with os.fdopen(open_regular(path, follows_links=True), "rb", buffering=0) as file:
        return hash_stream(file, on_progress)
