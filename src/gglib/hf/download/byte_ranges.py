"""Which bytes of a file are here: sorted, disjoint, never touching spans. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]
"""First byte, and the byte behind the last."""


@dataclass(frozen=True, slots=True)
class Spans:
    """A set of bytes of a file, as few spans as say it."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Spans":
        """Return the bytes that are in any of ``spans``, which may overlap and come in any order."""
        merged: list[Span] = []
        for start, end in sorted(span for span in spans if span[0] < span[1]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((start, end))
        return cls(tuple(merged))

    def __iter__(self) -> Iterator[Span]:
        return iter(self.spans)

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def size_bytes(self) -> int:
        """How many bytes are here."""
        return sum(end - start for start, end in self.spans)

    @property
    def prefix_bytes(self) -> int:
        """How many bytes are here from the beginning without a hole."""
        return self.spans[0][1] if self.spans and self.spans[0][0] == 0 else 0

    @property
    def end(self) -> int:
        """The byte behind the last one that is here."""
        return self.spans[-1][1] if self.spans else 0

    def plus(self, start: int, end: int) -> "Spans":
        """Return these bytes and those from ``start`` to ``end``."""
        if self.spans and start == self.spans[-1][1]:  # mostly: the last span grows
            return Spans((*self.spans[:-1], (self.spans[-1][0], end)))
        return Spans.of((*self.spans, (start, end)))

    def gaps(self, size_bytes: int) -> tuple[Span, ...]:
        """Return what is missing of a file of ``size_bytes``."""
        return self.holes((0, size_bytes))

    def holes(self, within: Span) -> tuple[Span, ...]:
        """Return what is not here of the bytes of ``within``."""
        at, last = within
        holes = []
        for start, end in self.spans:
            if at < min(start, last):
                holes.append((at, min(start, last)))
            at = max(at, end)
        if at < last:
            holes.append((at, last))
        return tuple(holes)
