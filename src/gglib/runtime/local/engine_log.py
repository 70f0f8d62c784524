"""The engine's log: a bounded tail in memory to explain failures, and a rotated file for users."""

import asyncio
import os
import unicodedata
from collections import deque
from pathlib import Path
from typing import BinaryIO

from gglib.system.files.small_files import open_regular

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND
TAIL_LINES = 200
"""After a failed assertion a debugger may print a hundred lines; the tail must still contain the assertion."""
MAX_LINE_BYTES = 2_000
"""Lines are truncated to this: an engine may print a line of 100 MB."""
MAX_NAME_BYTES = 240
"""File systems allow 255 bytes, and ``.log.1`` is appended."""
MAX_FILE_BYTES = 5 * 1024 * 1024
"""At this size the log file is renamed to ``NAME.log.1``, replacing the previous one."""


def engine_log_path(log_dir: Path, model_name: str) -> Path:
    """Return the path of a model's engine log. Characters that are unsafe in file names become ``_``."""
    name = "".join(character if _is_file_name_character(character) else "_" for character in model_name)
    return log_dir / "engines" / (name[:150].encode()[:MAX_NAME_BYTES].decode(errors="ignore") + ".log")


def _is_file_name_character(character: str) -> bool:
    return character.isalnum() or character in "_.+-" or unicodedata.category(character).startswith("M")


class LineTail:
    """Keeps the last lines of a byte stream in bounded memory."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._partial_line = b""

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines, including an unfinished one, oldest first."""
        return (*self._lines, *([_text(self._partial_line)] if self._partial_line else []))

    def feed(self, data: bytes) -> None:
        """Append bytes."""
        first, *others = data.split(b"\n")
        self._extend(first)
        # Earlier lines would be dropped anyway.
        for line in others[-TAIL_LINES - 1 :]:
            self._finish_line()
            self._extend(line)

    def _extend(self, part: bytes) -> None:
        self._partial_line += part[: MAX_LINE_BYTES - len(self._partial_line)]

    def _finish_line(self) -> None:
        if self._partial_line:
            self._lines.append(_text(self._partial_line))
        self._partial_line = b""


class EngineLog:
    """Records the output of one engine. If the disk is full, the log file ends and the engine continues."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tail = LineTail()
        self.received_bytes = 0
        """Size of the output so far. Its growth counts as progress of a load."""
        self.new_output = asyncio.Event()
        """Set on each output; its reader clears it."""
        self._size_bytes = 0
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.fdopen(open_regular(path, flags=_APPEND, follows_links=True), "ab", buffering=0)
            self._size_bytes = self._file.tell()
        except OSError:
            pass

    def feed(self, data: bytes) -> None:
        """Append output to the tail and the file; rotate a full file."""
        self.tail.feed(data)
        self.received_bytes += len(data)
        self.new_output.set()
        if self._file is None:
            return
        try:
            if self._size_bytes + len(data) > MAX_FILE_BYTES:
                self._rotate()
            self._size_bytes += self._file.write(data[-MAX_FILE_BYTES:])
        except OSError:
            self.close()

    def close(self) -> None:
        """Close the file; the tail stays readable."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rotate(self) -> None:
        assert self._file is not None  # noqa: S101 - checked by the caller
        self._file.close()
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self._file = self.path.open("wb", buffering=0)
        self._size_bytes = 0


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip()
