"""``CancelScope`` ends a block from outside; a background task runs beside a block."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gglib.http.tasks import BackgroundTask, BackgroundTasks, CancelScope, run_until_first_ends


class LeaveError(Exception):
    """The reason for which a test ends a block."""


async def test_cancel_scope_raises_the_reason_after_unwinding() -> None:
    """The reason is raised at the end of the block, after everything inside was cleaned up."""
    seen: list[str] = []

    @asynccontextmanager
    async def held() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0)
            seen.append("released")

    async def work() -> None:
        with CancelScope() as block:
            async with held():
                asyncio.get_running_loop().call_soon(block.cancel_with, LeaveError())
                await asyncio.Event().wait()

    with pytest.raises(LeaveError):
        await work()
    assert seen == ["released"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_first_reason_wins_and_outside_the_block_has_no_effect() -> None:
    """A second reason is ignored, and so is a reason before or after the block."""
    block = CancelScope()

    async def work() -> None:
        with block:
            asyncio.get_running_loop().call_soon(block.cancel_with, LeaveError())
            asyncio.get_running_loop().call_soon(block.cancel_with, ValueError())
            await asyncio.Event().wait()

    block.cancel_with(ValueError())
    with pytest.raises(LeaveError):
        await work()
    block.cancel_with(ValueError())
    await asyncio.sleep(0)


async def test_cancellation_from_elsewhere_passes_through() -> None:
    """A task that is cancelled from elsewhere ends cancelled, even with a reason at the same time."""

    async def work(block: CancelScope) -> None:
        with block:
            await asyncio.Event().wait()

    for reason in (None, LeaveError()):
        block = CancelScope()
        task = asyncio.create_task(work(block))
        await asyncio.sleep(0)
        task.cancel()
        if reason is not None:
            block.cancel_with(reason)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_error_of_the_block_is_kept() -> None:
    """If the block fails while it is being cancelled, its own error is raised."""

    async def work() -> None:
        with CancelScope() as block:
            asyncio.get_running_loop().call_soon(block.cancel_with, LeaveError())
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError("own") from None

    with pytest.raises(ValueError, match="own"):
        await work()


def test_a_cancel_scope_needs_a_task() -> None:
    """Outside a task there is nothing to cancel."""
    loop = asyncio.new_event_loop()
    errors: list[Exception] = []

    def enter() -> None:
        try:
            with CancelScope():
                pass
        except RuntimeError as error:
            errors.append(error)
        loop.stop()

    loop.call_soon(enter)
    loop.run_forever()
    loop.close()
    assert len(errors) == 1


async def test_background_task_ends_with_the_block() -> None:
    """The task runs alongside the block, and ends with the block or with an earlier ``stop``; both may happen."""
    seen: list[str] = []

    async def wait() -> None:
        seen.append("began")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("ended")

    async with BackgroundTask(wait) as companion:
        await asyncio.sleep(0)
        await companion.stop()
        assert seen == ["began", "ended"]
    async with BackgroundTask(wait):
        await asyncio.sleep(0)
    assert seen == ["began", "ended"] * 2


async def test_error_of_a_background_task_is_raised() -> None:
    """At the end of the block."""

    async def fail() -> None:
        raise LeaveError

    with pytest.raises(LeaveError):
        async with BackgroundTask(fail):
            await asyncio.sleep(0)


async def test_background_task_does_not_swallow_the_cancellation_of_its_block() -> None:
    """A task that is cancelled while it waits for the background task ends cancelled."""
    is_ending = asyncio.Event()
    may_end = asyncio.Event()

    async def cling() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            is_ending.set()
            await may_end.wait()

    async def work() -> None:
        async with BackgroundTask(cling):
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    await is_ending.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_background_tasks_end_with_their_owner() -> None:
    """``close`` cancels those that run and waits for their cleanup; finished and failed ones do not matter."""
    seen: list[str] = []

    async def work(name: str) -> None:
        if name == "fails":
            raise LeaveError
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append(name)

    tasks = BackgroundTasks()
    failed = tasks.start(work("fails"))
    await asyncio.wait((failed,))
    running = tasks.start(work("runs"))
    await asyncio.sleep(0)
    await tasks.close()
    assert (running.cancelled(), seen) == (True, ["runs"])
    assert isinstance(failed.exception(), LeaveError)
    await tasks.close()


async def test_the_first_that_ends_ends_the_others() -> None:
    """Those that are cancelled are unwound when the call returns; the result of the first has its error."""
    seen: list[str] = []

    async def hold() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("released")

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LeaveError

    (ended,) = await run_until_first_ends(hold(), fail())
    assert seen == ["released"]
    with pytest.raises(LeaveError):
        ended.result()


async def test_a_cancelled_caller_ends_all() -> None:
    """Nothing that was started runs on."""
    seen: list[str] = []

    async def hold(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(name)

    caller = asyncio.create_task(run_until_first_ends(hold("a"), hold("b")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert sorted(seen) == ["a", "b"]
