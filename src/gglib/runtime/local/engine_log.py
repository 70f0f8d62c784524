"""The engine's log: a bounded tail in memory to explain failures, and a rotated file for people."""

import asyncio
import os
import unicodedata
from collections import deque
from pathlib import Path
from typing import BinaryIO

from gglib.system.files.small_files import open_regular

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND
TAIL_LINES = 200
"""After a failed assertion a debugger may print a hundred lines, and the assertion is what counts."""
MAX_LINE_BYTES = 2_000
"""An engine may print a line of 100 MB; what is kept of it is this much."""
MAX_NAME_BYTES = 240
"""File systems take 255; ``.log.1`` goes behind it."""
MAX_FILE_BYTES = 5 * 1024 * 1024
"""At this size a log file becomes ``NAME.log.1``, replacing the one before."""


def engine_log_path(log_dir: Path, model_name: str) -> Path:
    """Return where the log of a model's engine is kept, whatever characters its name has."""
    name = "".join(character if _is_file_name_character(character) else "_" for character in model_name)
    return log_dir / "engines" / (name[:150].encode()[:MAX_NAME_BYTES].decode(errors="ignore") + ".log")


def _is_file_name_character(character: str) -> bool:
    return character.isalnum() or character in "_.+-" or unicodedata.category(character).startswith("M")


class LineTail:
    """The last lines of a byte stream, in bounded memory."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = b""

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines, the unfinished one included, oldest first."""
        return (*self._lines, *([_text(self._rest)] if self._rest else []))

    def feed(self, data: bytes) -> None:
        """Take in the next bytes."""
        first, *others = data.split(b"\n")
        self._extend(first)
        # Only the last lines can be kept, so only they are looked at.
        for line in others[-TAIL_LINES - 1 :]:
            self._finish_line()
            self._extend(line)

    def _extend(self, part: bytes) -> None:
        self._rest += part[: MAX_LINE_BYTES - len(self._rest)]

    def _finish_line(self) -> None:
        if self._rest:
            self._lines.append(_text(self._rest))
        self._rest = b""


class EngineLog:
    """Takes in what one engine prints. A full disk costs the file, never the engine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tail = LineTail()
        self.received_bytes = 0
        """All that the engine has printed so far: as long as it grows, something goes on."""
        self.new_output = asyncio.Event()
        """Set whenever the engine prints something, for whoever waits for that to clear."""
        self._size_bytes = 0
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.fdopen(open_regular(path, flags=_APPEND, follows_links=True), "ab", buffering=0)
            self._size_bytes = self._file.tell()
        except OSError:
            pass

    def feed(self, data: bytes) -> None:
        """Keep the tail and append to the file, which is rotated when it is full."""
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
        """Close the file; the tail stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rotate(self) -> None:
        assert self._file is not None  # noqa: S101 - the caller looked
        self._file.close()
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self._file = self.path.open("wb", buffering=0)
        self._size_bytes = 0


def home_directory() -> Path | None:
    """Return the user's home; None for a user who has none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip()
