"""Keeps the facts of file headers by path, size and modification time. Safe for several threads.

A header with a large vocabulary takes tens of milliseconds to read.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from gglib.core.models import GgufFacts

MAX_FILES = 2000
"""A few kilobytes each."""

_Key = tuple[Path, int, int]


class HeaderCache:
    """Calls ``read`` for files that are not cached or have changed; the oldest entries are dropped.

    ``read`` returns None for a header that no engine can use; an exception that it raises is not cached.
    """

    def __init__(self, read: Callable[[Path], GgufFacts | None], max_files: int = MAX_FILES) -> None:
        self._read = read
        self._max_files = max_files
        self._facts: dict[_Key, GgufFacts | None] = {}
        self._lock = threading.Lock()

    def __call__(self, path: Path, size_bytes: int, modified_ns: int) -> GgufFacts | None:
        """Return the facts of a file in its current state, which ``size_bytes`` and ``modified_ns`` identify."""
        key = (path, size_bytes, modified_ns)
        with self._lock:
            if key in self._facts:
                return self._facts[key]
        facts = self._read(path)
        with self._lock:
            self._facts[key] = facts
            while len(self._facts) > self._max_files:
                del self._facts[next(iter(self._facts))]
        return facts

    def has(self, path: Path, size_bytes: int, modified_ns: int) -> bool:
        """Whether the facts of a file in this state are cached."""
        return (path, size_bytes, modified_ns) in self._facts
