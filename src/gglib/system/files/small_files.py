"""Reads small files at startup: notes, records, settings. Only regular files, bounded, and never blocking.

Anything may be in the place of such a file: ``open`` blocks forever on a FIFO without a writer, ``/dev/zero`` behind a
link has no end, directories and damaged files raise various errors. Here each of these is an ``OSError`` or a
``ValueError`` with a phrase.
"""

import errno
import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

from gglib.core.plain_text import escape_line
from gglib.core.sizes import format_size

MAX_SMALL_BYTES = 1024 * 1024
"""A note of a pull with 1,000 shards has 300 KB."""

_log = logging.getLogger("gglib")
_warned: set[tuple[Path, str]] = set()


def read_small(path: Path, *, max_bytes: int = MAX_SMALL_BYTES, follows_links: bool = False) -> bytes:
    """Return the content of a regular file of at most ``max_bytes``. Raises OSError, whose ``strerror`` is a phrase."""
    descriptor = open_regular(path, follows_links=follows_links)
    try:
        return read_open(descriptor, max_bytes=max_bytes)
    finally:
        os.close(descriptor)


def open_regular(
    path: Path, *, flags: int = os.O_RDONLY, mode: int = 0o600, follows_links: bool = False
) -> int:
    """Return a descriptor of a regular file without blocking; ``mode`` is for a new file. Raises OSError."""
    links = 0 if follows_links else os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | links | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except ValueError:  # a NUL in the name
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from None
    except OSError as error:
        if error.errno == errno.ELOOP and not follows_links:
            raise OSError(errno.ELOOP, "it is a link", str(path)) from None
        if error.errno == errno.ENXIO:  # a FIFO without a reader, a socket
            raise OSError(errno.ENXIO, "it is not a regular file", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return descriptor


def read_open(descriptor: int, *, max_bytes: int = MAX_SMALL_BYTES) -> bytes:
    """Return all of an open regular file. Raises OSError if it is larger than ``max_bytes``."""
    content = bytearray()
    while piece := os.pread(descriptor, max_bytes + 1 - len(content), len(content)):
        content += piece
        if len(content) > max_bytes:
            raise OSError(errno.EFBIG, f"it is larger than {format_size(max_bytes)}")
    return bytes(content)


def parse_json(content: bytes) -> Any:  # noqa: ANN401 - JSON
    """Parse JSON. Raises ValueError for every defect, including deep nesting and invalid UTF-8."""
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from None


def warn_skipped_once(path: Path, error: Exception) -> None:
    """Log that a file is skipped, and why: once for each file and reason."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if (path, reason) not in _warned:
        _warned.add((path, reason))
        _log.warning("%s is skipped: %s", escape_line(str(path)), escape_line(reason))
