"""Tells what a request waits for until its answer begins, from beside: the request itself knows nothing of it."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gglib.cli.instance import status_of
from gglib.cli.terminal import Line, LiveLine, OneLine
from gglib.cli.views.waiting import wait_words
from gglib.core.addresses import Endpoint

POLL_S = 0.25
"""Often enough for tenths of a second to look alive, too seldom to cost anything."""
STATUS_LIMIT_S = 5.0
"""A server that is too busy to say how it is says so later."""
NOTED_AFTER_S = 2.0
"""Who reads a file or a pipe is told of a longer wait, once; shorter ones are nobody's business."""


@contextmanager
def wait_line(server: Endpoint, model_name: str, *, first_words: str | None = None) -> Iterator[None]:
    """Show on stderr what a request for the model waits for, as long as the block lasts; nothing of it stays.

    ``first_words`` are shown before anything is known; where nobody watches they are all that is shown, without them
    a line for a wait that is long. A status that cannot be had shows nothing.
    """
    is_watched = sys.stderr.isatty()
    line: Line = LiveLine() if is_watched else OneLine()
    if first_words is not None:
        line.show(first_words)
    watch = Watch(lambda: status_of(server, timeout_s=STATUS_LIMIT_S), model_name, line)
    over = threading.Event()
    # A daemon: a status that is on its way must not keep the program from ending.
    watcher = threading.Thread(
        target=watch.until if is_watched else watch.once, args=(over,), name="wait-line", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        over.set()
        line.close()  # from here on nothing is shown, whatever the thread still hears


class Watch:
    """Asks for the status, and tells a line what it means."""

    def __init__(self, ask: Callable[[], dict[str, Any]], model_name: str, line: Line) -> None:
        self._ask = ask
        self._model_name = model_name
        self._line = line
        self._since_s = time.monotonic()

    def until(self, over: threading.Event) -> None:
        """Show each new sentence until ``over`` is set."""
        while not over.wait(POLL_S):
            self._line.show(self._words())

    def once(self, over: threading.Event) -> None:
        """Show one sentence, unless ``over`` is set soon."""
        if not over.wait(NOTED_AFTER_S):
            self._line.show(self._words())

    def _words(self) -> str | None:
        try:
            return wait_words(self._ask(), self._model_name, time.monotonic() - self._since_s)
        except Exception:  # noqa: BLE001 - a server that fails, or is another version: the answer matters, not this line
            return None
