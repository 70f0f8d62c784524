"""Runs the event loop of a server in the foreground until Ctrl-C or SIGTERM."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import click

from gglib.cli.serving.announcements import Announce, printing_announcer
from gglib.cli.serving.stop_causes import (
    TERMINAL_CLOSED,
    StopCause,
    stop_cause,
    stopping,
    stopping_immediately,
    stopping_without_waiting,
)
from gglib.cli.terminal.streams import ignore_output_errors

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SIGNAL_DEBOUNCE_S = 0.5
"""Signals within this time count once: ``make`` and ``timeout`` signal the group and each process."""
HANGUP_SIGNAL = signal.SIGHUP
"""Sent when the terminal is closed, and by service managers to request a reload. If it is ignored at the start (nohup),
it stays ignored."""
TERMINAL_CHECKS_S = (0.0, 0.5, 2.0)
"""Delays of the checks whether the terminal is gone: a shell that exits may send SIGHUP before its terminal closes."""


class DrainReporter:
    """Reports that a shutdown waits for responses in flight, and whether the drain is active."""

    def __init__(self, limit_s: Callable[[], float], announce: Announce | None = None) -> None:
        """``limit_s`` returns the maximum duration of a drain that begins now."""
        self.is_active = False
        self._limit_s = limit_s
        self._announce = announce or printing_announcer()

    def __call__(self, responses: int) -> None:
        """Record the start of a drain with this number of responses in flight, or its end (0)."""
        self.is_active = responses > 0
        if self.is_active:
            what = "1 response" if responses == 1 else f"{responses} responses"
            self._announce(
                f"Waiting for {what} in flight, for up to {self._limit_s():g} s; another Ctrl-C or SIGTERM stops "
                "without waiting."
            )


def run_in_foreground(
    work: Coroutine[Any, Any, None],
    drain: DrainReporter | None = None,
    *,
    request_reload: Callable[[], None] | None = None,
    was_requested: Callable[[], bool] = lambda: False,
    announce: Announce | None = None,
) -> StopCause | None:
    """Run ``work`` until it ends or a signal stops it; return the cause of the stop, None if it ended by itself.

    With ``request_reload``, SIGHUP calls it. Without, and if this process was started from a terminal that is closed
    now, SIGHUP stops the work.

    ``was_requested`` returns whether a SIGTERM is from ``gglib stop --server``; ``announce`` is called with a sentence
    for each signal.

    The first signal cancels the work, which cleans up. A second signal ends an active ``drain``; otherwise the second,
    else the third, exits the process immediately (the engines notice and exit), with 128 + the number of the signal.
    """
    from gglib.system.malloc_tuning import tune_malloc

    tune_malloc()
    announce = announce or printing_announcer()
    return _run(
        _run_until_signal(work, lambda task: _Signals(task, drain, request_reload, was_requested, announce))
    )


def _run(main: Coroutine[Any, Any, T]) -> T:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    result: T = uvloop.run(main)
    return result


async def _run_until_signal(
    work: Coroutine[Any, Any, None], make_signals: "Callable[[asyncio.Task[None]], _Signals]"
) -> StopCause | None:
    task = asyncio.create_task(work, name="foreground")
    signals = make_signals(task)
    with signals.handled():
        try:
            await task
        except asyncio.CancelledError:
            if signals.cause is None:
                raise
    return signals.cause


class _Signals:
    """Stops a task on signals, or requests a reload. Created in the task's loop."""

    def __init__(
        self,
        task: asyncio.Task[None],
        drain: DrainReporter | None,
        request_reload: Callable[[], None] | None,
        was_requested: Callable[[], bool],
        announce: Announce,
    ) -> None:
        self.cause: StopCause | None = None
        """Why the task was stopped first; None if it was not."""
        self._task = task
        self._drain = drain
        self._request_reload = request_reload
        self._was_requested = was_requested
        self._announce = announce
        self._loop = asyncio.get_running_loop()
        self._last_stop_s: float | None = None
        self._had_terminal = has_terminal()

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals during the block. An ignored SIGHUP stays ignored."""
        handlers: dict[signal.Signals, Callable[[], None]] = {
            number: partial(self._stop_by, number) for number in STOP_SIGNALS
        }
        if signal.getsignal(HANGUP_SIGNAL) is not signal.SIG_IGN:
            handlers[HANGUP_SIGNAL] = self._hang_up
        for number, handler in handlers.items():
            self._loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                self._loop.remove_signal_handler(number)

    def _stop_by(self, number: int) -> None:
        self._stop(stop_cause(number, has_terminal=has_terminal(), was_requested=self._was_requested()))

    def _stop(self, cause: StopCause) -> None:
        now_s, last_s = self._loop.time(), self._last_stop_s
        if last_s is not None and now_s - last_s <= SIGNAL_DEBOUNCE_S:
            return
        self._last_stop_s = now_s
        _end_terminal_line()
        if self.cause is None:
            self.cause = cause
            self._announce(stopping(cause))
            self._task.cancel()
        elif self._drain is not None and self._drain.is_active:
            self._announce(stopping_without_waiting(cause))
            self._task.cancel()
        else:
            self._announce(stopping_immediately(cause))
            os._exit(cause.exit_code)

    def _hang_up(self) -> None:
        if self._request_reload is None:
            self._stop_by(HANGUP_SIGNAL)
            return
        self._request_reload()
        if self._had_terminal:
            for delay_s in TERMINAL_CHECKS_S:
                self._loop.call_later(delay_s, self._stop_without_terminal)

    def _stop_without_terminal(self) -> None:
        if self.cause is None and not has_terminal():
            self._stop(TERMINAL_CLOSED)


def has_terminal() -> bool:
    """Whether this process has a controlling terminal. The kernel detaches it when the terminal is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _end_terminal_line() -> None:
    """Begin a new line on a terminal, which shows ``^C`` at the cursor."""
    with ignore_output_errors():
        if sys.stderr.isatty():
            click.echo(err=True)
