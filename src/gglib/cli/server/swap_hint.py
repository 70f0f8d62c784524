"""Prints the runtime's hint, how two models could both stay in memory, while a server runs in this terminal."""

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
    """Print the hint during the block, once, after the swap that is the reason for it."""
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
    with subscription:
        while True:
            event = await subscription.next(_WAIT_S)
            if isinstance(event, SwapFinished | EventsLost):
                hint = (await runtime.status()).hint
                if hint is not None:
                    render.echo(f"Hint: {hint}", is_error=True)
                    return
