"""The files of a model as the file system shows them, without reading them."""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gglib.core.errors import ModelFileNotFoundError
from gglib.core.models import FileMark, ModelLaunchSpec


def is_there(path: Path) -> bool:
    """Whether a model's file can be had; a folder that may not be read is as good as none."""
    return read_mark(path) is not None


def read_mark(path: Path) -> FileMark | None:
    """Return the state of a regular file, links followed; None for what is missing, hidden or no regular file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return FileMark(status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


def with_marks(spec: ModelLaunchSpec) -> ModelLaunchSpec:
    """Return the spec with the state of its files now. Raises ``ModelFileNotFoundError`` that names a missing one."""
    marks: list[FileMark] = []
    for path in spec.files:
        mark = read_mark(path)
        if mark is None:
            raise ModelFileNotFoundError(spec.model_name, None if path == spec.path else path.name)
        marks.append(mark)
    return replace(spec, marks=tuple(marks))


def is_overwritten(spec: ModelLaunchSpec) -> bool:
    """Whether a file of a launch was written to since then; a file that another one replaced is still whole in memory."""
    return any(
        later is not None and mark.is_overwritten_by(later)
        for mark, later in zip(spec.marks, map(read_mark, spec.files), strict=False)
    )


def has_changed(spec: ModelLaunchSpec) -> bool:
    """Whether a file of a launch is another one now, or was written to."""
    return _marks(spec.files[: len(spec.marks)]) != spec.marks


def _marks(paths: Sequence[Path]) -> tuple[FileMark | None, ...]:
    return tuple(map(read_mark, paths))
