"""Tunes glibc's allocator for a server that runs for months. Does nothing with another C library."""

import ctypes
import os
import sys

ARENAS = 2
"""Heaps for all threads. Otherwise each new thread gets a heap of its own, up to eight for each core, and what it has
once held is hardly given back: the memory of a server grows for hours."""
LARGE_BYTES = 512 * 1024
"""Blocks of this size and more are mapped one by one, and go back to the system when they are freed. By default, glibc
raises this limit to the largest block that was ever freed, and takes such blocks from the heap, where a freed one stays
as a hole (measured: the memory grew by 1.5 MB at once after 25 minutes of load; Python's table of interned strings has
1 MB, and is copied now and then)."""
SPARE_BYTES = 1024 * 1024
"""The heap shrinks when more than this is free at its end, so that it does not do so for each request."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""``M_TRIM_THRESHOLD``, ``M_MMAP_THRESHOLD`` and ``M_ARENA_MAX`` of ``malloc.h``."""
_SETTINGS = (
    (_ARENA_MAX, "MALLOC_ARENA_MAX", ARENAS),
    (_MMAP_THRESHOLD, "MALLOC_MMAP_THRESHOLD_", LARGE_BYTES),
    (_TRIM_THRESHOLD, "MALLOC_TRIM_THRESHOLD_", SPARE_BYTES),
)


def tune_malloc() -> bool:
    """Set the limits above; call it before the first thread starts. Returns whether any of them has an effect.

    ``MALLOC_ARENA_MAX``, ``MALLOC_MMAP_THRESHOLD_`` and ``MALLOC_TRIM_THRESHOLD_`` in the environment go first.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    done = [mallopt(parameter, value) for parameter, name, value in _SETTINGS if name not in os.environ]
    return any(done)
