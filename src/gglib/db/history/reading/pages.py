"""Runs a search: newest blocks first, until the page is full.

A block that is read has a row that fits, but for some edges (times, pairs of values that occur in different rows): a
page of 50 reads at most some 50 of a million rows' 2,000 blocks.
"""

import sqlite3
from collections.abc import Iterator
from typing import cast

from gglib.core.history.requests import RequestFilter, RequestPage, StoredRequest
from gglib.db.history.layout import BLOCK_ROWS
from gglib.db.history.reading.rows import COLUMNS, Row, load_requests
from gglib.db.history.reading.search import Search, lowered, names_of, plan_search
from gglib.db.history.request_ids import PackedIds

Block = tuple[int, list[int] | None]
"""A block, and the numbers of its requests whose id fits; None: not looked for."""


def find_page(
    connection: sqlite3.Connection, wanted: RequestFilter, limit: int, before: int | None, after: int | None
) -> RequestPage:
    """Return one page, in the caller's read transaction. Raises sqlite3.Error."""
    ids = _name_ids(connection, wanted)
    if ids is None:
        return RequestPage(requests=(), next_before=None)
    text_ids = [] if wanted.text is None else _find_names(connection, lowered(wanted.text))
    search = plan_search(wanted, before=before, after=after, ids=ids, text_ids=text_ids)
    rows: list[Row] = []
    for block, numbers in _blocks(connection, search):
        rows += _rows(connection, search, block, numbers, limit + 1 - len(rows))
        if len(rows) > limit:
            break
    requests = load_requests(connection, rows[:limit])
    return RequestPage(requests=requests, next_before=requests[-1].id if len(rows) > limit else None)


def find_by_number(connection: sqlite3.Connection, number: int) -> StoredRequest | None:
    """Return a request by its number."""
    rows = connection.execute(f"SELECT {COLUMNS} FROM requests r WHERE r.id = ?", (number,)).fetchall()  # noqa: S608 - constants
    return next(iter(load_requests(connection, rows)), None)


def _name_ids(connection: sqlite3.Connection, wanted: RequestFilter) -> dict[str, int] | None:
    """Return the ids of all names of the filter; None if one does not exist."""
    ids = {}
    for text in names_of(wanted):
        stored = text.encode("utf-8", "replace").decode()
        found = connection.execute("SELECT id FROM names WHERE text = ?", (stored,)).fetchone()
        if found is None:
            return None
        ids[text] = cast("int", found[0])
    return ids


def _find_names(connection: sqlite3.Connection, text: str) -> list[int]:
    """Fill ``temp.found_names`` with the ids of names that have the text, and return them."""
    connection.execute("CREATE TEMP TABLE found_names (id INTEGER PRIMARY KEY)")
    connection.execute(
        "INSERT INTO temp.found_names SELECT id FROM names WHERE id != 0 AND instr(lower(text), ?)", (text,)
    )
    return [number for (number,) in connection.execute("SELECT id FROM temp.found_names")]


def _blocks(connection: sqlite3.Connection, search: Search) -> Iterator[Block]:
    """Yield the blocks to read, newest first."""
    if search.request_id is None and search.text is None:
        sql = f"SELECT b.block FROM blocks b WHERE {search.blocks.sql} ORDER BY b.block DESC"  # noqa: S608 - constants
        for (block,) in connection.execute(sql, search.blocks.values):
            yield block, None
        return
    for block, first_id, prefix, lines, has_capitals, may_have_names in connection.execute(
        f"SELECT b.block, b.first_id, i.prefix, i.lines, b.has_capitals, {search.text_marks} FROM blocks b"  # noqa: S608 - constants
        f" CROSS JOIN block_request_ids i ON i.block = b.block WHERE {search.blocks.sql} ORDER BY b.block DESC",
        search.blocks.values,
    ):
        positions = _find_ids(search, PackedIds(prefix, lines), has_capitals=bool(has_capitals))
        if positions or (may_have_names and search.request_id is None):
            yield block, [first_id + position for position in positions]


def _find_ids(search: Search, ids: PackedIds, *, has_capitals: bool) -> list[int]:
    """Return the positions of the request ids of a block that fit."""
    if search.request_id is not None:
        return ids.find(search.request_id.encode("utf-8", "replace"))
    text = (search.text or "").encode()
    return (ids.lowered() if has_capitals else ids).find_part(text)


def _rows(
    connection: sqlite3.Connection, search: Search, block: int, numbers: list[int] | None, limit: int
) -> list[Row]:
    return connection.execute(
        f"SELECT {COLUMNS} FROM requests r WHERE r.id BETWEEN ? AND ?"  # noqa: S608 - constants and numbers
        f" AND {search.row_condition(numbers)} ORDER BY r.id DESC LIMIT ?",
        (block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS - 1, *search.rows.values, limit),
    ).fetchall()
