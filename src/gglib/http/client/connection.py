"""A connection to a server: HTTP/1.1 over any asyncio transport.

Theory of operation. The transport's callbacks update a small state (head, body parts, EOF, fault). At most one task
uses the connection; it reads that state and sleeps in ``_wait_for_change`` until a callback wakes it. While the task
sleeps in ``relay_to``, ``data_received`` writes body parts straight into its ``RelayTarget`` and wakes the task for the
last part only. When the target is full and more than ``QUEUE_LIMIT_BYTES`` are queued, the transport pauses reading and
TCP flow control slows the server down.

One timer checks for stalls. Received data and the end of an exchange do not reschedule it: when it fires it checks the
``StallTimer`` and schedules the next check for the earliest possible expiry, or stops if no response is expected. Only
time that the task spends in ``_wait_for_change`` counts, so a slow client does not count as a stall of the server. The
timer also runs after ``data_received`` wrote the part that filled the target: while nothing is queued, the server has
sent nothing since. This module has no knowledge of pools, models or clients.
"""

import asyncio
from typing import Protocol, Self

from gglib.http.client.stall import StallTimer
from gglib.http.errors import TransportError
from gglib.http.response_reader import ResponseHead, ResponseReader

QUEUE_LIMIT_BYTES = 32 * 1024
"""How much of a response is queued for a slow client before reading pauses."""

SMALL_BODY_BYTES = 64 * 1024
"""A body up to this size may be sent in one write with the head."""
_SLICE_BYTES = 1024 * 1024
"""Large bodies are written in slices, so that the transport does not buffer a second copy of the whole body."""

_RECHECK_S = 0.01
"""uvloop runs timers before it reads sockets: if this process itself was blocked for the length of the timeout, the
response may be waiting in the socket. So a stall counts only if a check a moment later confirms it."""


