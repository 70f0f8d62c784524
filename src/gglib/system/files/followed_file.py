"""Reads the end of a file that another part of the program writes, and what is appended to it; follows rotation.

Only regular files, and never blocking on anything else in their place (``small_files``).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from gglib.system.files.small_files import open_regular

TAIL_BYTES = 1024 * 1024
"""Lines before this distance from the end are not shown."""
PIECE_BYTES = 256 * 1024
"""Appended content is read in pieces of this size, however much there is."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The last lines of a file, without their ends."""

    lines: list[str]
    is_cut: bool
    """Whether the file has earlier lines."""


NO_LINES = Tail([], is_cut=False)


def read_tail(path: Path, lines: int) -> Tail:
    """Return the last lines of a file. Lines end with a line feed only. Raises OSError."""
    with _open(path) as file:
        start, content = _read_before(file, os.fstat(file.fileno()).st_size)
    return _tail(content, lines, has_more=start > 0)


class FollowedFile:
    """A file from its current end on, for the length of a ``with`` block; a missing one is waited for.

    The file stays open, so that after its rotation its last lines are read, too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._position = 0

    def __enter__(self) -> Self:
        """Open the file, unless it is missing. Raises other OSErrors."""
        try:
            self._file = _open(self._path)
        except FileNotFoundError:
            return self
        self._position = os.fstat(self._file.fileno()).st_size
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def is_open(self) -> bool:
        """Whether there was a file so far."""
        return self._file is not None

    def tail(self, lines: int) -> Tail:
        """Return the last complete lines of what was written before the block; call it before ``read_new``.

        A line that is still written comes from ``read_new``, with its beginning.
        """
        if self._file is None:
            return NO_LINES
        start, content = _read_before(self._file, self._position)
        complete = content[: content.rfind(b"\n") + 1]
        self._position = start + len(complete)
        return _tail(complete, lines, has_more=start > 0)

    def read_new(self) -> Iterator[bytes]:
        """Yield what was appended since the last call, in pieces; starts again in a file that was truncated.

        Raises OSError. Exhaust the iterator before the next call.
        """
        yield from self._appended()
        if self._is_replaced():
            # Written between the read and the rotation.
            yield from self._appended()
            self._switch()
            yield from self._appended()

    def _appended(self) -> Iterator[bytes]:
        if self._file is None:
            return
        end = os.fstat(self._file.fileno()).st_size
        if end < self._position:
            self._position = 0
        self._file.seek(self._position)
        while self._position < end:
            piece = self._file.read(min(PIECE_BYTES, end - self._position))
            if not piece:  # it was truncated meanwhile
                return
            self._position += len(piece)
            yield piece

    def _is_replaced(self) -> bool:
        """Whether another file, or a first one, has the path now."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        if self._file is None:
            return True
        opened = os.fstat(self._file.fileno())
        return (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino)

    def _switch(self) -> None:
        try:
            file = _open(self._path)
        except FileNotFoundError:  # rotated again meanwhile
            return
        if self._file is not None:
            self._file.close()
        self._file, self._position = file, 0


def _read_before(file: BinaryIO, end: int) -> tuple[int, bytes]:
    """Return what precedes ``end``, at most ``TAIL_BYTES``, and where that starts."""
    start = max(0, end - TAIL_BYTES)
    file.seek(start)
    return start, file.read(end - start)


def _tail(content: bytes, lines: int, *, has_more: bool) -> Tail:
    """Return the last lines of ``content``; ``has_more``: the file has something before it."""
    if not content:
        return Tail([], is_cut=has_more)
    text = content.decode(errors="replace").removesuffix("\n")
    found = [line.removesuffix("\r") for line in text.split("\n")]
    return Tail(found[-lines:] if lines else [], is_cut=has_more or len(found) > lines)


def _open(path: Path) -> BinaryIO:
    return os.fdopen(open_regular(path, follows_links=True), "rb", buffering=0)
