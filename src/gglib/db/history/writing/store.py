"""Writes batches through the one writing connection. A batch is one transaction: rows, bodies and usage together."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.db.history.files import close_writer, file_id, open_writer
from gglib.db.history.layout import BLOCK_ROWS, ROW_VALUES, pack_bodies, to_ms, to_us
from gglib.db.history.marks import text_of
from gglib.db.history.request_ids import PackedIds, pack
from gglib.db.history.writing.aggregation import Rows
from gglib.db.history.writing.batches import Batch, HourOf, Usage, split, summarize
from gglib.db.history.writing.names import MAX_LONG_TEXT, NameTable
from gglib.db.sqlite_connection import transaction

log = logging.getLogger("gglib.history")

Redact = Callable[[RecordedBodies], RecordedBodies]

ROWS_PER_STATEMENT = (128, 16, 1)
"""Many rows in one statement: SQLite runs without the interpreter's lock, which a busy event loop returns only after
milliseconds."""
_ROW = (
    "(?, CAST(? * 1e3 + 0.5 AS INTEGER), CAST(? * 1e6 + 0.5 AS INTEGER), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
    " CAST(? * 1e6 + 0.5 AS INTEGER), CAST(? * 1e6 + 0.5 AS INTEGER), ?, ?, ?, CAST(? * 100 + 0.5 AS INTEGER), ?)"
)
_INSERTS = {count: f"INSERT INTO requests VALUES {', '.join([_ROW] * count)}" for count in ROWS_PER_STATEMENT}  # noqa: S608 - constants

# One JSON value for all rows: one statement, for the same reason.
_ADD_USAGE = f"""
INSERT INTO usage SELECT {", ".join(f"json_extract(value, '$[{n}]')" for n in range(10))} FROM json_each(?) WHERE true
ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, failed = failed + excluded.failed,
    prompt_tokens = prompt_tokens + excluded.prompt_tokens,
    completion_tokens = completion_tokens + excluded.completion_tokens,
    cached_tokens = cached_tokens + excluded.cached_tokens, busy_us = busy_us + excluded.busy_us
"""  # noqa: S608 - constants
_ADD_BLOCK = """
INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET oldest_ms = min(oldest_ms, excluded.oldest_ms),
    newest_ms = max(newest_ms, excluded.newest_ms), longest_us = max(longest_us, excluded.longest_us),
    has_capitals = max(has_capitals, excluded.has_capitals), marks = excluded.marks
"""
_SET_REQUEST_IDS = "INSERT OR REPLACE INTO block_request_ids VALUES (?, ?, ?)"


class OpenBlock(NamedTuple):
    """What is known of the last block, which is not full yet."""

    number: int
    marks: set[str]
    ids: PackedIds | None


_NO_BLOCK = OpenBlock(-1, set(), None)


class HistoryStore:
    """The open history, for the writer's thread alone."""

    def __init__(self, path: Path, hour_of: HourOf) -> None:
        """Open or create it. Raises HistoryError, sqlite3.Error and OSError."""
        self.connection = open_writer(path)
        self._path = path
        self._file = file_id(path)
        self._hour_of = hour_of
        self._names = NameTable(self.connection)
        self._long_names = NameTable(self.connection, MAX_LONG_TEXT)
        self._block = _NO_BLOCK
        try:
            self._next_id: int = self.connection.execute("SELECT next_id FROM state").fetchone()[0]
        except BaseException:
            self.connection.close()
            raise

    def close(self) -> None:
        """Copy the log into the file and close it."""
        close_writer(self.connection)

    def is_in_place(self) -> bool:
        """Whether the path still is the file that is open."""
        return file_id(self._path) == self._file

    def forget_names(self) -> None:
        """Read names and the last block from the file again: some were deleted, or not stored."""
        self._names.clear()
        self._long_names.clear()
        self._block = _NO_BLOCK

    def forget_block(self) -> None:
        """Read the last block from the file again: its first rows may have been deleted."""
        self._block = _NO_BLOCK

    def write(self, rows: Rows, redact: Redact | None) -> None:
        """Store all rows or, if this raises, none."""
        try:
            with transaction(self.connection):
                next_id = self._add_rows(rows, redact)
                self.connection.execute("UPDATE state SET next_id = ?", (next_id,))
        except BaseException:
            self.forget_names()  # those of the transaction do not exist
            raise
        self._next_id = next_id

    def _add_rows(self, rows: Rows, redact: Redact | None) -> int:
        first_id = self._next_id
        usage: Usage = {}
        for start, end in split(first_id, len(rows.records), BLOCK_ROWS):
            records, number = rows.records[start:end], first_id + start
            counts = rows.counts[start:end]
            batch = summarize(records, counts, self._names, self._long_names, self._hour_of, number, usage)
            self._add_batch(batch, number)
            self._add_bodies(records, number, redact)
        added = [[*group, *sums[:-1], to_us(sums[-1])] for group, sums in usage.items()]
        self.connection.execute(_ADD_USAGE, (json.dumps(added),))
        return first_id + len(rows.records)

    def _add_batch(self, batch: Batch, first_id: int) -> None:
        execute = self.connection.execute
        position, values = 0, batch.values
        for count in ROWS_PER_STATEMENT:
            step = count * ROW_VALUES
            while len(values) - position >= step:
                execute(_INSERTS[count], values[position : position + step])
                position += step
        block = self._open_block(first_id // BLOCK_ROWS)
        ids = pack(batch.request_ids) if block.ids is None else block.ids.extended(batch.request_ids)
        marks = block.marks | batch.marks
        times = to_ms(batch.oldest_s), to_ms(batch.newest_s), to_us(batch.longest_s)
        execute(_ADD_BLOCK, (block.number, first_id, *times, ids.has_capitals(), text_of(marks)))
        execute(_SET_REQUEST_IDS, (block.number, *ids))
        self._block = OpenBlock(block.number, marks, ids)

    def _open_block(self, number: int) -> OpenBlock:
        if self._block.number == number:
            return self._block
        row = self.connection.execute(
            "SELECT marks, prefix, lines FROM blocks JOIN block_request_ids USING (block) WHERE block = ?",
            (number,),
        ).fetchone()
        if row is None:
            return OpenBlock(number, set(), None)
        marks, *ids = row
        return OpenBlock(number, set(marks.split()), PackedIds(*ids))

    def _add_bodies(self, records: Sequence[RequestRecord], first_id: int, redact: Redact | None) -> None:
        for number, record in enumerate(records, start=first_id):
            if record.bodies is None:
                continue
            try:
                bodies = record.bodies if redact is None else redact(record.bodies)
                packed = pack_bodies(bodies)
            except Exception as error:  # noqa: BLE001 - a bug of the redaction must not cost the other requests
                log.error(  # noqa: TRY400 - message and traceback may quote the body
                    "%s: its bodies cannot be redacted and are not stored (%s)",
                    record.request_id,
                    type(error).__name__,
                )
                continue
            self.connection.execute("INSERT INTO bodies VALUES (?, ?, ?, ?, ?)", (number, *packed))
