"""Runs the loop: shortly for a question, or in the foreground until Ctrl-C or TERM ends it in order."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import click

from gglib.cli.errors import EXIT_INTERRUPTED
from gglib.core.ports import ModelStorePort
from gglib.settings import Settings

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
ONE_WISH_S = 0.5
"""Signals within this time are one wish: ``make`` and ``timeout`` send theirs to the group and to each process."""
HANGUP = signal.SIGHUP
"""The terminal was closed. Ignored from the start means that the user wants gglib to outlive it (nohup)."""


def with_catalog(settings: Settings, ask: Callable[[ModelStorePort], Awaitable[T]]) -> T:
    """Open the catalogue for one call and return what that returned."""
    from gglib.bootstrap.catalog import open_catalog

    async def main() -> T:
        async with open_catalog(settings) as catalog:
            return await ask(catalog)

    return asyncio.run(main())


def run_in_foreground(work: Coroutine[Any, Any, None]) -> bool:
    """Run ``work`` until it ends or a signal stops it, and return whether a signal did.

    The first signal cancels the work, which cleans up behind itself; the second one ends the process on the spot
    (the engines notice and go by themselves).
    """
    return _run(_stoppable(work))


def _run(main: Coroutine[Any, Any, T]) -> T:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    result: T = uvloop.run(main)
    return result


async def _stoppable(work: Coroutine[Any, Any, None]) -> bool:
    task = asyncio.create_task(work, name="foreground")
    loop = asyncio.get_running_loop()
    stopping_since_s: float | None = None

    def stop() -> None:
        nonlocal stopping_since_s
        if stopping_since_s is None:
            stopping_since_s = loop.time()
            task.cancel()
            _say("\nStopping ...")
        elif loop.time() - stopping_since_s > ONE_WISH_S:
            _say("Stopping at once.")
            os._exit(EXIT_INTERRUPTED)

    is_outliving = signal.getsignal(HANGUP) is signal.SIG_IGN
    numbers = STOP_SIGNALS if is_outliving else (*STOP_SIGNALS, HANGUP)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if stopping_since_s is None:
            raise
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
    return stopping_since_s is not None


def _say(what: str) -> None:
    """Tell who watches; whoever read the output may have gone with the same Ctrl-C (``gglib serve 2>&1 | tee``)."""
    with contextlib.suppress(OSError):
        click.echo(what, err=True)
