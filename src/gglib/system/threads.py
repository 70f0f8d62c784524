"""Runs work in a thread that a cancelled caller still waits for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def run_to_completion(
    work: Callable[..., T], *arguments: object, stop: threading.Event | None = None
) -> T:
    """Run ``work`` in a thread and return its result; a cancelled caller returns only after it has ended.

    For work that changes files under a lock: without this a cancel would release the lock too early. A cancel sets
    ``stop``, for long work that checks it.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if stop is not None:
            stop.set()
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        running.exception()  # marks it as retrieved: the cancel takes precedence
        raise
