"""The SHA-256 of a file, with word of how far it is."""

import os
from collections.abc import Callable
from pathlib import Path

from gglib.core.stream_hash import hash_stream
from gglib.system.files.small_files import open_regular


def hash_file(path: Path, tell: Callable[[int], None] = lambda _: None) -> str:
    """Return the hash in hex digits; ``tell`` is called with the bytes read so far, and may raise. Raises OSError.

    What is no regular file is not read: a FIFO has no end, and neither has a device.
    """
    tell(0)
    with os.fdopen(open_regular(path, follows_links=True), "rb", buffering=0) as file:
        return hash_stream(file, tell)
