"""The SHA-256 of a file, with word of how far it is."""

import hashlib
from collections.abc import Callable
from pathlib import Path

BLOCK_BYTES = 4 * 1024 * 1024
"""Some two milliseconds of work: often enough to be told, and to be ended."""


def hash_file(path: Path, tell: Callable[[int], None]) -> str:
    """Return the hash in hex digits; ``tell`` hears how many bytes were read, and may raise. Raises OSError."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(BLOCK_BYTES))
    done_bytes = 0
    tell(0)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            done_bytes += count
            tell(done_bytes)
    return digest.hexdigest()
