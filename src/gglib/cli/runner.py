"""Runs the event loop: for single calls, or in the foreground until Ctrl-C or SIGTERM."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gglib.app.settings import Settings
from gglib.cli.errors import EXIT_INTERRUPTED
from gglib.cli.streams import ignore_output_errors
from gglib.core.errors import ModelNotFoundError
from gglib.core.ports.store import HomeStorePort

if TYPE_CHECKING:
    from gglib.library.search import ModelFinder

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SIGNAL_DEBOUNCE_S = 0.5
"""Signals within this time count once: ``make`` and ``timeout`` signal the group and each process."""
HANGUP_SIGNAL = signal.SIGHUP
"""Sent when the terminal is closed, and by service managers to request a reload. If it is ignored at the start (nohup),
it stays ignored."""
TERMINAL_CHECKS_S = (0.0, 0.5, 2.0)
"""Delays of the checks whether the terminal is gone: a shell that exits may send SIGHUP before its terminal closes."""


def with_catalog(settings: Settings, call: Callable[[HomeStorePort], Awaitable[T]]) -> T:
    """Open the catalogue for one call and return its result."""
    with catalog_session(settings) as catalog:
        return catalog.run(call)


class CatalogSession:
    """A catalogue that stays open for several calls, for a command that prompts the user in between."""

    def __init__(
        self, runner: asyncio.Runner, store: HomeStorePort, aliases: Mapping[str, Sequence[str]]
    ) -> None:
        self._runner = runner
        self._store = store
        self._aliases = aliases

    def run(self, call: Callable[[HomeStorePort], Awaitable[T]]) -> T:
        """Run the loop for one call and return its result.

        ``ModelNotFoundError`` for the name of an alias list is raised with the models of the list.
        """

        async def main() -> T:
            try:
                return await call(self._store)
            except ModelNotFoundError as error:
                raise await self._explained(error) from error

        return self._runner.run(main())

    async def _explained(self, error: ModelNotFoundError) -> ModelNotFoundError:
        if not self._aliases:
            return error
        from gglib.proxy.names.aliases import AliasLists
        from gglib.proxy.names.resolution import one_model_error

        return await one_model_error(error, self._store, AliasLists(self._aliases))


@contextmanager
def catalog_session(settings: Settings) -> Iterator[CatalogSession]:
    """Keep the catalogue open for the duration of the block.

    The loop runs during calls only: in a running loop, Ctrl-C cancels the task and would not interrupt a prompt that
    waits for input.
    """
    from gglib.app.catalog import open_catalog
    from gglib.cli.log_files import escape_warnings

    escape_warnings()
    catalog_context = open_catalog(settings)
    with asyncio.Runner() as runner:
        catalog = CatalogSession(runner, runner.run(catalog_context.__aenter__()), settings.aliases)
        try:
            yield catalog
        finally:
            runner.run(_close(catalog_context))


async def _close(catalog_context: AbstractAsyncContextManager[object]) -> None:
    """Cancel the tasks that a second Ctrl-C left running, which may still write, then close the catalogue."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await catalog_context.__aexit__(None, None, None)


def with_finder(settings: Settings, call: Callable[["ModelFinder"], Awaitable[T]]) -> T:
    """Open the hub for one call and return its result; a terminal shows a status line."""
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
    """Reports that a shutdown waits for responses in flight, and whether the drain is active."""

    def __init__(self, limit_s: Callable[[], float]) -> None:
        """``limit_s`` returns the maximum duration of a drain that begins now."""
        self.is_active = False
        self._limit_s = limit_s

    def __call__(self, responses: int) -> None:
        """Record the start of a drain with this number of responses in flight, or its end (0)."""
        self.is_active = responses > 0
        if self.is_active:
            what = "1 response" if responses == 1 else f"{responses} responses"
            _report(
                f"Waiting for {what} in flight, for up to {self._limit_s():g} s; Ctrl-C again stops immediately."
            )


def run_in_foreground(
    work: Coroutine[Any, Any, None],
    drain: DrainReporter | None = None,
    *,
    request_reload: Callable[[], None] | None = None,
) -> bool:
    """Run ``work`` until it ends or a signal stops it; return whether a signal did.

    With ``request_reload``, SIGHUP calls it. Without, and if this process was started from a terminal that is closed
    now, SIGHUP stops the work.

    The first signal cancels the work, which cleans up. A second signal ends an active ``drain``; otherwise the second,
    else the third, exits the process immediately (the engines notice and exit).
    """
    return _run(_run_until_signal(work, drain, request_reload))


def _run(main: Coroutine[Any, Any, T]) -> T:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    result: T = uvloop.run(main)
    return result


async def _run_until_signal(
    work: Coroutine[Any, Any, None], drain: DrainReporter | None, request_reload: Callable[[], None] | None
) -> bool:
    task = asyncio.create_task(work, name="foreground")
    signals = _Signals(task, drain, request_reload)
    with signals.handled():
        try:
            await task
        except asyncio.CancelledError:
            if not signals.has_stopped:
                raise
    return signals.has_stopped


class _Signals:
    """Stops a task on signals, or requests a reload. Created in the task's loop."""

    def __init__(
        self,
        task: asyncio.Task[None],
        drain: DrainReporter | None,
        request_reload: Callable[[], None] | None,
    ) -> None:
        self._task = task
        self._drain = drain
        self._request_reload = request_reload
        self._loop = asyncio.get_running_loop()
        self._last_stop_s: float | None = None
        self._had_terminal = has_terminal()

    @property
    def has_stopped(self) -> bool:
        """Whether a signal stopped the task."""
        return self._last_stop_s is not None

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals during the block. An ignored SIGHUP stays ignored."""
        handlers = dict.fromkeys(STOP_SIGNALS, self._stop)
        if signal.getsignal(HANGUP_SIGNAL) is not signal.SIG_IGN:
            handlers[HANGUP_SIGNAL] = self._hang_up
        for number, handler in handlers.items():
            self._loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                self._loop.remove_signal_handler(number)

    def _stop(self) -> None:
        now_s, last_s = self._loop.time(), self._last_stop_s
        if last_s is not None and now_s - last_s <= SIGNAL_DEBOUNCE_S:
            return
        self._last_stop_s = now_s
        if last_s is None:
            _report("\nStopping ...")
            self._task.cancel()
        elif self._drain is not None and self._drain.is_active:
            _report("\nStopping without waiting for responses ...")
            self._task.cancel()
        else:
            _report("\nStopping immediately.")
            os._exit(EXIT_INTERRUPTED)

    def _hang_up(self) -> None:
        if self._request_reload is None:
            self._stop()
            return
        self._request_reload()
        if self._had_terminal:
            for delay_s in TERMINAL_CHECKS_S:
                self._loop.call_later(delay_s, self._stop_without_terminal)

    def _stop_without_terminal(self) -> None:
        if not self.has_stopped and not has_terminal():
            self._stop()


def has_terminal() -> bool:
    """Whether this process has a controlling terminal. The kernel detaches it when the terminal is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _report(what: str) -> None:
    """Write to stderr; the same Ctrl-C may have ended its reader (``gglib serve 2>&1 | tee``)."""
    with ignore_output_errors():
        click.echo(what, err=True)
