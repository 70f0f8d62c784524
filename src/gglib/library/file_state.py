"""Whether a file can be had. A directory that may not be searched hides it, which is not the same as being gone."""

import stat
from enum import Enum
from pathlib import Path


class FileState(Enum):
    """What the system lets this user see of a file."""

    HERE = "here"
    GONE = "gone"
    """There is nothing, or no file, in its place."""
    HIDDEN = "hidden"
    """A directory on the way to it may not be searched, or cannot be read."""


def file_state(path: Path) -> FileState:
    """Look at a file, links followed. Raises nothing, where ``Path.is_file`` of Python 3.11 does."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return FileState.GONE
    except OSError:
        return FileState.HIDDEN
    return FileState.HERE if stat.S_ISREG(mode) else FileState.GONE


def is_here(path: Path) -> bool:
    """Whether a file can be seen."""
    return file_state(path) is FileState.HERE


def is_directory(path: Path) -> bool:
    """Whether a directory can be seen. Raises nothing."""
    try:
        return path.is_dir()
    except OSError:
        return False
