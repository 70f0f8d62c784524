"""Reads rows as ``StoredRequest`` values: their numbers, names and request ids. Pure but for the connection."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from gglib.core.history.requests import StoredRequest
from gglib.db.history.layout import BLOCK_ROWS, TEXT_FIELDS
from gglib.db.history.request_ids import PackedIds

Row = tuple[Any, ...]

_NUMBERS = (
    *("id", "ended_ms", "duration_us", "waited_us", "first_byte_us", "prompt_tokens", "completion_tokens"),
    *("cached_tokens", "centitokens_per_s", "count", "status", "is_streamed"),
)
_HAS_BODIES = "EXISTS (SELECT 1 FROM bodies WHERE id = r.id)"
COLUMNS = ", ".join((*(f"r.{name}" for name in (*_NUMBERS, *TEXT_FIELDS)), _HAS_BODIES))
_NAMES = slice(len(_NUMBERS), -1)
"""The names of a row."""


def load_requests(connection: sqlite3.Connection, rows: Sequence[Row]) -> tuple[StoredRequest, ...]:
    """Return the requests of rows that were selected by ``COLUMNS``."""
    names = _load_names(connection, {number for row in rows for number in row[_NAMES]})
    request_ids = _load_request_ids(connection, {row[0] // BLOCK_ROWS for row in rows})
    return tuple(_request(row, names, request_ids) for row in rows)


def _request(row: Row, names: dict[int, str], request_ids: dict[int, str]) -> StoredRequest:
    texts = {field: names.get(number) for field, number in zip(TEXT_FIELDS, row[_NAMES], strict=True)}
    route = texts.pop("route") or ""
    return StoredRequest(
        id=row[0],
        request_id=request_ids.get(row[0], ""),
        ended_at_s=row[1] / 1e3,
        duration_s=row[2] / 1e6,
        waited_s=_scaled(row[3], 1e6),
        first_byte_s=_scaled(row[4], 1e6),
        prompt_tokens=row[5],
        completion_tokens=row[6],
        cached_tokens=row[7],
        tokens_per_s=_scaled(row[8], 100),
        count=row[9],
        has_bodies=bool(row[-1]),
        status=row[10] or None,
        is_streamed=bool(row[11]),
        route=route,
        **texts,
    )


def _scaled(value: int | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _load_names(connection: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, str]:
    """Return names by id, without the empty one."""
    listed = ", ".join(str(int(number)) for number in numbers if number)
    return dict(connection.execute(f"SELECT id, text FROM names WHERE id IN ({listed})").fetchall())  # noqa: S608 - numbers


def _load_request_ids(connection: sqlite3.Connection, blocks: Iterable[int]) -> dict[int, str]:
    """Return the request ids of whole blocks, by the number of the request."""
    listed = ", ".join(str(int(block)) for block in blocks)
    found = connection.execute(
        "SELECT first_id, prefix, lines FROM blocks JOIN block_request_ids USING (block)"  # noqa: S608 - numbers
        f" WHERE block IN ({listed})"
    )
    return {
        number: request_id.decode("utf-8", "replace")
        for first_id, prefix, lines in found
        for number, request_id in enumerate(PackedIds(prefix, lines).ids(), start=first_id)
    }
