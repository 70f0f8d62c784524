"""A status line on the terminal of stderr; elsewhere its first text, or nothing."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from gglib.cli.help.hints import runnable
from gglib.cli.terminal.console import rich_console
from gglib.cli.terminal.streams import ignore_output_errors
from gglib.core.plain_text import escape_line

if TYPE_CHECKING:
    from rich.status import Status


class StatusLine(Protocol):
    """A line with the current status."""

    def show(self, text: str | None) -> None:
        """Replace the text; None hides the line."""

    def close(self) -> None:
        """Hide the line; later texts are ignored."""


class LiveStatusLine:
    """A line on the terminal of stderr, updated in place and erased at the end. Thread-safe."""

    def __init__(self) -> None:
        self._status: Status | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def show(self, text: str | None) -> None:
        """Replace the text; None erases the line."""
        from rich.text import Text

        text = None if text is None else escape_line(runnable(text))
        with self._lock:
            if text is None or self._is_closed:
                self._erase()
            elif self._status is None:
                self._status = rich_console(sys.stderr).status(Text(text))
                self._status.start()
            else:
                self._status.update(Text(text))

    def close(self) -> None:
        """Erase the line; later texts are ignored."""
        with self._lock:
            self._is_closed = True
            self._erase()

    def _erase(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


class FirstStatusLine:
    """For stderr without a terminal: prints the first text only."""

    def __init__(self) -> None:
        self._is_closed = False
        self._lock = threading.Lock()

    def show(self, text: str | None) -> None:
        """Print the first text."""
        with self._lock:
            if text is not None and not self._is_closed:
                self._is_closed = True
                with ignore_output_errors():
                    click.echo(escape_line(runnable(text)), err=True)

    def close(self) -> None:
        """Print no more texts."""
        with self._lock:
            self._is_closed = True


@contextmanager
def terminal_status() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what the block does, until its end; without effect if stderr is no terminal."""
    is_terminal = sys.stderr.isatty()
    with closing(LiveStatusLine()) as line:
        yield lambda text: line.show(text if is_terminal else None)
