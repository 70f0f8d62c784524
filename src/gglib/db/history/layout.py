"""What rows, blocks and bodies consist of, and the units of their values. Pure."""

import zlib

from gglib.core.history.records import RecordedBodies

BLOCK_ROWS = 512
"""Rows of a block: those whose ids have the same ``id // BLOCK_ROWS``. A search reads whole blocks."""

MAX_NUMBER = 2**40
"""Bounds counts and seconds that clients and engines send, so that their sums in any unit fit into SQLite's 64 bits."""

TEXT_FIELDS = (
    "route",
    "model",
    "requested_model",
    "profile",
    "key",
    "client",
    "address",
    "error",
    "error_message",
    "swap",
    "node",
)
"""Columns of ``requests`` that have a name's id, in their order, and the fields of ``StoredRequest`` with its text."""

ROW_VALUES = 12 + len(TEXT_FIELDS)
"""Columns of ``requests``."""


def to_ms(at_s: float) -> int:
    """Return a time in milliseconds, rounded as the statement that inserts rows does."""
    return int(at_s * 1e3 + 0.5)


def to_us(duration_s: float) -> int:
    """Return a duration in microseconds, rounded as the statement that inserts rows does."""
    return int(duration_s * 1e6 + 0.5)


def pack_bodies(bodies: RecordedBodies) -> tuple[bytes, bytes, bool, bool]:
    """Return the columns of ``bodies`` after ``id``."""
    return (
        zlib.compress(bodies.request),
        zlib.compress(bodies.response),
        bodies.is_request_cut,
        bodies.is_response_cut,
    )


def unpack_bodies(row: tuple[bytes, bytes, int, int]) -> RecordedBodies:
    """Return the bodies of a row. Raises zlib.error."""
    request, response, is_request_cut, is_response_cut = row
    return RecordedBodies(
        zlib.decompress(request), zlib.decompress(response), bool(is_request_cut), bool(is_response_cut)
    )
