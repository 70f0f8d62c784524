"""Runs ``gglib top``: live on a terminal, else one printed frame."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from gglib.cli.top.feed import Feed, Source
from gglib.cli.top.layout import plain_frame
from gglib.cli.top.ui import Ui
from gglib.cli.views import render

PIPE_WIDTH = 140
"""Width of a frame without a terminal, unless COLUMNS sets another: all columns fit."""


def is_live() -> bool:
    """Whether stdin and stdout are a terminal that can move its cursor."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in {"", "dumb"}


async def show_live(find: Callable[[], Source], *, interval_s: float, unload_timeout_s: float) -> int:
    """Show the live view, and return its exit code. Raises ``GglibError`` if the server does not respond at first."""
    from gglib.cli.top.app import TopApp

    feed = Feed(find, interval_s=interval_s)
    await feed.start()
    return await TopApp(feed, unload_timeout_s=unload_timeout_s).run()


async def show_once(find: Callable[[], Source], *, interval_s: float) -> None:
    """Print one frame; the rates are those of ``interval_s``. Raises ``GglibError``."""
    feed = Feed(find, interval_s=interval_s)
    await feed.start()
    following = asyncio.create_task(feed.follow())
    done, _ = await asyncio.wait([following], timeout=interval_s)
    if done:
        following.result()
    else:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    width = shutil.get_terminal_size((PIPE_WIDTH, 0)).columns
    render.show_styled(plain_frame(feed.data, Ui(), time.monotonic(), width))
