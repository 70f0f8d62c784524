"""The files of a model as the file system shows them, without reading them."""

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gglib.core.errors import ModelFileNotFoundError
from gglib.core.models import FileMark, ModelLaunchSpec


def read_mark(path: Path) -> FileMark | None:
    """Return the state of a regular file, links followed; None for what is missing, hidden or no regular file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return FileMark(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


def with_marks(spec: ModelLaunchSpec) -> ModelLaunchSpec:
    """Return the spec with the state of its files now. Raises ``ModelFileNotFoundError`` that names a missing one."""
    marks: list[FileMark] = []
    for path in spec.files:
        mark = read_mark(path)
        if mark is None:
            name = None if path == spec.path else path.name
            raise ModelFileNotFoundError(spec.model_name, name, is_own=spec.hold_path is not None)
        marks.append(mark)
    return replace(spec, marks=tuple(marks))


def is_overwritten(spec: ModelLaunchSpec) -> bool:
    """Whether a file of a launch was written to since then; one that another file replaced is still whole in memory."""
    return any(
        later is not None and mark.is_same_file(later) and not mark.is_same_content(later)
        for mark, later in _pairs(spec)
    )


def has_changed(spec: ModelLaunchSpec) -> bool:
    """Whether a file of a launch is gone, was written to, or is another one of its name since then."""
    return any(later is None or not mark.is_same_content(later) for mark, later in _pairs(spec))


def _pairs(spec: ModelLaunchSpec) -> Iterator[tuple[FileMark, FileMark | None]]:
    """Yield the state of each file at the launch and now; nothing where the former is not known."""
    return zip(spec.marks, map(read_mark, spec.files), strict=False)
