"""Work in a thread that is not left alone by a cancel."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(work: Callable[..., T], *arguments: object, stop: threading.Event | None = None) -> T:
    """Run ``work`` in a thread and return what it returns; a cancelled caller leaves when it has ended, too.

    For what changes files while a lock is held: without this the lock would be released under it. ``stop`` is set by
    a cancel, for work that takes long and looks at it.
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
        running.exception()  # it is seen: the cancel goes first
        raise
