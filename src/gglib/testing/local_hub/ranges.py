"""Which bytes a request selects: RFC 9110, sections 13.1.5 and 14. Pure."""

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.IGNORECASE | re.ASCII)


class UnsatisfiableError(Exception):
    """The range begins after the end: 416."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start`` up to, not including, ``end``."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.end - self.start


def read_range(text: str | None, size_bytes: int) -> Span | None:
    """Return what a ``Range`` header selects; None means the whole file, as for an invalid header.

    Several ranges are not supported: the whole file, which the RFC allows. Raises ``UnsatisfiableError``.
    """
    match = _ONE_RANGE.fullmatch(text.strip()) if text else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        wanted = min(int(last), size_bytes)
        if wanted == 0:
            raise UnsatisfiableError
        return Span(size_bytes - wanted, size_bytes)
    start = int(first)
    end = min(int(last) + 1, size_bytes) if last else size_bytes
    if last and int(last) < start:
        return None
    if start >= size_bytes:
        raise UnsatisfiableError
    return Span(start, end)


def matches_if_range(text: str | None, *, etag: str, last_modified: str) -> bool:
    """Whether an ``If-Range`` header lets the range apply; a weak tag never does."""
    return text is None or text.strip() in (etag, last_modified)


def content_range(span: Span, size_bytes: int) -> str:
    """Return the header of a partial response."""
    return f"bytes {span.start}-{span.end - 1}/{size_bytes}"
