"""The shared/exclusive lock of a target."""

import asyncio
from contextlib import suppress

import pytest

from gglib.core.models import RunningTarget
from gglib.proxy.relay.target_locks import ExclusiveTimeoutError, TargetLock, TargetLocks

LONG_S = 60.0


async def settle() -> None:
    """Run all ready tasks."""
    for _ in range(10):
        await asyncio.sleep(0)


class Turn:
    """An exchange that holds a lock exclusively until ``end``."""

    def __init__(self, lock: TargetLock, name: str, log: list[str], *, limit_s: float = LONG_S) -> None:
        self._end = asyncio.Event()
        self.task = asyncio.create_task(self._run(lock, name, log, limit_s))

    async def _run(self, lock: TargetLock, name: str, log: list[str], limit_s: float) -> None:
        async with lock.exclusive(limit_s):
            log.append(f"{name} begins")
            await self._end.wait()
        log.append(f"{name} ends")

    async def end(self) -> None:
        """End the exchange."""
        self._end.set()
        await self.task


def test_concurrent_exchanges() -> None:
    """Exchanges in flight at its start or since count, even if they have ended; earlier ones do not."""
    lock = TargetLock()
    first = lock.try_acquire_shared()
    assert not lock.had_concurrent(first)
    second = lock.try_acquire_shared()
    assert lock.had_concurrent(first)
    assert lock.had_concurrent(second)
    lock.release_shared()
    assert lock.had_concurrent(first)
    lock.release_shared()
    third = lock.try_acquire_shared()
    assert not lock.had_concurrent(third)


async def test_idle_lock_is_acquired_at_once() -> None:
    """An idle lock is acquired exclusively without a wait, even with a limit of 0."""
    lock = TargetLock()
    async with lock.exclusive(0):
        assert not lock.is_idle
    assert lock.is_idle


async def test_exclusive_exchanges_run_in_order_before_new_shared_ones() -> None:
    """Exclusive exchanges run one at a time, oldest first; then all shared waiters continue."""
    lock, log = TargetLock(), list[str]()
    lock.try_acquire_shared()
    lock.try_acquire_shared()
    first, second = Turn(lock, "first", log), Turn(lock, "second", log)
    await settle()
    newcomer = asyncio.create_task(lock.wait_shared())
    lock.release_shared()
    await settle()
    assert log == []
    lock.release_shared()
    await settle()
    assert log == ["first begins"]
    await first.end()
    await settle()
    assert log == ["first begins", "first ends", "second begins"]
    assert not newcomer.done()
    await second.end()
    await newcomer
    assert lock.is_idle


async def test_shared_waiters_wait_for_each_exclusive_request() -> None:
    """A woken shared waiter does not acquire a lock that was requested exclusively again."""
    lock = TargetLock()
    async with lock.exclusive(0):
        newcomer = asyncio.create_task(lock.wait_shared())
        await settle()
    # The lock is open, and the newcomer has been woken but has not run yet.
    async with lock.exclusive(0):
        await settle()
        assert not newcomer.done()
    await newcomer


async def test_exclusive_request_times_out() -> None:
    """After the timeout the exclusive request is dropped, and shared waiters continue."""
    lock, log = TargetLock(), list[str]()
    lock.try_acquire_shared()
    turn = Turn(lock, "turn", log, limit_s=0)
    newcomer = asyncio.create_task(lock.wait_shared())
    with pytest.raises(ExclusiveTimeoutError):
        await turn.task
    await newcomer
    lock.release_shared()
    assert log == []
    assert lock.is_idle


@pytest.mark.parametrize("has_begun", [False, True])
async def test_cancelled_exclusive_exchange_leaves_no_state(has_begun: bool) -> None:  # noqa: FBT001
    """If a waiting or running exclusive exchange is cancelled, the next one runs, and shared waiters continue."""
    lock, log = TargetLock(), list[str]()
    lock.try_acquire_shared()
    first, second = Turn(lock, "first", log), Turn(lock, "second", log)
    newcomer = asyncio.create_task(lock.wait_shared())
    await settle()
    if has_begun:
        lock.release_shared()
        await settle()
    first.task.cancel()
    with suppress(asyncio.CancelledError):
        await first.task
    if not has_begun:
        lock.release_shared()
    await settle()
    assert log[-1] == "second begins"
    assert not newcomer.done()
    await second.end()
    await newcomer
    assert lock.is_idle


async def test_cancelled_shared_waiter_leaves_no_state() -> None:
    """A cancelled shared waiter leaves no state."""
    lock, log = TargetLock(), list[str]()
    turn = Turn(lock, "turn", log)
    await settle()
    newcomer = asyncio.create_task(lock.wait_shared())
    await settle()
    newcomer.cancel()
    with suppress(asyncio.CancelledError):
        await newcomer
    await turn.end()
    assert lock.is_idle


def test_locks_are_keyed_by_target_and_dropped_when_idle() -> None:
    """Locks are keyed by socket or address; a lock in use is never dropped."""
    target_locks = TargetLocks()

    def target(number: int, *, is_socket: bool = False) -> RunningTarget:
        return RunningTarget(
            base_url="http://localhost" if is_socket else f"http://127.0.0.1:{number}",
            model_id=1,
            model_name="m",
            effective_ctx=1,
            unix_socket=f"/{number}.sock" if is_socket else None,
        )

    busy = target_locks.of(target(1))
    busy.try_acquire_shared()
    assert target_locks.of(target(1)) is busy
    assert target_locks.of(target(1, is_socket=True)) is not busy
    for number in range(2, 1000):
        target_locks.of(target(number, is_socket=True))
    assert target_locks.of(target(1)) is busy
    assert len(target_locks._locks) <= 65
