"""Progress output: a status line or a progress bar on a terminal, plain lines elsewhere."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from gglib.cli.streams import ignore_output_errors
from gglib.core.plain_text import escape_line

if TYPE_CHECKING:
    from rich.status import Status

    from gglib.app.settings import Settings
    from gglib.library.starter import Progress


def is_interactive() -> bool:
    """Whether the user can be prompted."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def warn_if_exposed(settings: "Settings") -> None:
    """Warn if other machines can use this server without a key, and print the warnings of the settings."""
    from gglib.app.exposure import Exposure, exposure_of

    exposure = exposure_of(settings.host, has_keys=bool(settings.api_keys), is_insecure=settings.insecure)
    if exposure is Exposure.INSECURE:
        bar = "!" * 80
        for line in (
            bar,
            f"INSECURE: anyone who can reach {settings.host} can use your models without an access key.",
            bar,
        ):
            with ignore_output_errors():
                click.echo(click.style(escape_line(line), fg="red", bold=True), err=True)
    for warning in settings.warnings:
        with ignore_output_errors():
            click.echo(f"Warning: {escape_line(warning)}", err=True)


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
        from rich.console import Console
        from rich.text import Text

        text = None if text is None else escape_line(text)
        with self._lock:
            if text is None or self._is_closed:
                self._erase()
            elif self._status is None:
                self._status = Console(stderr=True).status(Text(text))
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
                    click.echo(escape_line(text), err=True)

    def close(self) -> None:
        """Print no more texts."""
        with self._lock:
            self._is_closed = True


@contextmanager
def progress_bar() -> Iterator["Progress"]:
    """Yield a callback for the completed bytes; each task gets a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<12}", markup=False),  # a file's name may have brackets
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def on_progress(what: str, done_bytes: int, total_bytes: int) -> None:
            what = escape_line(what)
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total_bytes)
                if not console.is_terminal:
                    with ignore_output_errors():
                        click.echo(f"{what} {total_bytes / 1e6:.0f} MB ...", err=True)
            progress.update(tasks[what], completed=done_bytes)

        yield on_progress
