"""A shared/exclusive lock per target: exchanges share it, a repeated exchange takes it exclusively.

Theory of operation. Every exchange with an engine acquires the lock of its target in shared mode, which costs two
counter updates. An exchange that failed because of concurrent exchanges is repeated in exclusive mode. While exclusive
exchanges are queued, no new exchange acquires the lock; those in flight end, then the exclusive ones run one at a time,
oldest first. When the queue is empty, the waiting shared exchanges continue.

The module does not depend on models, HTTP or the reason for an exclusive exchange.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gglib.core.models import RunningTarget

_SWEEP_THRESHOLD = 64
"""Number of locks at which idle ones are dropped: each launch of a model adds a target."""


class ExclusiveTimeoutError(Exception):
    """The exchanges in flight did not end in time."""


class TargetLock:
    """The lock of one target."""

    __slots__ = ("_exclusive_queue", "_in_flight", "_shared_waiters", "_started_count")

    def __init__(self) -> None:
        self._started_count = 0
        """Number of shared acquisitions so far."""
        self._in_flight = 0
        self._exclusive_queue: deque[asyncio.Future[None]] = deque()
        """Exclusive exchanges, oldest first. Only the first can be running; then its future is done."""
        self._shared_waiters: set[asyncio.Future[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether no exchange is in flight or waiting."""
        return not (self._in_flight or self._exclusive_queue or self._shared_waiters)

    async def wait_shared(self) -> None:
        """Wait until no exclusive exchange is running or queued."""
        while self._exclusive_queue:
            waiter = asyncio.get_running_loop().create_future()
            self._shared_waiters.add(waiter)
            try:
                await waiter
            finally:
                self._shared_waiters.discard(waiter)

    def try_acquire_shared(self) -> int | None:
        """Acquire in shared mode and return a ticket for ``had_concurrent``.

        Returns None while an exclusive exchange is running or queued.
        """
        if self._exclusive_queue:
            return None
        self._in_flight += 1
        self._started_count += 1
        return self._started_count if self._in_flight == 1 else 0

    def had_concurrent(self, ticket: int | None) -> bool:
        """Whether another exchange was in flight at any time since the exchange with ``ticket`` started."""
        return ticket != self._started_count

    def release_shared(self) -> None:
        """Release the shared lock of an exchange that has ended."""
        self._in_flight -= 1
        if self._exclusive_queue:
            self._wake_next()

    @asynccontextmanager
    async def exclusive(self, limit_s: float) -> AsyncIterator[None]:
        """Hold the lock exclusively for a block. The caller must have released its shared lock.

        Raises ``ExclusiveTimeoutError`` when the lock is not acquired within ``limit_s``.
        """
        acquired = asyncio.get_running_loop().create_future()
        self._exclusive_queue.append(acquired)
        try:
            self._wake_next()
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await acquired
            if not acquired.done() or acquired.cancelled():
                raise ExclusiveTimeoutError
            yield
        finally:
            self._exclusive_queue.remove(acquired)
            self._wake_next()

    def _wake_next(self) -> None:
        """Start the oldest exclusive exchange if none is in flight; with an empty queue, wake all shared waiters."""
        if not self._exclusive_queue:
            for waiter in self._shared_waiters:
                if not waiter.done():
                    waiter.set_result(None)
        elif not self._in_flight and not self._exclusive_queue[0].done():
            self._exclusive_queue[0].set_result(None)


class TargetLocks:
    """The locks of all targets."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[str, TargetLock] = {}

    def of(self, target: RunningTarget) -> TargetLock:
        """Return the lock of a target, by its address."""
        key = target.unix_socket or target.base_url
        lock = self._locks.get(key)
        return self._add(key) if lock is None else lock

    def _add(self, key: str) -> TargetLock:
        if len(self._locks) >= _SWEEP_THRESHOLD:
            self._locks = {old_key: lock for old_key, lock in self._locks.items() if not lock.is_idle}
        lock = self._locks[key] = TargetLock()
        return lock
