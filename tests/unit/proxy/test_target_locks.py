"""Exchanges with one target, and those that have it alone."""

import asyncio
from contextlib import suppress

import pytest

from gglib.core.models import RunningTarget
from gglib.proxy.target_locks import ExclusiveTimeoutError, TargetLock, TargetLocks

LONG_S = 60.0


async def settle() -> None:
    """Let everything go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Turn:
    """An exchange that wants a lock for itself, and has it until ``end``."""

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


def test_company_is_what_was_there_at_the_begin_or_has_come_since() -> None:
    """Also when it has left by then; what came and left before is none."""
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


async def test_an_empty_lane_is_had_at_once() -> None:
    """Without a wait, also where none is allowed."""
    lock = TargetLock()
    async with lock.exclusive(0):
        assert not lock.is_idle
    assert lock.is_idle


async def test_a_turn_begins_when_the_others_have_left_and_new_ones_wait_behind_it() -> None:
    """Turns go one after the other, oldest first; then all that waits enters."""
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


async def test_what_waits_behind_one_turn_waits_behind_the_next_as_well() -> None:
    """A lock that is reserved anew before a waiting exchange has come to enter is not entered."""
    lock = TargetLock()
    async with lock.exclusive(0):
        newcomer = asyncio.create_task(lock.wait_shared())
        await settle()
    # The lock is open, and the newcomer has been woken but has not run yet.
    async with lock.exclusive(0):
        await settle()
        assert not newcomer.done()
    await newcomer


async def test_others_that_do_not_end_are_not_waited_for_without_bound() -> None:
    """The turn is given up, and nothing waits behind it any more."""
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
async def test_a_turn_that_is_cancelled_leaves_nothing_behind(has_begun: bool) -> None:  # noqa: FBT001
    """Whether it waits or is alone, the next one gets its turn, and what waits enters."""
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


async def test_what_waits_to_enter_may_leave() -> None:
    """A client that goes away while its request waits leaves nothing behind."""
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


def test_each_target_has_a_lane_and_old_ones_go() -> None:
    """By its socket, or its address; a lock with traffic stays, however many targets there were since."""
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
