"""Which bytes of a file are stored: sorted, disjoint, non-adjacent ranges. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

ByteRange = tuple[int, int]
"""First byte, and the byte after the last."""


@dataclass(frozen=True, slots=True)
class ByteRanges:
    """A set of bytes of a file, as the fewest possible ranges."""

    ranges: tuple[ByteRange, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[ByteRange]) -> "ByteRanges":
        """Return the union of ``ranges``, which may overlap and come in any order."""
        merged: list[ByteRange] = []
        for start, end in sorted(each for each in ranges if each[0] < each[1]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((start, end))
        return cls(tuple(merged))

    def __iter__(self) -> Iterator[ByteRange]:
        return iter(self.ranges)

    def __len__(self) -> int:
        return len(self.ranges)

    @property
    def size_bytes(self) -> int:
        """The number of bytes in the set."""
        return sum(end - start for start, end in self.ranges)

    @property
    def prefix_bytes(self) -> int:
        """The length of the contiguous range from the beginning of the file."""
        return self.ranges[0][1] if self.ranges and self.ranges[0][0] == 0 else 0

    @property
    def end(self) -> int:
        """The byte after the last one in the set."""
        return self.ranges[-1][1] if self.ranges else 0

    def adding(self, start: int, end: int) -> "ByteRanges":
        """Return this set with the bytes from ``start`` to ``end`` added."""
        if self.ranges and start == self.ranges[-1][1]:  # the common case: the last range grows
            return ByteRanges((*self.ranges[:-1], (self.ranges[-1][0], end)))
        return ByteRanges.of((*self.ranges, (start, end)))

    def missing(self, size_bytes: int) -> tuple[ByteRange, ...]:
        """Return the gaps of a file of ``size_bytes``."""
        return self.missing_in((0, size_bytes))

    def missing_in(self, within: ByteRange) -> tuple[ByteRange, ...]:
        """Return the gaps inside ``within``."""
        at, last = within
        missing = []
        for start, end in self.ranges:
            if at < min(start, last):
                missing.append((at, min(start, last)))
            at = max(at, end)
        if at < last:
            missing.append((at, last))
        return tuple(missing)
