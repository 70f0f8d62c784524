"""Walks a folder for GGUF files: bounded, and visits each directory once."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from gglib.library.importers.candidates import Candidate, unreadable

MAX_DEPTH = 16
MAX_ENTRIES = 200_000
"""A few seconds on a slow disk; a folder with more entries is not a model folder."""
SUFFIX = ".gguf"


@dataclass(slots=True)
class Walk:
    """The result of a walk: GGUF files by directory, and unreadable directories."""

    directories: list[tuple[Path, list[Path]]] = field(default_factory=list)
    """Directories with their files, sorted by name."""
    faults: list[Candidate] = field(default_factory=list)


def walk(root: Path, *, max_entries: int = MAX_ENTRIES) -> Walk:
    """Walk ``root``. Links are followed; hidden directories below it are skipped."""
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
                    path=root, fault=f"it has more than {max_entries} entries: name a directory below it"
                )
            )
            break
        files, directories = _split(entries)
        if files:
            found.directories.append((directory, files))
        if depth < MAX_DEPTH:
            pending.extend((path, depth + 1) for path in reversed(directories))
    return found


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, links followed; None if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _split(entries: list[os.DirEntry[str]]) -> tuple[list[Path], list[Path]]:
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
    except OSError:  # a link loop
        return False
