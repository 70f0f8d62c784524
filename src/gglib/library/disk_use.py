"""Disk usage of the catalogue's models, and the share that gglib may free."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.core.models import ModelSummary
from gglib.core.versions import Version
from gglib.library.versions.ownership import may_be_own
from gglib.library.versions.storing import BLOCK_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """Bytes on the disk; a file with several models or hard links counts once."""

    models: int
    total_bytes: int
    own_bytes: int
    """Bytes of files that gglib downloaded."""
    shared_bytes: int = 0
    """Bytes saved because models share files."""


def disk_use(models: Sequence[ModelSummary], versions: Sequence[Version]) -> DiskUse:
    """Return the disk usage of the models. Calls ``stat`` only."""
    own = {file.path: file.identity for version in versions for file in version.files}
    sizes: dict[tuple[int, int], tuple[int, bool]] = {}
    all_bytes = 0
    for model in models:
        for path in model.all_files:
            status = _status(path)
            if status is not None:
                key = (status.st_dev, status.st_ino)
                size = min(status.st_size, status.st_blocks * BLOCK_BYTES)
                all_bytes += size
                was_own = sizes.get(key, (0, False))[1]
                identity = own.get(path)
                sizes[key] = size, was_own or (identity is not None and may_be_own(identity, status))
    total_bytes = sum(size for size, _ in sizes.values())
    return DiskUse(
        models=len(models),
        total_bytes=total_bytes,
        own_bytes=sum(size for size, is_own in sizes.values() if is_own),
        shared_bytes=all_bytes - total_bytes,
    )


def sharers_of(path: Path, models: Sequence[ModelSummary]) -> list[str]:
    """Return the names of the models that share the file at ``path``, through a symbolic or hard link."""
    wanted = _status(path)
    if wanted is None:
        return []
    return [
        model.name
        for model in models
        if any(
            (status := _status(file)) is not None and os.path.samestat(status, wanted)
            for file in model.all_files
        )
    ]


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):
        return None
