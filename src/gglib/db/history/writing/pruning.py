"""Deletes the oldest requests beyond the limits, in steps of a few milliseconds. Usage stays."""

import json
import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from gglib.db.history.layout import BLOCK_ROWS
from gglib.db.history.marks import names_in
from gglib.db.history.request_ids import PackedIds
from gglib.db.sqlite_connection import transaction

BLOCKS_PER_STEP = 4
BODIES_PER_STEP = 64
PAGES_PER_STEP = 256
MAX_TRIM_DELAY_S = 600.0
"""How much longer than the limit requests may stay, at most; otherwise a hundredth of the limit."""
SLACK_BYTES = 1 << 20
"""Free pages that the file keeps beyond its limit before they are returned to the file system."""
SWEEP_INTERVAL_S = 3600.0
"""How often names that nothing refers to are looked for."""

_OLDEST = "SELECT block, first_id, oldest_ms, newest_ms FROM blocks ORDER BY block LIMIT 1"
_SWEEP = """
DELETE FROM names WHERE id != 0 AND id NOT IN (
    SELECT value FROM json_each(?)
    UNION SELECT key FROM usage UNION SELECT model FROM usage UNION SELECT client FROM usage
)
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept."""

    max_bytes: int
    max_age_s: float


class Block(NamedTuple):
    """Limits of a block: of the numbers of its rows, and of the times when their requests ended."""

    number: int
    first_id: int
    oldest_ms: int
    newest_ms: int

    @property
    def last_id(self) -> int:
        """The last number that the block can have."""
        return (self.number + 1) * BLOCK_ROWS - 1


class Pruner:
    """Runs in the writer's thread, between its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._page_bytes: int = self._read("PRAGMA page_size")
        self._deleted_blocks = 0
        """Since the last sweep."""
        self._swept_at_s = float("-inf")
        self._has_shrunk = False
        """Whether pages were returned since the last checkpoint."""
        self.has_deleted = self.has_swept = False
        """Whether the last step deleted requests, and names."""

    def step(self, limits: Limits, now_s: float) -> bool:
        """Delete a part of what is beyond the limits; return whether there may be more. Raises sqlite3.Error."""
        self.has_deleted = self.has_swept = False
        cutoff_ms = int((now_s - limits.max_age_s) * 1000)
        # Rows at the beginning of a block wait a little: each deletion writes all request ids of the block anew.
        trim_ms = cutoff_ms - int(max(0.0, min(MAX_TRIM_DELAY_S, limits.max_age_s / 100)) * 1000)
        oldest = self._oldest()
        if oldest is not None and (
            oldest.oldest_ms < trim_ms or oldest.newest_ms < cutoff_ms or self._is_too_large(limits)
        ):
            self._delete_some(limits, cutoff_ms)
            return True
        self._sweep(now_s)
        return self._shrink(limits)

    def _delete_some(self, limits: Limits, cutoff_ms: int) -> None:
        self.has_deleted = True
        with transaction(self._connection):
            for _ in range(BLOCKS_PER_STEP):
                oldest = self._oldest()
                if oldest is None or not self._delete_oldest(oldest, limits, cutoff_ms):
                    break

    def _delete_oldest(self, block: Block, limits: Limits, cutoff_ms: int) -> bool:
        """Delete of the oldest block what is to go; return whether the next block may be next."""
        if block.newest_ms < cutoff_ms:
            self._delete_block(block)
            return True
        if block.oldest_ms < cutoff_ms:
            self._trim(block, cutoff_ms)
        if not self._is_too_large(limits):
            return False
        if self._delete_bodies(block, limits):
            return False
        self._delete_block(block)
        return True

    def _delete_block(self, block: Block) -> None:
        self._delete_rows(block.first_id, block.last_id)
        for table in ("blocks", "block_request_ids"):
            self._connection.execute(f"DELETE FROM {table} WHERE block = ?", (block.number,))  # noqa: S608 - constants
        self._deleted_blocks += 1

    def _delete_rows(self, first_id: int, last_id: int) -> None:
        for table in ("requests", "bodies"):
            sql = f"DELETE FROM {table} WHERE id BETWEEN ? AND ?"  # noqa: S608 - constants
            self._connection.execute(sql, (first_id, last_id))

    def _delete_bodies(self, block: Block, limits: Limits) -> bool:
        """Delete bodies of a block, the oldest first: they are far larger than its rows. Return whether it had some."""
        ids = self._connection.execute(
            "SELECT id FROM bodies WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
            (block.first_id, block.last_id, BODIES_PER_STEP),
        ).fetchall()
        for (number,) in ids:
            self._connection.execute("DELETE FROM bodies WHERE id = ?", (number,))
            if not self._is_too_large(limits):
                break
        return bool(ids)

    def _trim(self, block: Block, cutoff_ms: int) -> None:
        """Delete the old rows at the beginning of a block, which may have younger ones for weeks."""
        execute = self._connection.execute
        kept_id, oldest_ms = execute(
            "SELECT min(id), min(ended_ms) FROM requests WHERE id BETWEEN ? AND ? AND ended_ms >= ?",
            (block.first_id, block.last_id, cutoff_ms),
        ).fetchone()
        if kept_id is None:
            self._delete_block(block)
            return
        self._delete_rows(block.first_id, kept_id - 1)
        row = execute(
            "SELECT prefix, lines FROM block_request_ids WHERE block = ?", (block.number,)
        ).fetchone()
        left = PackedIds(*row).without_first(kept_id - block.first_id)
        execute("UPDATE block_request_ids SET lines = ? WHERE block = ?", (left.lines, block.number))
        execute(
            "UPDATE blocks SET first_id = ?, oldest_ms = ? WHERE block = ?",
            (kept_id, oldest_ms, block.number),
        )

    def _sweep(self, now_s: float) -> None:
        """Delete the names that neither rows nor usage have, if blocks were deleted: once an hour."""
        if not self._deleted_blocks or now_s < self._swept_at_s + SWEEP_INTERVAL_S:
            return
        self._deleted_blocks = 0
        self._swept_at_s = now_s
        self.has_swept = True
        with transaction(self._connection):
            texts = self._connection.execute("SELECT marks FROM blocks")
            used = set[int]().union(*(names_in(text) for (text,) in texts))
            self._connection.execute(_SWEEP, (json.dumps(list(used)),))

    def _oldest(self) -> Block | None:
        row = self._connection.execute(_OLDEST).fetchone()
        return None if row is None else Block(*row)

    def _shrink(self, limits: Limits) -> bool:
        """Return some free pages to the file system; return whether there may be more."""
        pages, free = self._read("PRAGMA page_count"), self._read("PRAGMA freelist_count")
        if free and pages * self._page_bytes > limits.max_bytes + SLACK_BYTES:
            self._has_shrunk = True
            # As a script: ``execute`` would stop after the first page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({PAGES_PER_STEP})")
            return True
        if self._has_shrunk:
            self._has_shrunk = False
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # cuts the file off
        return False

    def _is_too_large(self, limits: Limits) -> bool:
        used = self._read("PRAGMA page_count") - self._read("PRAGMA freelist_count")
        return used * self._page_bytes > limits.max_bytes

    def _read(self, pragma: str) -> int:
        value: int = self._connection.execute(pragma).fetchone()[0]
        return value