class RelayTarget(Protocol):
    """The destination of a response body in ``relay_to``."""

    def try_write(self, part: bytes, *, is_last: bool = False) -> bool:
        """Write a part and return True, or return False without writing if the target is full.

        The target is full while its client reads too slowly. Only the last part may be empty.
        """
        ...

    async def drain(self) -> None:
        """Return when the target is not full."""
        ...

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Write a part once the target is not full. Only the last part may be empty."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """A connection for successive exchanges. It removes itself from ``registry`` when it is lost."""

    def __init__(self, registry: set["UpstreamConnection"], *, origin_header_lines: bytes) -> None:
        self._registry = registry
        self.origin_header_lines = origin_header_lines
        """The header lines of every request to this server."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.is_at_eof = False
        """Whether the server has closed its side of the connection."""
        self._is_unusable = False
        self._is_writing_paused = False
        self._stall_check: asyncio.TimerHandle | None = None
        self._reset_exchange(StallTimer(first_byte_s=0, chunk_gap_s=0))

    def _reset_exchange(self, stall_timer: StallTimer) -> None:
        self._reader = ResponseReader()
        self._is_sent = False
        self._is_exchange_open = False
        self._is_reading_paused = False
        self._fault: TransportError | None = None
        self._stall_timer = stall_timer
        self._has_begun = False
        self._target: RelayTarget | None = None
        self._is_relayed = False
        self._queue: list[bytes] = []
        self._queued_bytes = 0

    # -- what the task that uses the connection calls ------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """Whether a request can be sent: the server has neither closed the connection nor sent unsolicited data."""
        transport = self._transport
        return not self._is_unusable and transport is not None and not transport.is_closing()

    def may_be_reused(self, *, after_chunks: bool = False) -> bool:
        """Whether the exchange ended such that another may follow. Check ``is_alive`` before the next exchange.

        ``after_chunks``: also after a chunked response, whose head says so. Not for engines: llama-server closes the
        connection right after a chunked response although its head says Keep-Alive (seen in its system calls): the next
        request raced with the close, and one in two failed.
        """
        reader = self._reader
        head = reader.head
        if (
            head is None
            or not reader.is_complete
            or reader.has_trailing_data
            or self._queue
            or not self._is_sent
        ):
            return False
        return head.may_keep_alive and (after_chunks or not head.is_chunked)

    @property
    def is_fully_read(self) -> bool:
        """Whether the whole response has been read."""
        return self._reader.is_complete and not self._queue

    @property
    def unsent_bytes(self) -> int:
        """Bytes of the request that wait in the transport for the server to read."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def send_small(self, request: bytes, stall_timer: StallTimer) -> None:
        """Write a whole request at once, without regard to flow control; otherwise like ``send``."""
        self._start_exchange(stall_timer)
        self._write(request)
        self._is_sent = True

    async def send(self, head: bytes, body: bytes, stall_timer: StallTimer) -> None:
        """Write a request, no faster than the server reads it; stop writing if the response begins early.

        ``stall_timer`` limits how long the server may send nothing, from now to the end of its response. When it
        expires, the connection is closed and reads raise ``StallError``.
        """
        self._start_exchange(stall_timer)
        self._write(head)
        view = memoryview(body)
        for start in range(0, len(body), _SLICE_BYTES):
            await self._wait_until_writable()
            if self._reader.head is not None or self._fault is not None:
                return
            self._write(view[start : start + _SLICE_BYTES])
        self._is_sent = True

    def _start_exchange(self, stall_timer: StallTimer) -> None:
        self._reset_exchange(stall_timer)
        self._is_exchange_open = True
        self._schedule_stall_check()
        if self.is_at_eof:  # the server accepted the connection and closed it
            self._receive_eof()

    async def read_head(self) -> None:
        """Wait for the response head. Raises ``TransportError``."""
        while self._reader.head is None:
            self._raise_fault()
            await self._wait_for_change()

    @property
    def head(self) -> ResponseHead:
        """The response head, after ``read_head``."""
        head = self._reader.head
        if head is None:
            raise RuntimeError("The response head has not been read.")
        return head

    @property
    def content_length(self) -> int | None:
        """The ``Content-Length`` of the response; None if there is none."""
        return self._reader.content_length

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next part of the body as it arrives. Raises ``TransportError`` if the response breaks off."""
        while not self._queue:
            if self._reader.is_complete:
                raise StopAsyncIteration
            self._raise_fault()
            await self._wait_for_change()
        return self.read_available()

    async def relay_to(self, target: RelayTarget) -> None:
        """Relay the rest of the body as it arrives. Raises ``TransportError`` if the response breaks off."""
        while True:
            await target.drain()  # keep reading paused while the target is full
            part = self.read_available()
            if self._reader.is_complete:
                await target.write(part, is_last=True)
                return
            if part:
                await target.write(part)
                continue
            self._raise_fault()
            self._target = target
            try:
                await self._wait_for_change()
            finally:
                self._target = None
            if self._is_relayed:
                return

    def read_available(self) -> bytes:
        """Return the queued part of the body, b"" if there is none, and resume reading."""
        queue = self._queue
        if not queue:
            return b""
        part = queue[0] if len(queue) == 1 else b"".join(queue)
        queue.clear()
        self._queued_bytes = 0
        if self._is_reading_paused and self._transport is not None:
            self._is_reading_paused = False
            self._transport.resume_reading()
        return part

    def put_back(self, part: bytes) -> None:
        """Have a part that was read, and is not empty, read again first."""
        self._queue.insert(0, part)
        self._queued_bytes += len(part)

    def abort(self) -> None:
        """Close at once and discard unsent data."""
        self._cancel_stall_check()
        if self._transport is not None:
            self._transport.abort()

    def break_off(self, reason: str, silent_s: float) -> None:
        """End an exchange in which the server has sent no content for ``silent_s`` seconds: reads raise an error.

        ``reason`` completes a sentence that begins with "The server".
        """
        if self._is_exchange_open and self._stall_timer.silence_s(self._loop.time()) >= silent_s:
            self._fail(TransportError(reason))
            self.abort()
            self._wake()

    async def _wait_until_writable(self) -> None:
        while self._is_writing_paused and self._reader.head is None and self._fault is None:
            await self._wait_for_change()

    def _write(self, data: bytes | memoryview) -> None:
        if self._transport is not None and self._fault is None:
            self._transport.write(data)

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    async def _wait_for_change(self) -> None:
        self._waiter = self._loop.create_future()
        self._stall_timer.start(self._loop.time())
        try:
            await self._waiter
        finally:
            self._waiter = None
            if self._stall_timer.is_running:  # no content received
                self._stall_timer.pause(self._loop.time())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _schedule_stall_check(self) -> None:
        now_s = self._loop.time()
        delay_s = self._stall_timer.next_check_s(now_s)
        if delay_s is not None and (self._stall_check is None or self._stall_check.when() > now_s + delay_s):
            self._cancel_stall_check()
            self._check_stall_in(delay_s)

    def _check_stall_in(self, delay_s: float | None, *, is_recheck: bool = False) -> None:
        self._stall_check = (
            None if delay_s is None else self._loop.call_later(delay_s, self._check_stall, is_recheck)
        )

    def _cancel_stall_check(self) -> None:
        if self._stall_check is not None:
            self._stall_check.cancel()
            self._stall_check = None

    # -- what the event loop calls -------------------------------------------------------------------------

    def _check_stall(self, is_recheck: bool) -> None:  # noqa: FBT001 - call_later passes no keywords
        now_s = self._loop.time()
        if not self._is_exchange_open:
            self._stall_check = None
        elif not self._stall_timer.is_expired(now_s):
            self._check_stall_in(self._stall_timer.next_check_s(now_s))
        elif not is_recheck:
            self._check_stall_in(_RECHECK_S, is_recheck=True)
        else:
            self._fail(self._stall_timer.error())
            self.abort()
            self._wake()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Store the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse data and relay it at once, unless parts are queued or the target is full."""
        if not self._is_exchange_open:
            self._is_unusable = True
            return
        reader, target = self._reader, self._target
        part, is_last = reader.receive(data), reader.is_complete
        is_relayed_now = (
            target is not None
            and (part or is_last)
            and reader.fault is None
            and not self._queued_bytes
            and target.try_write(part, is_last=is_last)
        )
        if not is_relayed_now:
            self._queue_part(part)
        elif is_last:
            # Set here, not in the task: a response is complete even if the task is cancelled before it runs.
            self._is_relayed = True
            self._queue_part(b"")
        else:
            self._stall_timer.record_part(part, self._loop.time())  # the task keeps sleeping
        if reader.should_yield:
            self._yield_to_loop()

    def eof_received(self) -> bool:
        """Handle EOF, which completes only a body that ends with the connection."""
        self._receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Handle the loss of the connection, with or without EOF before."""
        self._cancel_stall_check()
        self._receive_eof()
        self._registry.discard(self)

    def pause_writing(self) -> None:
        """Pause writing the request: the server reads too slowly."""
        self._is_writing_paused = True

    def resume_writing(self) -> None:
        """Resume writing the request. The server has read, which resets the stall timer."""
        self._is_writing_paused = False
        self._stall_timer.reset()
        self._wake()

    def _queue_part(self, part: bytes) -> None:
        """Queue a part and wake the task, which handles a head, the end, a fault and a full target."""
        reader = self._reader
        if reader.head is not None and not self._has_begun:
            self._has_begun = True
            self._stall_timer.record_head(is_event_stream=reader.head.is_event_stream)
        if reader.fault is not None:
            self._fail(TransportError(reader.fault))
        elif reader.is_complete:
            self._is_exchange_open = False
        if part:
            self._stall_timer.record_part(part, None)
            self._enqueue(part)
        self._wake()

    def _yield_to_loop(self) -> None:
        """Pause reading for one loop iteration, in which uvloop would read up to 32 times."""
        self._reader.should_yield = False
        if not self._is_reading_paused and self._transport is not None and not self._reader.is_complete:
            self._transport.pause_reading()
            self._loop.call_soon(self._resume_after_yield)

    def _resume_after_yield(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing() and not self._is_reading_paused:
            transport.resume_reading()

    def _enqueue(self, part: bytes) -> None:
        self._queue.append(part)
        self._queued_bytes += len(part)
        is_too_much = self._queued_bytes > QUEUE_LIMIT_BYTES and not self._reader.is_complete
        if is_too_much and not self._is_reading_paused and self._transport is not None:
            self._is_reading_paused = True
            self._transport.pause_reading()

    def _receive_eof(self) -> None:
        self.is_at_eof = self._is_unusable = True
        self._reader.receive_eof()
        if self._reader.fault is not None:
            self._fail(TransportError(self._reader.fault))
        self._wake()

    def _fail(self, fault: TransportError) -> None:
        if not self._reader.is_complete and self._fault is None:
            self._fault = fault
