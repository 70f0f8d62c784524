"""Progress bars of several tasks on a terminal, a line for each elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from gglib.cli.terminal.console import rich_console
from gglib.cli.terminal.streams import ignore_output_errors
from gglib.core.plain_text import escape_line
from gglib.core.sizes import format_size

if TYPE_CHECKING:
    from gglib.library.starter import Progress


@contextmanager
def progress_bar() -> Iterator["Progress"]:
    """Yield a callback for the completed bytes; each task gets a progress bar on stderr."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn

    from gglib.cli.terminal.progress_cells import NO_CELLS, Meter, cell_columns

    console = rich_console(sys.stderr)
    columns = (
        TextColumn("{task.description:<12}", markup=False),  # a file's name may have brackets
        BarColumn(),
        *cell_columns(),
    )
    tasks: dict[str, tuple[TaskID, Meter]] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def on_progress(what: str, done_bytes: int, total_bytes: int) -> None:
            what = escape_line(what)
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total_bytes, **NO_CELLS), Meter()
                if not console.is_terminal:
                    with ignore_output_errors():
                        click.echo(f"{what} {format_size(total_bytes)} ...", err=True)
            task, meter = tasks[what]
            progress.update(task, completed=done_bytes, **meter.cells(done_bytes, total_bytes))

        yield on_progress
