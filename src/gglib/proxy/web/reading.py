"""Reads the files of the page once, in a thread: compressing them takes tens of milliseconds."""

import asyncio
import logging
from functools import cache
from pathlib import Path

from gglib.proxy.errors import PageUnreadableError
from gglib.proxy.web.files import Page, build_page

log = logging.getLogger("gglib.proxy")

DIRECTORY = Path(__file__).parent / "page"
"""The files of the page, which belong to the package."""


@cache
def read_page(directory: Path = DIRECTORY) -> Page:
    """Return the page in ``directory``. Blocks; read once per process, because the files do not change.

    Raises OSError and KeyError if files are missing.
    """
    return build_page(
        {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in directory.rglob("*")
            if path.is_file()
        }
    )


class PageReader:
    """The page of one server, read in the default executor of its event loop."""

    def __init__(self) -> None:
        self._reading: asyncio.Future[Page] | None = None

    def start(self) -> asyncio.Future[Page]:
        """Begin to read the page, unless that has begun. Call it in the loop of the server."""
        if self._reading is None:
            self._reading = asyncio.get_running_loop().run_in_executor(None, read_page)
            self._reading.add_done_callback(_log_failure)
        return self._reading

    async def page(self) -> Page:
        """Return the page, when it is read. Raises ``PageUnreadableError``."""
        try:
            return await asyncio.shield(
                self.start()
            )  # a client that disconnects must not cancel it for others
        except Exception as error:
            raise PageUnreadableError from error


def _log_failure(reading: asyncio.Future[Page]) -> None:
    """Log why the page cannot be read: only its first request would show it."""
    if not reading.cancelled() and (error := reading.exception()) is not None:
        log.error("the page cannot be read from %s: install gglib again", DIRECTORY, exc_info=error)
