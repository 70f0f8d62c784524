"""The content of a file on the hub: bytes, a file on the disk, or only a size."""

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LARGE_BYTES = 10 * 1000 * 1000
"""Larger files are stored apart, as on the hub: with a SHA-256, and sent by the other host."""


@dataclass(frozen=True)
class Content:
    """A file's content, made by ``of``; several threads may read it.

    ``sha256`` and ``is_large`` may be set where the real values (computed on first use; by name and size) are not
    wanted.
    """

    data: bytes = b""
    path: Path | None = None
    sparse_bytes: int | None = None
    """The size of a file that consists of zeros only."""
    given_sha256: str | None = None
    is_large: bool | None = None

    @staticmethod
    def of(source: "Source") -> "Content":
        """Return the content of bytes, of a file on the disk, or of itself."""
        if isinstance(source, Content):
            return source
        return Content(path=source) if isinstance(source, Path) else Content(data=bytes(source))

    @cached_property
    def size_bytes(self) -> int:
        """Its length."""
        if self.sparse_bytes is not None:
            return self.sparse_bytes
        return len(self.data) if self.path is None else self.path.stat().st_size

    @cached_property
    def sha256(self) -> str:
        """Its hash; for a sparse file that of its size: the same everywhere, without computing it."""
        if self.given_sha256 is not None:
            return self.given_sha256
        if self.path is not None:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(self.data or str(self.sparse_bytes or "").encode()).hexdigest()

    @cached_property
    def storage_tag(self) -> str:
        """The file host's own tag for the content: it looks like a SHA-256 but is another one, as on the real host."""
        return hashlib.sha256(f"stored {self.sha256}".encode()).hexdigest()

    @cached_property
    def blob_id(self) -> str:
        """The git id of a small file: the SHA-1 of its blob."""
        text = self.data if self.path is None else self.sha256.encode()
        return hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()

    def open(self) -> int | None:
        """Return a descriptor of the file on the disk, which the caller closes; None if there is none."""
        return None if self.path is None else os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, start: int, length: int) -> bytes | memoryview:
        """Return bytes of content in memory."""
        if self.sparse_bytes is not None:
            return bytes(length)
        return memoryview(self.data)[start : start + length]


Source = bytes | Path | Content


def sparse_file(size_bytes: int, sha256: str | None = None) -> Content:
    """Return a file of ``size_bytes`` zeros, which takes no space: for listings of large models."""
    return Content(sparse_bytes=size_bytes, given_sha256=sha256)
