"""Which files the models of a catalogue use, whatever path leads to them. Looks at directories, reads no file: blocks.

A use is a use of a directory's entry: links are followed, and one directory is the same through a link or a bind mount.
Another entry of the same file (a hard link) is no use of this one: deleting one leaves the other as it is.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from gglib.core.models import ModelSummary

Entry = tuple[int, int, str]
"""Device and inode of a directory, and a name in it."""


def entry_of(path: Path) -> Entry | None:
    """Return the entry that a path leads to, links followed; None where its directory cannot be seen."""
    try:
        real = os.path.realpath(path)
        status = os.stat(os.path.dirname(real))  # noqa: PTH116, PTH120 - a list of 500 models is looked through
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, os.path.basename(real)  # noqa: PTH119


class FileUses:
    """The files that models use, each with a model that does."""

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
        """Return the name of a model that uses a file; None where no model does."""
        name = self._by_path.get(path)
        if name is None and self._by_entry:
            entry = entry_of(path)
            name = None if entry is None else self._by_entry.get(entry)
        return name
