"""Runs blocking work in a thread and cancels it with the awaiting task."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar, cast

from gglib.hf.cancellation import CancelToken

CANCEL_TIMEOUT_S = 5.0
"""How long a cancelled caller waits for its thread. Only the system's resolver, which cannot be interrupted, keeps a
thread for longer."""

T = TypeVar("T")


async def run(
    work: Callable[[CancelToken], T], *, name: str = "gglib-fetch", cancel_timeout_s: float = CANCEL_TIMEOUT_S
) -> T:
    """Return what ``work`` returns; a cancel waits until the thread has closed its sockets and files.

    The wait lasts at most ``cancel_timeout_s``; 0 is for work that never checks its token: a cancelled caller returns
    at once. Uses its own thread, not the loop's executor: at exit, Python waits for the executor's threads.
    """
    loop, cancel_token = asyncio.get_running_loop(), CancelToken()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(
        lambda ended: ended.cancelled() or ended.exception()
    )  # the result may arrive after every waiter has gone

    def set_outcome(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("T", result))

    def target() -> None:
        result, failed = None, None
        try:
            result = work(cancel_token)
        except BaseException as error:  # noqa: BLE001 - set on the future
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing awaits the result
            loop.call_soon_threadsafe(set_outcome, result, failed)

    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        cancel_token.cancel()
        if cancel_timeout_s:
            await _wait_until_done(future, cancel_timeout_s)
        raise
    finally:
        if future.done():
            thread.join(1.0)  # the thread has no work left


async def _wait_until_done(future: "asyncio.Future[T]", timeout_s: float) -> None:
    """Wait for the end of the thread, through further cancels; its result is discarded."""
    with contextlib.suppress(asyncio.CancelledError, TimeoutError):
        async with asyncio.timeout(timeout_s):
            await asyncio.wait([future])
