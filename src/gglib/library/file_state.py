"""Whether a file is present, gone, or hidden by a directory that this user may not search."""

import stat
from enum import Enum
from pathlib import Path


class FileState(Enum):
    """The state of a file as this user sees it."""

    HERE = "here"
    GONE = "gone"
    """The path does not exist or is no regular file."""
    HIDDEN = "hidden"
    """A parent directory may not be searched or cannot be read."""


def file_state(path: Path) -> FileState:
    """Return the state of a file, links followed. Never raises, unlike ``Path.is_file`` of Python 3.11."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return FileState.GONE
    except OSError:
        return FileState.HIDDEN
    return FileState.HERE if stat.S_ISREG(mode) else FileState.GONE


def is_here(path: Path) -> bool:
    """Whether a file is present and visible."""
    return file_state(path) is FileState.HERE


def is_directory(path: Path) -> bool:
    """Whether a directory is present and visible. Never raises."""
    try:
        return path.is_dir()
    except OSError:
        return False
