"""The state of a file, for the detection of changes."""

from pathlib import Path

FileState = tuple[int, int, int]
"""Modification time in nanoseconds, size in bytes and inode: an editor may keep the first two."""


def read_state(path: Path) -> FileState | None:
    """Return the state of a file, of a link's target; None if it is missing or not accessible."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
