"""The measured memory of earlier launches in SQLite.

A peak can be measured again: records that cannot be read are ignored.
"""

import json
import sqlite3

from gglib.core.memory import DeviceBytes
from gglib.core.ports.memory_peaks import MemoryPeakStorePort
from gglib.db.transactions import SqliteTransactions

MAX_PEAKS = 500
"""A catalogue of a hundred models, each with a few contexts and sets of options."""

_RECORD = """
    INSERT INTO memory_peaks (key, size, updated_at) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET size = excluded.size, updated_at = excluded.updated_at
"""
_DELETE_OLDEST = """
    DELETE FROM memory_peaks WHERE key IN
        (SELECT key FROM memory_peaks ORDER BY updated_at DESC, key LIMIT -1 OFFSET ?)
"""


class SqlitePeakStore(MemoryPeakStorePort, SqliteTransactions):
    """Implements ``MemoryPeakStorePort`` on top of abstract reads and writes."""

    async def list_peaks(self) -> dict[str, DeviceBytes]:
        """Return the recorded peaks by key."""
        return await self._read(_load)

    async def record_peak(self, key: str, size: DeviceBytes) -> None:
        """Record a peak, or replace it, and delete the oldest records beyond ``MAX_PEAKS``."""

        def record(connection: sqlite3.Connection) -> None:
            connection.execute(_RECORD, (key, json.dumps(dict(size)), self._now()))
            connection.execute(_DELETE_OLDEST, (MAX_PEAKS,))

        await self._write(record)


def _load(connection: sqlite3.Connection) -> dict[str, DeviceBytes]:
    found = {
        key: _size(text)
        for key, text in connection.execute("SELECT key, size FROM memory_peaks ORDER BY key")
    }
    return {key: size for key, size in found.items() if size}


def _size(text: object) -> dict[str, int]:
    """Return a stored size; empty if it is not a JSON object of whole numbers."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    is_size = isinstance(found, dict) and all(type(size) is int for size in found.values())
    return found if isinstance(found, dict) and is_size else {}
