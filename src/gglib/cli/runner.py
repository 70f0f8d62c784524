"""Runs the loop: shortly for a question, or in the foreground until Ctrl-C or TERM ends it in order."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gglib.app.settings import Settings
from gglib.cli.errors import EXIT_INTERRUPTED
from gglib.cli.streams import ignore_output_errors
from gglib.core.ports.store import HomeStorePort

if TYPE_CHECKING:
    from gglib.library.search import ModelFinder

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SIGNAL_DEBOUNCE_S = 0.5
"""Signals within this time are one wish: ``make`` and ``timeout`` send theirs to the group and to each process."""
HANGUP_SIGNAL = signal.SIGHUP
"""The terminal was closed. Ignored from the start means that the user wants gglib to outlive it (nohup)."""


def with_catalog(settings: Settings, call: Callable[[HomeStorePort], Awaitable[T]]) -> T:
    """Open the catalogue for one call and return what that returned."""
    with catalog_session(settings) as catalog:
        return catalog.run(call)


class CatalogSession:
    """A catalogue that stays open for several calls, for a command that asks its user something in between."""

    def __init__(self, runner: asyncio.Runner, store: HomeStorePort) -> None:
        self._runner = runner
        self._store = store

    def run(self, call: Callable[[HomeStorePort], Awaitable[T]]) -> T:
        """Run the loop for one call and return what that returned."""

        async def main() -> T:
            return await call(self._store)

        return self._runner.run(main())


@contextmanager
def catalog_session(settings: Settings) -> Iterator[CatalogSession]:
    """Hold the catalogue open while the block lasts.

    The loop runs during calls only. In a loop that runs, Ctrl-C cancels its task, and so would not end a question that
    waits for an answer.
    """
    from gglib.app.catalog import open_catalog
    from gglib.cli.log_files import escape_warnings

    escape_warnings()
    catalog_context = open_catalog(settings)
    with asyncio.Runner() as runner:
        catalog = CatalogSession(runner, runner.run(catalog_context.__aenter__()))
        try:
            yield catalog
        finally:
            runner.run(_close(catalog_context))


async def _close(catalog_context: AbstractAsyncContextManager[object]) -> None:
    """Close what was opened, after the tasks that a second Ctrl-C left behind: they may still write."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await catalog_context.__aexit__(None, None, None)


def with_finder(settings: Settings, call: Callable[["ModelFinder"], Awaitable[T]]) -> T:
    """Open the hub for one question and return its answer; a terminal shows what takes the time."""
    from gglib.app.hub import open_hub
    from gglib.app.model_search import model_finder
    from gglib.cli.terminal import LiveStatusLine

    async def main() -> T:
        async with open_hub() as hub:
            return await call(await model_finder(settings, hub))

    with contextlib.closing(LiveStatusLine()) as line:
        if sys.stderr.isatty():
            line.show("Querying the hub ...")
        return asyncio.run(main())


class DrainReporter:
    """Says that the end waits for answers in flight, and knows whether it still does."""

    def __init__(self, limit_s: float) -> None:
        self.is_active = False
        self._timeout_s = limit_s

    def __call__(self, answers: int) -> None:
        """Begin to wait for so many answers; 0 when the wait is over."""
        self.is_active = answers > 0
        if self.is_active:
            what = "1 response" if answers == 1 else f"{answers} responses"
            _report(
                f"Waiting for {what} in flight, for up to {self._timeout_s:g} s; Ctrl-C again stops immediately."
            )


def run_in_foreground(work: Coroutine[Any, Any, None], drain: DrainReporter | None = None) -> bool:
    """Run ``work`` until it ends or a signal stops it, and return whether a signal did.

    The first signal cancels the work, which cleans up behind itself. A second one ends its ``drain``, if that is what
    it is at; else, or the third time, it ends the process on the spot (the engines notice and go by themselves).
    """
    return _run(_run_until_signal(work, drain))


def _run(main: Coroutine[Any, Any, T]) -> T:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    result: T = uvloop.run(main)
    return result


async def _run_until_signal(work: Coroutine[Any, Any, None], drain: DrainReporter | None) -> bool:
    task = asyncio.create_task(work, name="foreground")
    loop = asyncio.get_running_loop()
    last_signal_s: float | None = None

    def stop() -> None:
        nonlocal last_signal_s
        now_s = loop.time()
        is_first = last_signal_s is None
        if last_signal_s is not None and now_s - last_signal_s <= SIGNAL_DEBOUNCE_S:
            return
        last_signal_s = now_s
        if is_first:
            _report("\nStopping ...")
            task.cancel()
        elif drain is not None and drain.is_active:
            _report("\nStopping without waiting for responses ...")
            task.cancel()
        else:
            _report("\nStopping immediately.")
            os._exit(EXIT_INTERRUPTED)

    ignores_hangup = signal.getsignal(HANGUP_SIGNAL) is signal.SIG_IGN
    numbers = STOP_SIGNALS if ignores_hangup else (*STOP_SIGNALS, HANGUP_SIGNAL)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if last_signal_s is None:
            raise
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
    return last_signal_s is not None


def _report(what: str) -> None:
    """Write to stderr, whose reader may have ended with the same Ctrl-C (``gglib serve 2>&1 | tee``)."""
    with ignore_output_errors():
        click.echo(what, err=True)
