"""The request ids of a block as one text without their common prefix, and the search in it. Pure.

Ids of gglib differ in a counter at their end, so that a block has some 6 bytes for each instead of 25, and a search
over a million reads 6 MB.
"""

from collections.abc import Sequence
from typing import NamedTuple

MAX_REQUEST_ID = 200


class PackedIds(NamedTuple):
    """Request ids in UTF-8, in the order of their numbers."""

    prefix: bytes
    lines: bytes
    """The rest of each id, with a line feed before and after."""

    def ids(self) -> list[bytes]:
        """Return the ids."""
        return [self.prefix + line for line in self.lines.split(b"\n")[1:-1]]

    def extended(self, ids: Sequence[bytes]) -> "PackedIds":
        """Return these ids and further ones."""
        start = len(self.prefix)
        if all(request_id.startswith(self.prefix) for request_id in ids):
            return PackedIds(self.prefix, self.lines + b"".join([each[start:] + b"\n" for each in ids]))
        return pack([*self.ids(), *ids])

    def without_first(self, count: int) -> "PackedIds":
        """Return these ids without the first ``count``."""
        return PackedIds(self.prefix, b"\n" + self.lines.split(b"\n", count + 1)[-1])

    def has_capitals(self) -> bool:
        """Whether an id has capital ASCII letters."""
        return self.prefix != self.prefix.lower() or self.lines != self.lines.lower()

    def lowered(self) -> "PackedIds":
        """Return the ids with small ASCII letters."""
        return PackedIds(self.prefix.lower(), self.lines.lower())

    def find(self, request_id: bytes) -> list[int]:
        """Return the positions of an id."""
        if not request_id.startswith(self.prefix):
            return []
        line = request_id[len(self.prefix) :]
        if b"\n" + line + b"\n" not in self.lines:
            return []
        return [position for position, found in enumerate(self.lines.split(b"\n")[1:-1]) if found == line]

    def find_part(self, part: bytes) -> list[int]:
        """Return the positions of ids that have ``part``."""
        if part not in self.lines and part not in self.prefix and not self._begins_in_prefix(part):
            return []
        return [position for position, request_id in enumerate(self.ids()) if part in request_id]

    def _begins_in_prefix(self, part: bytes) -> bool:
        return any(
            b"\n" + part[length:] in self.lines
            for length in range(1, len(part))
            if self.prefix.endswith(part[:length])
        )


def pack(ids: Sequence[bytes]) -> PackedIds:
    """Return ids, at least one, in their packed form."""
    prefix = _common_prefix(min(ids), max(ids))
    return PackedIds(prefix, b"\n" + b"\n".join([request_id[len(prefix) :] for request_id in ids]) + b"\n")


def _common_prefix(first: bytes, last: bytes) -> bytes:
    """Return the beginning that two ids have in common, and with them all that are sorted between them."""
    pairs = enumerate(zip(first, last, strict=False))
    length = next(
        (position for position, (left, right) in pairs if left != right), min(len(first), len(last))
    )
    return first[:length]


def clean_id(request_id: str) -> bytes:
    """Return an id in its stored form: bounded, and in one line."""
    return request_id[:MAX_REQUEST_ID].replace("\n", " ").encode("utf-8", "replace")
