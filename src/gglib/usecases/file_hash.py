"""The SHA-256 of a file, with word of how far it is."""

from collections.abc import Callable
from pathlib import Path

from gglib.core.stream_hash import hash_stream


def hash_file(path: Path, tell: Callable[[int], None] = lambda _: None) -> str:
    """Return the hash in hex digits; ``tell`` hears how many bytes were read, and may raise. Raises OSError."""
    tell(0)
    with path.open("rb", buffering=0) as file:
        return hash_stream(file, tell)
