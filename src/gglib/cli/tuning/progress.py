"""The progress of a tuning: a status line with the remaining time on a terminal, a line for each launch elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gglib.app.tuning.trial_log import Progress
from gglib.cli.terminal.status_line import terminal_status
from gglib.cli.views import render


class RemainingTime:
    """Estimates the remaining time from the mean time of the launches so far. ``clock`` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_s = clock()

    def left_s(self, progress: Progress) -> float | None:
        """Return the remaining seconds; None during the first launch."""
        done = progress.number - 1
        if done < 1:
            return None
        return (self._clock() - self._started_s) / done * (progress.expected - done)


def progress_text(progress: Progress, left_s: float | None) -> str:
    """Return what is measured now. Pure."""
    text = f"{progress.number} of about {progress.expected}: {progress.label}"
    if left_s is None:
        return f"{text} (how long all of it takes is known after this)"
    return f"{text} (about {render.duration(left_s)} left)"


@contextmanager
def tuning_progress() -> Iterator[Callable[[Progress], None]]:
    """Yield a callback for the progress, which is shown on stderr."""
    remaining = RemainingTime()
    with terminal_status() as show:

        def on_progress(progress: Progress) -> None:
            text = progress_text(progress, remaining.left_s(progress))
            if sys.stderr.isatty():
                show(text)
            else:
                render.echo(text, is_error=True)

        yield on_progress
