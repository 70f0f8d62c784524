"""Records finished requests in batches for the access log, the metrics, the history and the feed.

A batch takes half the time of single records, because code and data stay in the CPU caches from one record to the next.
"""

import asyncio
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from gglib.core.history.records import RequestRecord
from gglib.core.log_lines import TEXT
from gglib.core.nodes import MeasuredResponse
from gglib.core.plain_text import escape_line
from gglib.core.ports.history import RequestHistoryPort
from gglib.core.runtime.status import SwapStatus
from gglib.proxy.telemetry.access_log import AccessLog
from gglib.proxy.telemetry.metrics import RequestMetrics
from gglib.proxy.telemetry.outcome import Refusal
from gglib.proxy.telemetry.programs import ProgramNames
from gglib.proxy.telemetry.request_feed import RequestFeed
from gglib.proxy.telemetry.response_measures import measured_response
from gglib.proxy.telemetry.stored_requests import is_stored
from gglib.proxy.token_usage import Usage, read_usage

log = logging.getLogger("gglib.proxy")

FLUSH_INTERVAL_S = 0.2
"""Too short to notice in the log; a killed process loses at most the records of this interval."""
FLUSH_THRESHOLD = 100
"""A batch of this size blocks the event loop for less than a millisecond."""
_OTHER_THREAD_WAIT_S = 0.1
"""How long another thread waits until the loop has written the pending lines; a busy loop takes milliseconds."""
_SWAP_WAIT_S = 0.001
"""Requests that waited less caused no swap: a load takes longer."""
MAX_REQUESTED_CHARS = 200
"""Names that are longer are cut in the records: no name in a catalogue is."""
HistoryOf = Callable[[], RequestHistoryPort | None]
SwapOf = Callable[[str], SwapStatus | None]
NoteCached = Callable[[str, int, float], None]
"""A model's name, the tokens that a response of it has reused, and its end in Unix seconds."""
NoteResponse = Callable[[MeasuredResponse], None]
NoteOf = Callable[[], NoteResponse | None]
_recorders: "weakref.WeakSet[RequestRecorder]" = weakref.WeakSet()


def flush_pending() -> None:
    """Write the access lines of all finished requests, so that a record that is logged next follows them.

    From any thread. Another thread than that of the recorder's loop waits at most ``_OTHER_THREAD_WAIT_S``; then its
    record may precede lines of the last ``FLUSH_INTERVAL_S``.
    """
    for recorder in tuple(_recorders):
        recorder.flush_from_any_thread()


