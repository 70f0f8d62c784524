"""Reads forward through the header of a file, in windows, and never past what the file can hold.

Every length is checked against the remaining bytes before anything is read or allocated for it. Reads are plain reads,
not a memory map: if another program truncates the file meanwhile, that is an error, not a SIGBUS. Does not know what
the bytes mean.
"""

import struct
import sys
from typing import BinaryIO

from gglib.core.errors import InvalidGgufError
from gglib.core.sizes import format_size

# One read covers the whole header of a small model; a vocabulary of 256k tokens takes about twenty.
_WINDOW_BYTES = 256 * 1024
# A vocabulary of 256k tokens with its merges takes less than 16 MiB. Eight times that limits the time for a
# hostile file to one second on two slow cores.
MAX_HEADER_BYTES = 128 * 1024 * 1024

# A vocabulary and its merges have about 700,000 at most; this many take half a second.
MAX_STRINGS = 4 * 1024 * 1024

_LENGTH = struct.Struct("=Q")

_PAST_END = "broken or incomplete: its header runs past the end of the file"
_TOO_LARGE = f"its header is larger than {format_size(MAX_HEADER_BYTES)}, which no model needs"


class PastEndError(InvalidGgufError):
    """The header continues beyond the end of the bytes: a whole file is then broken."""


class HeaderStream:
    """A cursor in the first ``size_bytes`` of a file. Every method raises InvalidGgufError past the end."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._file = file
        self._window = b""
        self._window_start = 0
        self._cursor = 0
        self._strings_left = MAX_STRINGS

    @property
    def position(self) -> int:
        """The offset of the next byte from the start of the file."""
        return self._window_start + self._cursor

    def take(self, length: int) -> bytes:
        """Return the next ``length`` bytes; the caller limits what it keeps."""
        self._fill(length)
        start = self._cursor
        self._cursor += length
        return self._window[start : self._cursor]

    def u32(self) -> int:
        """Return the next unsigned 32-bit number."""
        return int.from_bytes(self.take(4), sys.byteorder)

    def u64(self) -> int:
        """Return the next unsigned 64-bit number."""
        return int.from_bytes(self.take(8), sys.byteorder)

    def skip(self, length: int) -> None:
        """Skip ``length`` bytes without reading them."""
        self.require(length)
        self._cursor += length

    def skip_strings(self, count: int) -> None:
        """Skip ``count`` strings, each a 64-bit length and its bytes.

        A vocabulary has a quarter of a million of them, so the inner loop only advances the cursor until the window
        ends.
        """
        self.require(count * _LENGTH.size)
        self._strings_left -= count
        if self._strings_left < 0:
            raise InvalidGgufError(f"its header has more than {MAX_STRINGS} strings, which no model needs")
        while count:
            self._fill(_LENGTH.size)
            count -= self._skip_buffered_strings(count)
        self.require(0)

    def require(self, length: int) -> None:
        """Raise if the file, or the limit for headers, cannot hold ``length`` more bytes."""
        end = self.position + length
        if end > self.size_bytes:
            raise PastEndError(_PAST_END)
        if end > MAX_HEADER_BYTES:
            raise InvalidGgufError(_TOO_LARGE)

    def _skip_buffered_strings(self, count: int) -> int:
        """Skip as many of ``count`` strings as begin in the window; return how many those are."""
        window, cursor, hops = self._window, self._cursor, 0
        length_at, length_size = _LENGTH.unpack_from, _LENGTH.size
        try:
            for hops in range(count):  # noqa: B007 - read after the loop
                (length,) = length_at(window, cursor)
                cursor += length_size + length
            hops = count
        except (struct.error, OverflowError):  # the next length is beyond the window, or absurdly large
            pass
        self._cursor = cursor
        return hops

    def _fill(self, length: int) -> None:
        """Make the next ``length`` bytes available in the window."""
        self.require(length)
        if len(self._window) - self._cursor >= length:
            return
        self._window_start, self._cursor = self.position, 0
        self._file.seek(self._window_start)
        self._window = self._file.read(max(length, _WINDOW_BYTES))
        if len(self._window) < length:  # the file was truncated since its size was read
            raise PastEndError(_PAST_END)
