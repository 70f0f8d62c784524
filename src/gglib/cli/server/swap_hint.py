"""Prints the runtime's hints, how swaps could be fewer or shorter, while a server runs in this terminal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gglib.cli.views import render
from gglib.core.ports import ModelRuntimePort
from gglib.core.runtime.events import EventsLost, SwapFinished

_WAIT_S = 3600.0
"""Longest wait for one event; the wait is repeated."""


@asynccontextmanager
async def shown_swap_hint(runtime: ModelRuntimePort) -> AsyncIterator[None]:
    """Print each hint once during the block, after the swap that is the reason for it."""
    task = asyncio.create_task(_show_hint(runtime), name="swap-hint")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _show_hint(runtime: ModelRuntimePort) -> None:
    subscription = runtime.subscribe()
    if subscription is None:
        return
    shown: set[str] = set()
    with subscription:
        while True:
            event = await subscription.next(_WAIT_S)
            if isinstance(event, SwapFinished | EventsLost):
                for hint in (await runtime.status()).hints:
                    if hint not in shown:
                        shown.add(hint)
                        render.echo(f"Hint: {hint}", is_error=True)
