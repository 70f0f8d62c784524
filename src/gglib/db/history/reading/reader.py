"""Reads the history of this or another process, off the event loop."""

import asyncio
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from gglib.core.errors import HistoryError
from gglib.core.history.records import RecordedBodies
from gglib.core.history.requests import RequestFilter, RequestPage, StoredRequest
from gglib.core.history.usage import KeyUse, UsageQuery, UsageRow
from gglib.core.ports.history import RequestSearchPort
from gglib.db.history.errors import map_read_errors
from gglib.db.history.files import open_reader
from gglib.db.history.layout import BLOCK_ROWS, to_ms, unpack_bodies
from gglib.db.history.reading.pages import find_by_number, find_page
from gglib.db.history.reading.search import MAX_ID
from gglib.db.history.reading.usage import find_usage

T = TypeVar("T")

_MAX_DIGITS = 18


class SqliteHistoryReader(RequestSearchPort):
    """Reads the history at ``path``, also while a server writes it. A missing file is an empty history.

    Each call opens its own connection: the server may replace a damaged file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def find_requests(
        self, wanted: RequestFilter, *, limit: int, before: int | None = None, after: int | None = None
    ) -> RequestPage:
        """Return the newest ``limit`` requests that fit, newest first."""
        empty = RequestPage(requests=(), next_before=None)
        return await self._read(empty, lambda opened: find_page(opened, wanted, limit, before, after))

    async def find_request(self, request: str) -> StoredRequest | None:
        """Return a request by its number in decimal digits or, if there is none, its request id (the newest)."""

        def find(connection: sqlite3.Connection) -> StoredRequest | None:
            if request.isascii() and request.isdigit() and len(request) <= _MAX_DIGITS:
                found = find_by_number(connection, int(request))
                if found is not None:
                    return found
            page = find_page(connection, RequestFilter(request_id=request), 1, None, None)
            return next(iter(page.requests), None)

        return await self._read(None, find)

    async def read_bodies(self, number: int) -> RecordedBodies | None:
        """Return the recorded bodies of a request."""
        if not 0 < number <= MAX_ID:
            return None
        return await self._read(None, lambda opened: _load_bodies(opened, number))

    async def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        """Return the usage, with hours and days of the local time zone."""
        empty = () if query.by else (UsageRow(),)
        return await self._read(empty, lambda opened: find_usage(opened, query))

    async def recent_use(self, since_s: float) -> tuple[KeyUse, ...]:
        """Return the requests with a key that a model served and that ended at ``since_s`` or later."""
        return await self._read((), lambda opened: _load_recent_use(opened, since_s))

    async def _read(self, empty: T, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._read_now, empty, work)

    def _read_now(self, empty: T, work: Callable[[sqlite3.Connection], T]) -> T:
        with map_read_errors():
            connection = open_reader(self._path)
            if connection is None:
                return empty
            with closing(connection):
                connection.execute("BEGIN")  # one state of the history
                return work(connection)


def _load_bodies(connection: sqlite3.Connection, number: int) -> RecordedBodies | None:
    row = connection.execute(
        "SELECT request, response, is_request_cut, is_response_cut FROM bodies WHERE id = ?", (number,)
    ).fetchone()
    try:
        return None if row is None else unpack_bodies(row)
    except zlib.error as error:
        raise HistoryError(f"The bodies of request {number} are damaged: {error}.") from error


def _load_recent_use(connection: sqlite3.Connection, since_s: float) -> tuple[KeyUse, ...]:
    since_ms = to_ms(since_s)
    rows = connection.execute(
        "SELECT n.text, r.ended_ms, r.duration_us, ifnull(r.prompt_tokens, 0) + ifnull(r.completion_tokens, 0),"  # noqa: S608 - a number
        " r.count FROM blocks b CROSS JOIN requests r"
        " CROSS JOIN names n ON n.id = r.key WHERE b.newest_ms >= ? AND r.ended_ms >= ?"
        " AND r.key != 0 AND r.waited_us IS NOT NULL"
        f" AND r.id BETWEEN b.block * {BLOCK_ROWS} AND b.block * {BLOCK_ROWS} + {BLOCK_ROWS - 1}"
        " ORDER BY r.id",
        (since_ms, since_ms),
    )
    return tuple(
        KeyUse(
            key=key,
            started_at_s=ended_ms / 1e3 - duration_us / 1e6,
            ended_at_s=ended_ms / 1e3,
            tokens=tokens,
            requests=count,
        )
        for key, ended_ms, duration_us, tokens, count in rows
    )
