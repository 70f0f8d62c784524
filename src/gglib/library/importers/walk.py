"""A walk through a folder, for the GGUF files in it: bounded, and never twice through the same directory."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from gglib.library.importers.candidates import Candidate, unreadable

MAX_DEPTH = 16
MAX_ENTRIES = 200_000
"""Some seconds on a slow disk; more is no folder of models."""
SUFFIX = ".gguf"


@dataclass(slots=True)
class Walk:
    """What a walk found: GGUF files by directory, and what it could not read."""

    directories: list[tuple[Path, list[Path]]] = field(default_factory=list)
    """Each with its files, sorted by name."""
    faults: list[Candidate] = field(default_factory=list)


def walk(root: Path, *, max_entries: int = MAX_ENTRIES) -> Walk:
    """Look through ``root``. Links are followed, hidden directories below it are left out."""
    found = Walk()
    seen: set[tuple[int, int]] = set()
    pending = [(root, 0)]
    entries_left = max_entries
    while pending:
        directory, depth = pending.pop()
        try:
            status = directory.stat()
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            found.faults.append(unreadable(directory, error))
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        entries_left -= len(entries)
        if entries_left < 0:
            found.faults.append(
                Candidate(
                    path=root, fault=f"it has more than {max_entries} entries: name a folder further in"
                )
            )
            break
        files, directories = _sorted_out(entries)
        if files:
            found.directories.append((directory, files))
        if depth < MAX_DEPTH:
            pending.extend((path, depth + 1) for path in reversed(directories))
    return found


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others of this machine, links resolved; None for one that is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _sorted_out(entries: list[os.DirEntry[str]]) -> tuple[list[Path], list[Path]]:
    files, directories = [], []
    for entry in entries:
        if _is_directory(entry):
            if not entry.name.startswith("."):
                directories.append(Path(entry.path))
        elif entry.name.lower().endswith(SUFFIX):
            files.append(Path(entry.path))
    return files, directories


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into a circle
        return False
