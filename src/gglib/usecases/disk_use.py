"""How much of the disk the catalogue's models take, and how much of that gglib may free. Knows the core only."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.core.models import ModelSummary
from gglib.usecases.own_files import OwnFiles
from gglib.usecases.pull_journal import BLOCK_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """Bytes on the disk; a file that several models use, or that has several names, counts once."""

    models: int
    total_bytes: int
    own_bytes: int
    """Of files that gglib downloaded."""


def disk_use(models: Sequence[ModelSummary], own: OwnFiles) -> DiskUse:
    """Return what the models take. Looks at files and reads none of them."""
    notes = own.all()
    sizes: dict[tuple[int, int], tuple[int, bool]] = {}
    for model in models:
        written = own.written_of(model, notes)
        for path in model.all_files:
            status = _status(path)
            if status is not None:
                note = notes.get(path)
                is_own = path in written and (note is None or note.size_bytes == status.st_size)
                key = (status.st_dev, status.st_ino)
                was_own = sizes.get(key, (0, False))[1]
                sizes[key] = min(status.st_size, status.st_blocks * BLOCK_BYTES), is_own or was_own
    return DiskUse(
        models=len(models),
        total_bytes=sum(size for size, _ in sizes.values()),
        own_bytes=sum(size for size, is_own in sizes.values() if is_own),
    )


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):
        return None
