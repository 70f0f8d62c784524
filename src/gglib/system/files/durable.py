"""Makes files durable: they survive a power cut."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Make a file's content, or the names in a directory, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
