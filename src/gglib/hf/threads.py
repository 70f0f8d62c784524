"""Runs blocking work in a thread for a task, and ends it when the task is cancelled."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar, cast

from gglib.hf.cancellation import Stop

LONGEST_END_S = 5.0
"""After a cancel. Only the system's resolver, which nothing can interrupt, lets a thread go on for longer."""

T = TypeVar("T")


async def run(
    work: Callable[[Stop], T], *, name: str = "gglib-fetch", longest_end_s: float = LONGEST_END_S
) -> T:
    """Return what ``work`` returns. A cancel stops it, and waits until its sockets and files are closed.

    For ``longest_end_s`` at the most: with 0, for work that looks at no ``Stop``, a cancelled caller leaves at once.
    Not the loop's own pool of threads: a program could not end before a download in it has.
    """
    loop, stop = asyncio.get_running_loop(), Stop()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(
        lambda ended: ended.cancelled() or ended.exception()
    )  # it may come after all have left

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("T", result))

    def target() -> None:
        result, failed = None, None
        try:
            result = work(stop)
        except BaseException as error:  # noqa: BLE001 - carried to who waits for it
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failed)

    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop.set()
        if longest_end_s:
            await _ended(future, longest_end_s)
        raise
    finally:
        if future.done():
            thread.join(1.0)  # it has nothing left to do but to end


async def _ended(future: "asyncio.Future[T]", longest_s: float) -> None:
    """Wait for the thread's last word, through further cancels; what it says is no longer asked for."""
    with contextlib.suppress(asyncio.CancelledError, TimeoutError):
        async with asyncio.timeout(longest_s):
            await asyncio.wait([future])
