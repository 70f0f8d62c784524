"""Marks of a model's files: metadata that shows whether a file was changed, without reading it."""

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gglib.core.errors import ModelFileNotFoundError
from gglib.core.models import FileMark, ModelLaunchSpec


def read_mark(path: Path) -> FileMark | None:
    """Return the mark of a regular file, following links; None if missing, not accessible or not a regular file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return FileMark(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


def with_marks(spec: ModelLaunchSpec) -> ModelLaunchSpec:
    """Return the spec with the current marks of its files. Raises ``ModelFileNotFoundError`` naming a missing file."""
    marks: list[FileMark] = []
    for path in spec.files:
        mark = read_mark(path)
        if mark is None:
            name = None if path == spec.path else path.name
            raise ModelFileNotFoundError(spec.model_name, name, is_own=spec.hold_path is not None)
        marks.append(mark)
    return replace(spec, marks=tuple(marks))


def is_overwritten(spec: ModelLaunchSpec) -> bool:
    """Whether a file was written to since the launch. A replaced file does not count: the mapped file is intact."""
    return any(
        later is not None and mark.is_same_file(later) and not mark.is_same_content(later)
        for mark, later in _pairs(spec)
    )


def has_changed(spec: ModelLaunchSpec) -> bool:
    """Whether a file was deleted, written to or replaced since the launch."""
    return any(later is None or not mark.is_same_content(later) for mark, later in _pairs(spec))


def _pairs(spec: ModelLaunchSpec) -> Iterator[tuple[FileMark, FileMark | None]]:
    """Yield each file's mark at the launch and now; nothing if the spec has no marks."""
    return zip(spec.marks, map(read_mark, spec.files), strict=False)
