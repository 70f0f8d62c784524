"""Runs the loop: shortly for a question, or in the foreground until Ctrl-C or TERM ends it in order."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import click

from gglib.cli.errors import EXIT_INTERRUPTED
from gglib.core.models import ModelSummary
from gglib.core.names import not_found
from gglib.core.ports import ModelStorePort
from gglib.settings import Settings

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
HANGUP = signal.SIGHUP
"""The terminal was closed. Ignored from the start means that the user wants gglib to outlive it (nohup)."""


def with_catalog(settings: Settings, ask: Callable[[ModelStorePort], Awaitable[T]]) -> T:
    """Open the catalogue for one call and return what that returned."""
    from gglib.bootstrap.catalog import open_catalog

    async def main() -> T:
        async with open_catalog(settings) as catalog:
            return await ask(catalog)

    return asyncio.run(main())


async def find(store: ModelStorePort, name: str) -> ModelSummary:
    """Return the model that ``name`` means. Raises ``ModelNotFoundError`` with what may have been meant."""
    model = await store.resolve_model(name)
    if model is None:
        raise not_found(name, await store.list_models())
    return model


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
    is_stopping = False

    def stop() -> None:
        nonlocal is_stopping
        if is_stopping:
            click.echo("Stopping at once.", err=True)
            os._exit(EXIT_INTERRUPTED)
        is_stopping = True
        click.echo("\nStopping ...", err=True)
        task.cancel()

    is_outliving = signal.getsignal(HANGUP) is signal.SIG_IGN
    numbers = STOP_SIGNALS if is_outliving else (*STOP_SIGNALS, HANGUP)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not is_stopping:
            raise
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
    return is_stopping
