"""The progress of a pull: a bar on a terminal, a line for each tenth elsewhere."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gglib.cli.terminal.console import rich_console
from gglib.cli.terminal.progress_cells import AMOUNT, NO_CELLS, Meter, cell_columns
from gglib.cli.views import render
from gglib.core.plain_text import escape_line
from gglib.library.pull.execute import DOWNLOADING, WAITING, OnPullProgress, PullProgress

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_FILE_CHARACTERS = 24
"""Length of a file name next to a progress bar in 80 columns."""
_STEP_PERCENT = 10
_STEP_BYTES = 500_000_000
"""A line for each of these if the size is unknown."""


class ProgressLines:
    """Selects the moments at which a line is printed: each tenth, and each phase after the download."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._step = 0
        self._phase = DOWNLOADING

    def line(self, progress: PullProgress) -> str | None:
        """Return a line; None if the last one is recent enough."""
        if progress.phase != DOWNLOADING:
            is_new, self._phase = progress.phase != self._phase, progress.phase
            return f"{progress.phase.capitalize()} ..." if is_new and progress.phase != WAITING else None
        self._phase = DOWNLOADING
        cells = self._meter.cells(progress.done_bytes, progress.total_bytes)
        total = progress.total_bytes
        step = (
            100 * progress.done_bytes // total // _STEP_PERCENT
            if total
            else progress.done_bytes // _STEP_BYTES
        )
        if step <= self._step:
            return None
        self._step = step
        percent = f"{step * _STEP_PERCENT} %: " if total else ""
        return f"{percent}{', '.join(cell for cell in cells.values() if cell)}"


def shortened(name: str) -> str:
    """Return the end of a file's name, which has the quantization and the number of a shard."""
    last = escape_line(name.rpartition("/")[2])
    return last if len(last) <= SHOWN_FILE_CHARACTERS else "..." + last[-SHOWN_FILE_CHARACTERS + 3 :]


@contextmanager
def pull_progress() -> Iterator[OnPullProgress]:
    """Yield a callback that shows the progress on stderr."""
    console = rich_console(sys.stderr)
    with _bar(console) if console.is_terminal else _lines() as show:
        waited_for: set[str] = set()
        lock = threading.Lock()

        def on_progress(progress: PullProgress) -> None:
            with lock:  # it is called from several threads
                if progress.phase == WAITING and progress.file not in waited_for:
                    waited_for.add(progress.file)
                    render.echo(
                        f"Another gglib is downloading {escape_line(progress.file)}: waiting for it.",
                        is_error=True,
                    )
                show(progress)

        yield on_progress


@contextmanager
def _bar(console: "Console") -> Iterator[OnPullProgress]:
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),  # a file's name may have brackets
        BarColumn(bar_width=None),
        *cell_columns(),
    )
    meter = Meter()
    with Progress(*columns, console=console, expand=True) as bars:
        task = bars.add_task("", total=None, **NO_CELLS)

        def show(progress: PullProgress) -> None:
            is_download = progress.phase == DOWNLOADING
            cells = meter.cells(progress.done_bytes, progress.total_bytes)
            bars.update(
                task,
                description=shortened(progress.file) if is_download else progress.phase.capitalize(),
                completed=progress.done_bytes,
                total=progress.total_bytes,
                **(cells if is_download else {**NO_CELLS, AMOUNT: cells[AMOUNT]}),
            )

        yield show


@contextmanager
def _lines() -> Iterator[OnPullProgress]:
    lines = ProgressLines(Meter())

    def show(progress: PullProgress) -> None:
        if (line := lines.line(progress)) is not None:
            render.echo(line, is_error=True)

    yield show
