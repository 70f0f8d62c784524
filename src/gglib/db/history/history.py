"""The request history in SQLite: what the server uses. The work is done by the writer's thread and by readers."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from gglib.core.history.records import RequestRecord
from gglib.core.history.redaction import BodyRedactor
from gglib.core.ports.history import HistoryStatistics, RequestHistoryPort
from gglib.db.history.reading.reader import SqliteHistoryReader
from gglib.db.history.writing.pruning import Limits
from gglib.db.history.writing.store import Redact
from gglib.db.history.writing.writer import HistoryWriter

T = TypeVar("T")

START_WAIT_S = 5.0
FLUSH_WAIT_S = 5.0
STOP_WAIT_S = 10.0


class SqliteHistory(SqliteHistoryReader, RequestHistoryPort):
    """Records and reads the history at ``path``; use it in ``async with``.

    Only one process may do so at a time (the server's instance lock); others use ``SqliteHistoryReader``. The file has
    at most about ``max_bytes``, and requests that ended at most ``max_age_s`` seconds ago; usage is kept for good.
    ``redact`` is applied to bodies in the writer's thread before they are stored; if it raises, they are not. None:
    ``BodyRedactor`` without keys of a server. A file that cannot be opened or written stops nothing: see
    ``statistics().error``.
    """

    def __init__(self, path: Path, *, max_bytes: int, max_age_s: float, redact: Redact | None = None) -> None:
        super().__init__(path)
        redact = BodyRedactor().redact if redact is None else redact
        self._writer = HistoryWriter(path, Limits(max_bytes, max_age_s), redact=redact)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._writer.start, START_WAIT_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def record(self, records: Sequence[RequestRecord]) -> None:
        """Queue finished requests for storage. Never blocks and never raises; the caller no longer changes them."""
        self._writer.queue.add(records)

    def reconfigure(self, *, max_bytes: int | None = None, max_age_s: float | None = None) -> None:
        """Change the limits; what is beyond them is deleted in the background."""
        limits = self._writer.limits
        if max_bytes is not None:
            limits = replace(limits, max_bytes=max_bytes)
        if max_age_s is not None:
            limits = replace(limits, max_age_s=max_age_s)
        self._writer.limits = limits
        self._writer.wake()

    def statistics(self) -> HistoryStatistics:
        """Return the current counts."""
        return self._writer.statistics()

    def flush(self) -> None:
        """Block until everything that ``record`` was called with before is stored, at most ``FLUSH_WAIT_S``."""
        self._writer.flush(FLUSH_WAIT_S)

    async def close(self) -> None:
        """Write what is queued and close the file, within ``STOP_WAIT_S``."""
        await asyncio.to_thread(self._writer.stop, STOP_WAIT_S)

    def _read_now(self, empty: T, work: Callable[[sqlite3.Connection], T]) -> T:
        self.flush()
        return super()._read_now(empty, work)
