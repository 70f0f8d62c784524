"""Keeps the prompts of chats in the home, for the arrow keys and Ctrl-R of later chats.

Several chats may write at once: a prompt is appended by one write, and only a holder of the lock shortens the file,
when a chat starts. A history that cannot be read or written is not an error: the chat goes on without it.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from gglib.cli.chat.storage.history_format import history_line, read_history, shortened
from gglib.system.files.locks import lock_path
from gglib.system.files.rewriting import replace_file
from gglib.system.files.small_files import open_regular, read_open

HISTORY_NAME = "chat-history"
MAX_READ_BYTES = 64_000_000
"""A larger file is not one that chats wrote."""
_MAX_ATTEMPTS = 2


class HistoryFile:
    """The history of a home."""

    def __init__(self, home: Path) -> None:
        self._path = home / HISTORY_NAME

    def read(self) -> list[str]:
        """Return the prompts, oldest first; empty if the file cannot be read. Shortens a file that is too long."""
        with suppress(OSError):
            descriptor = open_regular(self._path)
            try:
                content = read_open(descriptor, max_bytes=MAX_READ_BYTES)
            finally:
                os.close(descriptor)
            self._shorten(content)
            return read_history(content)
        return []

    def append(self, prompt: str) -> None:
        """Add a prompt; only the owner can read the file."""
        line = history_line(prompt)
        if line is None:
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for _ in range(_MAX_ATTEMPTS):
                descriptor = open_regular(self._path, flags=os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                try:
                    os.write(descriptor, line)
                    if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                        return
                finally:
                    os.close(descriptor)
                # Another chat has replaced the file in the meantime.

    def _shorten(self, content: bytes) -> None:
        """Replace a file that is too long, unless another chat does so at this moment. Raises OSError."""
        if shortened(content) is None:
            return
        descriptor = lock_path(self._path, fcntl.LOCK_EX)
        try:
            current = read_open(descriptor, max_bytes=MAX_READ_BYTES)
            short = shortened(current)
            if short is not None:
                replace_file(self._path, short, os.fstat(descriptor))
        finally:
            os.close(descriptor)
