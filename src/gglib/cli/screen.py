"""What goes on while something takes its time: a spinner or a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.starter import Progress


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def warn_if_open(host: str) -> None:
    """Say that others can reach this gglib, where they can."""
    from gglib.core.addresses import is_loopback

    if not is_loopback(host):
        click.echo(
            f"Warning: whoever can reach {host} may use your models; there are no access keys yet.", err=True
        )


@contextmanager
def spinner(what: str, *, says_without_terminal: bool = True) -> Iterator[None]:
    """Show what goes on for as long as the block lasts, on stderr."""
    if not sys.stderr.isatty():
        if says_without_terminal:
            click.echo(what, err=True)
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def progress_bar() -> Iterator["Progress"]:
    """Yield what is to be told how many bytes are done; each new kind of work gets a bar, on stderr."""
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
        TextColumn("{task.description:<12}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def tell(what: str, done_bytes: int, total_bytes: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total_bytes)
                if not console.is_terminal:
                    click.echo(f"{what} {total_bytes / 1e6:.0f} MB ...", err=True)
            progress.update(tasks[what], completed=done_bytes)

        yield tell
