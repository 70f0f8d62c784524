"""The SHA-256 of whatever can be read, with word of how far it is. It opens nothing."""

import hashlib
from collections.abc import Callable
from typing import Protocol

BLOCK_BYTES = 4 * 1024 * 1024
"""Some two milliseconds of work: often enough to be told, and to be ended."""


class Stream(Protocol):
    """What bytes come from."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Put bytes into ``buffer`` and return how many; 0 at the end."""


def hash_stream(stream: Stream, tell: Callable[[int], None]) -> str:
    """Return the hash in hex digits; ``tell`` hears after each block how many bytes were read, and may raise."""
    digest, buffer, done_bytes = hashlib.sha256(), memoryview(bytearray(BLOCK_BYTES)), 0
    while count := stream.readinto(buffer):
        digest.update(buffer[:count])
        done_bytes += count
        tell(done_bytes)
    return digest.hexdigest()
