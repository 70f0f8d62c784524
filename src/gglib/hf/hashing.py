"""Hashes a file while it comes: a thread follows the bytes that are here from the beginning.

It reads them from the disk, which is mostly the kernel's memory still, so what is verified is what is stored. So the
end comes soon after the last byte. Reading and hashing run without the interpreter's lock.
"""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from gglib.hf.part import Part
from gglib.hf.stopping import Stop, StoppedError

CHUNK_BYTES = 256 * 1024
"""Stays in a processor's cache between being read and being hashed."""


class Follower:
    """The hash of a part, from the beginning to as far as it goes."""

    def __init__(self, part: Part, stop: Stop) -> None:
        self._part = part
        self._stop = stop
        self._hash = hashlib.sha256()
        self._ended = threading.Event()
        self._size: int | None = None
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="gglib-hash", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._part.wake()
        self._thread.join()

    def finish(self, size_bytes: int) -> str:
        """Return the hash of the file, which is all here now and has ``size_bytes``."""
        self._size = size_bytes
        self._part.wake()
        self._thread.join()
        if self._failed is not None:
            raise self._failed
        return self._hash.hexdigest()

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001 - told to who asks for the hash
            self._failed = error

    def _follow(self) -> None:
        buffer, at = memoryview(bytearray(CHUNK_BYTES)), 0
        while self._size is None or at < self._size:
            prefix = self._part.wait_for_prefix(at, lambda: self._size is not None or self._ended.is_set())
            while at < prefix or self._ended.is_set():
                if self._ended.is_set():
                    raise StoppedError
                self._stop.check()
                got = self._part.read_into(buffer[: prefix - at], at)
                if got == 0:
                    raise OSError("the file became shorter while it was read")
                self._hash.update(buffer[:got])
                at += got


def hash_file(path: Path, stop: Stop, tell: Callable[[int], None]) -> str:
    """Return the hash of a file, telling now and then how many bytes were read. Raises ``OSError``."""
    digest, buffer, at = hashlib.sha256(), memoryview(bytearray(CHUNK_BYTES)), 0
    with path.open("rb", buffering=0) as stream:
        while got := stream.readinto(buffer):
            stop.check()
            digest.update(buffer[:got])
            at += got
            if at % (16 * CHUNK_BYTES) < got:
                tell(at)
    return digest.hexdigest()
