"""Maps errors of the file system to errors for the user."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.core.errors import DiskFullError, StorageError
from gglib.core.sizes import SPARE_BYTES, format_size

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REASONS = {
    errno.EROFS: "it is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.ENOENT: "it does not exist",
    errno.ENAMETOOLONG: "the name is too long for it",
    errno.EFBIG: "the file is too large for the file system",
}


@contextmanager
def map_storage_errors(
    target: Path, *, name: str | None = None, missing_bytes: int | None = None
) -> Iterator[None]:
    """Turn ``OSError`` for the files of ``target`` into a ``HubError``.

    ``name`` is the remote name of the file, for messages; None: the local name.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(target, missing_bytes, name) from error
        why = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        raise StorageError(f"{name or target.name} cannot be stored in {target.parent}: {why}.") from error


def check_space(
    target: Path, missing_bytes: int, *, name: str | None = None, spare_bytes: int = SPARE_BYTES
) -> None:
    """Raise ``DiskFullError`` unless ``missing_bytes`` plus ``spare_bytes`` are free; ``name`` as above."""
    with map_storage_errors(target, name=name):
        free = shutil.disk_usage(target.parent).free
    if missing_bytes + spare_bytes > free:
        raise _not_enough_space(target, missing_bytes + spare_bytes, free, name)


def _full(target: Path, missing_bytes: int | None, name: str | None) -> DiskFullError:
    free = 0
    with map_storage_errors(target):
        free = shutil.disk_usage(target.parent).free
    if missing_bytes is None:
        return DiskFullError(
            f"The disk of {target.parent} is full ({format_size(free)} free): free some and run the same command "
            "again, which resumes the download."
        )
    return _not_enough_space(target, missing_bytes, free, name)


def _not_enough_space(target: Path, needed_bytes: int, free_bytes: int, name: str | None) -> DiskFullError:
    return DiskFullError(
        f"{name or target.name} needs {format_size(needed_bytes)} more in {target.parent}, and "
        f"{format_size(free_bytes)} are free: free some and run the same command again, "
        "which resumes the download."
    )
