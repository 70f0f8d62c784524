"""Reads the small files in which Linux shows the state of the system (``/proc``, ``/sys``). Never raises."""

from pathlib import Path


def read_text(path: Path) -> str:
    """Return a virtual file's text; empty if it cannot be read, as of a process that has ended."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
