"""Finds which files the models of a catalogue use, through any path. Calls ``stat`` only, but blocks.

A model uses a directory entry: links are followed, and a directory is the same through a link or a bind mount. Another
entry of the same file (a hard link) is a different one: deleting one does not affect the other.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from gglib.core.models import ModelSummary

Entry = tuple[int, int, str]
"""Device and inode of a directory, and the name of an entry in it."""


def entry_of(path: Path) -> Entry | None:
    """Return the directory entry of a path, links followed; None if its directory is not visible."""
    try:
        real = os.path.realpath(path)
        status = os.stat(os.path.dirname(real))  # noqa: PTH116, PTH120 - fast enough for 500 models
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, os.path.basename(real)  # noqa: PTH119


class FileUses:
    """The files in use, each with the name of a model that uses it."""

    def __init__(self, models: Iterable[ModelSummary]) -> None:
        self._by_path: dict[Path, str] = {}
        self._by_entry: dict[Entry, str] = {}
        for model in models:
            for path in model.all_files:
                self._by_path.setdefault(path, model.name)
                entry = entry_of(path)
                if entry is not None:
                    self._by_entry.setdefault(entry, model.name)

    def user_of(self, path: Path) -> str | None:
        """Return the name of a model that uses a file, or None."""
        name = self._by_path.get(path)
        if name is None and self._by_entry:
            entry = entry_of(path)
            name = None if entry is None else self._by_entry.get(entry)
        return name
