"""What the system says about files, as errors that a user understands."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.core.errors import DiskFullError, StorageError
from gglib.system.files.sizes import SPARE_BYTES, size_words

_FULL = {errno.ENOSPC, errno.EDQUOT}
_WHY = {
    errno.EROFS: "it is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.ENOENT: "it is not there",
    errno.ENAMETOOLONG: "the name is too long for it",
    errno.EFBIG: "it does not take a file as large as this",
}


@contextmanager
def storing(target: Path, *, name: str | None = None, missing_bytes: int | None = None) -> Iterator[None]:
    """Turn what goes wrong with the files of ``target`` inside the block into a ``HubError``.

    ``name`` is what the file is called where it comes from, for its user; None: as here.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(target, missing_bytes, name) from error
        why = _WHY.get(error.errno or 0) or error.strerror or str(error)
        raise StorageError(f"{name or target.name} cannot be stored in {target.parent}: {why}.") from error


def check_space(
    target: Path, missing_bytes: int, *, name: str | None = None, spare_bytes: int = SPARE_BYTES
) -> None:
    """Raise ``DiskFullError`` where ``missing_bytes`` more and something to spare do not fit; ``name`` as above."""
    with storing(target, name=name):
        free = shutil.disk_usage(target.parent).free
    if missing_bytes + spare_bytes > free:
        raise _too_little(target, missing_bytes + spare_bytes, free, name)


def _full(target: Path, missing_bytes: int | None, name: str | None) -> DiskFullError:
    free = 0
    with storing(target):
        free = shutil.disk_usage(target.parent).free
    if missing_bytes is None:
        return DiskFullError(
            f"The disk of {target.parent} is full ({size_words(free)} free): free some and run the same command again, "
            "which goes on where this one ended."
        )
    return _too_little(target, missing_bytes, free, name)


def _too_little(target: Path, needed_bytes: int, free_bytes: int, name: str | None) -> DiskFullError:
    return DiskFullError(
        f"{name or target.name} needs {size_words(needed_bytes)} more in {target.parent}, and "
        f"{size_words(free_bytes)} are free: free some and run the same command again, which keeps what is here."
    )
