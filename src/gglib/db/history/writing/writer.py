"""The thread that writes the history. Requests never wait for it, and its failures never reach them."""

import logging
import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gglib.core.errors import HistoryError
from gglib.core.history.records import RequestRecord
from gglib.core.ports.history import HistoryStatistics
from gglib.db.history.errors import is_damage, reason_of
from gglib.db.history.files import move_aside, size_bytes
from gglib.db.history.local_time import local_hour
from gglib.db.history.writing.aggregation import Allowance, aggregate
from gglib.db.history.writing.batches import bounded, is_storable
from gglib.db.history.writing.pruning import Limits, Pruner
from gglib.db.history.writing.record_queue import RecordQueue
from gglib.db.history.writing.store import HistoryStore, Redact

log = logging.getLogger("gglib.history")

COMMIT_DELAY_S = 0.45
"""From the first queued request to the commit of all; with the commit itself below half a second."""
PRUNE_AGAIN_S = 0.05
IDLE_S = 60.0
"""How often requests are checked for their age if there are no new ones."""


@dataclass(frozen=True, slots=True)
class RetryTimes:
    """How long after a failure the next attempt follows, in seconds."""

    write_s: float = 1.0
    open_s: float = 10.0


class HistoryWriter:
    """Writes what is queued. ``start`` and ``stop`` block; the other methods are for any thread."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        *,
        redact: Redact | None = None,
        queue: RecordQueue | None = None,
        retries: RetryTimes = RetryTimes(),
    ) -> None:
        self.limits = limits
        self.queue = RecordQueue() if queue is None else queue
        self._path = path
        self._redact = redact
        self._retries = retries
        self._thread = threading.Thread(target=self._run, name="gglib-history", daemon=True)
        self._hurry = threading.Event()
        """Set when a reader waits for the commit, or the writer is to stop."""
        self._is_stopping = False
        self._progress = threading.Condition()
        self._attempts = 0
        self._handled = 0
        """Requests of the queue that were stored or lost."""
        self._recorded = self._aggregated = self._lost = 0
        self._lost_before_failure = 0
        self._reported_bodies = 0
        """Requests whose bodies were dropped, as last logged."""
        self._error: str | None = None
        self._replaced_at_s = float("-inf")
        """When the last damaged file was moved aside; ``time.monotonic``."""
        self._allowance = Allowance()
        self._store: HistoryStore | None = None
        self._pruner: Pruner | None = None

    def start(self, wait_s: float) -> None:
        """Start the thread and wait until it has opened the file, or failed to; at most ``wait_s`` seconds."""
        self._thread.start()
        with self._progress:
            self._progress.wait_for(lambda: self._attempts > 0, wait_s)

    def stop(self, wait_s: float) -> None:
        """Write what is queued, close the file and end the thread; give up after ``wait_s`` seconds."""
        self._is_stopping = True
        self._hurry.set()
        self.queue.wake.set()
        self._thread.join(wait_s)
        if self._thread.is_alive():
            log.warning("The request history cannot be closed in time: its last requests may be missing.")

    def flush(self, wait_s: float) -> None:
        """Wait until all requests that were queued before are stored; not while writing fails."""
        target = self.queue.added
        if self._handled >= target or self._error is not None:
            return
        self._hurry.set()
        self.queue.wake.set()
        with self._progress:
            self._progress.wait_for(lambda: self._handled >= target or self._error is not None, wait_s)

    def wake(self) -> None:
        """Apply changed limits now."""
        self.queue.wake.set()

    def statistics(self) -> HistoryStatistics:
        """Return the current counts."""
        return HistoryStatistics(
            recorded=self._recorded,
            aggregated=self._aggregated,
            lost=self._lost + self.queue.lost,
            error=self._error,
            size_bytes=size_bytes(self._path),
        )

    def _run(self) -> None:
        wait_s = 0.0
        while not self._is_stopping:
            if self.queue.wake.wait(wait_s) and self._error is None and len(self.queue):
                self._hurry.wait(COMMIT_DELAY_S)  # more requests for the same commit
            self.queue.wake.clear()
            self._hurry.clear()
            wait_s = self._try_step()
            if self._error is not None:
                self._pause(wait_s)
        self._finish()

    def _pause(self, wait_s: float) -> None:
        """Wait for the next attempt, whatever is queued meanwhile."""
        deadline_s = time.monotonic() + wait_s
        while not self._is_stopping and (left_s := deadline_s - time.monotonic()) > 0:
            self._hurry.wait(left_s)
            if not self._is_stopping:
                self._hurry.clear()

    def _finish(self) -> None:
        self._try_step()
        self.queue.limit = 0  # what comes now is lost
        if self._store is not None:
            with suppress(sqlite3.Error):
                self._store.close()
        left = len(self.queue)
        self._lost += left
        if left:
            log.warning("The request history ends without the last %d requests.", left)
        self._advance(left)

    def _try_step(self) -> float:
        """Write and prune; return after how many seconds there is more to do."""
        try:
            wait_s = self._step()
        except (sqlite3.Error, OSError, HistoryError) as error:
            wait_s = self._failed(error)
        except Exception as error:
            log.exception("The request history has a bug")
            wait_s = self._failed(error)
        self._attempts += 1
        self._advance(0)
        return wait_s

    def _step(self) -> float:
        if self._store is not None and not self._store.is_in_place():
            self._leave_removed(self._store)
        if self._store is None:
            self._store = HistoryStore(self._path, local_hour)
            self._pruner = Pruner(self._store.connection)
        left = len(self.queue)
        while left > 0:
            left -= self._write_batch(self._store)
        self._succeeded()
        self._report_dropped_bodies()
        return self._prune(self._store)

    def _write_batch(self, store: HistoryStore) -> int:
        taken = self.queue.take()
        try:
            self._write_checked(store, taken)
        except BaseException:
            self.queue.put_back(taken)
            raise
        self._advance(len(taken))
        return len(taken)

    def _write_checked(self, store: HistoryStore, records: list[RequestRecord]) -> None:
        """Write records; those with values that cannot be stored are lost, the others with values within bounds."""
        try:
            self._write(store, records)
        except (sqlite3.Error, OSError):
            raise
        except Exception:
            log.debug("a batch has values that cannot be stored", exc_info=True)
        else:
            return
        storable = [bounded(record) for record in records if is_storable(record)]
        try:
            self._write(store, storable)
        except (sqlite3.Error, OSError):
            raise
        except Exception:  # a bug must not stop the batches that follow
            log.exception("%d requests cannot be stored", len(records))
            self._lost += len(records)
            return
        if lost := len(records) - len(storable):
            self._lost += lost
            log.error("%d requests have values that cannot be stored", lost)

    def _write(self, store: HistoryStore, records: list[RequestRecord]) -> None:
        rows, allowance = aggregate(records, self._allowance)
        store.write(rows, self._redact)
        self._allowance = allowance
        self._recorded += len(records)
        self._aggregated += rows.aggregated

    def _prune(self, store: HistoryStore) -> float:
        if self._pruner is None:
            return IDLE_S
        has_more = self._pruner.step(self.limits, time.time())
        if self._pruner.has_swept:
            store.forget_names()
        elif self._pruner.has_deleted:
            store.forget_block()
        return PRUNE_AGAIN_S if has_more else IDLE_S

    def _advance(self, count: int) -> None:
        with self._progress:
            self._handled += count
            self._progress.notify_all()

    def _succeeded(self) -> None:
        if self._error is not None:
            self._error = None
            lost = self._lost + self.queue.lost - self._lost_before_failure
            log.info("The request history is written again; %d requests were lost.", lost)

    def _report_dropped_bodies(self) -> None:
        dropped = self.queue.dropped_bodies
        if dropped > self._reported_bodies:
            self._reported_bodies = dropped
            log.warning(
                "The request history has dropped recorded bodies, of %d requests since the start: they arrived faster"
                " than they can be stored, or while it could not be written. The requests themselves are stored.",
                dropped,
            )

    def _failed(self, error: Exception) -> float:
        # A disk that damages every new file must not keep the thread busy.
        if is_damage(error) and time.monotonic() >= self._replaced_at_s + self._retries.open_s:
            return self._replace(error)
        reason = reason_of(error)
        if self._error is None:
            self._lost_before_failure = self._lost + self.queue.lost
            log.warning(
                "The request history cannot be written: %s. Requests are served; up to %d of them are kept"
                " in memory until it can be.",
                reason,
                self.queue.limit,
            )
        self._error = reason
        return self._retries.open_s if self._store is None else self._retries.write_s

    def _leave_removed(self, store: HistoryStore) -> None:
        """Close a file that was deleted or moved away meanwhile: what is written to it cannot be found any more."""
        self._store = None
        with suppress(sqlite3.Error):
            store.close()
        log.warning("The request history %s was deleted or moved: a new one begins.", self._path)

    def _replace(self, error: Exception) -> float:
        """Move the damaged file aside; the next step begins a new one."""
        self._replaced_at_s = time.monotonic()
        if self._store is not None:
            with suppress(sqlite3.Error):
                self._store.connection.close()
            self._store = None
        try:
            target = move_aside(self._path, datetime.now().astimezone())
        except OSError as failure:
            return self._failed(failure)
        log.warning(
            "The request history was damaged (%s): it is %s now, and a new one begins.", error, target.name
        )
        self.queue.wake.set()
        return 0.0