class RequestRecorder:
    """Records finished requests. ``route_of`` maps a path and a method to the route, see ``RequestMetrics``."""

    def __init__(self, route_of: Callable[[str, str], str], log_format: str = TEXT) -> None:
        self.feed = RequestFeed()
        """Publishes the stored requests."""
        self._route_of = route_of
        self._access_log = AccessLog(log_format)
        self._metrics = RequestMetrics(route_of)
        self._programs = ProgramNames()
        self._pending: list[tuple[float, RequestRecord | Refusal, bytes]] = []
        """Unprocessed records: end in seconds since the epoch, record, excerpts of the response body."""
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop of ``record``; set while there is something to flush."""
        _recorders.add(self)
        self._connection_counts: list[Callable[[], int]] = []
        self._servers: list[tuple[HistoryOf, SwapOf, NoteCached | None]] = []
        self._notes: list[NoteOf] = []

    def connection_count(self) -> int:
        """Return the number of client connections of all servers that use this recorder."""
        return sum(count() for count in self._connection_counts)

    @contextmanager
    def counting(self, connection_count: Callable[[], int]) -> Iterator[None]:
        """Include the connections of a server during the block."""
        self._connection_counts.append(connection_count)
        try:
            yield
        finally:
            self._connection_counts.remove(connection_count)

    @contextmanager
    def storing(
        self, history: HistoryOf, swap_of: SwapOf, note_cached: NoteCached | None = None
    ) -> Iterator[None]:
        """Store the requests of a server during the block, and the swaps that they caused.

        ``note_cached`` gets the reused tokens of each response of this machine that may continue a restored prompt.

        Servers that share a recorder have the same runtime and the same history, or none.
        """
        server = history, swap_of, note_cached
        self._servers.append(server)
        try:
            yield
        finally:
            self.flush()
            self._servers.remove(server)

    @contextmanager
    def measuring(self, note_of: NoteOf) -> Iterator[None]:
        """Pass what responses say of speeds to the function that ``note_of`` returns, during the block.

        ``note_of`` is called once for each batch; None: nothing is measured. Servers that share a recorder have the
        same function.
        """
        self._notes.append(note_of)
        try:
            yield
        finally:
            self._notes.remove(note_of)

    def metrics(self) -> RequestMetrics:
        """Return the metrics of all requests recorded so far."""
        self._process_pending()
        return self._metrics

    def record(self, record: RequestRecord, usage_excerpt: bytes) -> None:
        """Record a finished request. ``usage_excerpt`` are the parts of its response that report token usage."""
        self._pending.append((time.time(), record, usage_excerpt))
        self._schedule_flush()

    def record_refusal(self, refusal: Refusal) -> None:
        """Record a connection or malformed request that the HTTP server refused."""
        self._pending.append((time.time(), refusal, b""))
        self._schedule_flush()

    def flush(self) -> None:
        """Process all pending records and flush the access log."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._process_pending()
        self._access_log.flush()

    def flush_from_any_thread(self) -> None:
        """Flush, in the loop of the recorder if that runs in another thread."""
        loop = self._loop
        if self._timer is None or loop is None:
            return  # nothing is pending
        if not loop.is_running() or _running_loop() is loop:
            self.flush()
            return
        flushed = threading.Event()

        def flush() -> None:
            self.flush()
            flushed.set()

        with suppress(RuntimeError):  # the loop was closed in the meantime: it has flushed
            loop.call_soon_threadsafe(flush)
            flushed.wait(_OTHER_THREAD_WAIT_S)

    def _process_pending(self) -> None:
        pending, self._pending = self._pending, []
        history = next((found for of, _, _ in self._servers if (found := of()) is not None), None)
        keeps = history is not None or self.feed.has_subscribers
        note = self._notes[0]() if self._notes else None
        stored: list[RequestRecord] = []
        for at_s, item, usage_excerpt in pending:
            try:
                record = self._process(item, at_s, usage_excerpt, note)
                if keeps and is_stored(record):
                    self._complete(record)
                    stored.append(record)
            except Exception:  # a bug here must not affect other records or requests
                log.exception("%s: cannot be counted or logged", item.request_id)
        if stored:
            self._publish(stored, history)

    def _publish(self, stored: list[RequestRecord], history: RequestHistoryPort | None) -> None:
        self.feed.publish(stored)
        if history is not None:
            try:
                history.record(stored)
            except Exception:  # an adapter of an embedder must not affect requests
                log.exception("%d requests cannot be stored", len(stored))

    def _process(
        self, item: RequestRecord | Refusal, at_s: float, usage_excerpt: bytes, note: NoteResponse | None
    ) -> RequestRecord:
        """Count and log a record or a refusal. Return its record."""
        if isinstance(item, RequestRecord):
            item.ended_at_s = at_s
            if item.waited_s is not None:  # only a model reports usage
                usage = read_usage(usage_excerpt, item.path)
                item.prompt_tokens, item.completion_tokens, item.cached_tokens, item.tokens_per_s, _ = usage
                if note is not None:
                    _note(note, item, usage)
                # A new conversation finds nothing in restored slots, and says nothing about them.
                if (
                    item.cached_tokens is not None
                    and item.node is None
                    and item.continues_restored is not False
                ):
                    self._note_cached(item, item.cached_tokens)
            self._metrics.record(item)
            self._access_log.record(item, at_s)
            return item
        self._metrics.record_refusal(item.status)
        self._access_log.record_refusal(item, at_s)
        return item.record(at_s)

    def _note_cached(self, record: RequestRecord, cached_tokens: int) -> None:
        note_cached = next((note for _, _, note in self._servers), None)
        if note_cached is not None and record.model is not None:
            note_cached(record.model, cached_tokens, record.ended_at_s)

    def _complete(self, record: RequestRecord) -> None:
        """Add what only the history and the feed need."""
        record.route = self._route_of(record.path, record.method)
        record.program = self._programs.recorded(record.program, record.ended_at_s)
        if record.requested_model is not None:
            record.requested_model = escape_line(record.requested_model)[:MAX_REQUESTED_CHARS]
        if record.tokens_per_s is None:
            record.tokens_per_s = _stream_speed(record)
        waited_s = record.waited_s
        if record.model is not None and (waited_s is None or waited_s > _SWAP_WAIT_S):
            swaps = (swap_of(record.request_id) for _, swap_of, _ in self._servers)
            swap = next((swap for swap in swaps if swap is not None), None)
            record.swap = None if swap is None else describe_swap(swap)

    def _schedule_flush(self) -> None:
        if len(self._pending) >= FLUSH_THRESHOLD:
            self._process_pending()
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(FLUSH_INTERVAL_S, self.flush)


def _note(note: NoteResponse, record: RequestRecord, usage: Usage) -> None:
    measured = measured_response(record, usage)
    if measured is not None:
        note(measured)


def describe_swap(swap: SwapStatus) -> str:
    """Return a swap as ``FROM -> TO``, or ``-> TO`` if nothing was unloaded for it."""
    to = f"-> {swap.to_model or ''}".rstrip()
    return to if swap.from_model is None else f"{swap.from_model} {to}"


def _stream_speed(record: RequestRecord) -> float | None:
    """Return the tokens per second of a stream after its first part; None if unknown."""
    tokens, first_byte_s = record.completion_tokens, record.first_byte_s
    if not record.is_streamed or not tokens or first_byte_s is None:
        return None
    stream_s = record.duration_s - first_byte_s
    return round(tokens / stream_s, 2) if stream_s > 0 else None


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
