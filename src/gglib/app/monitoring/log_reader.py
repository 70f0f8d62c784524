"""Reads and follows the logs of a home, for the HTTP API. Files are read in worker threads."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path

from gglib.app.monitoring.log_files import find_logs, log_path
from gglib.app.monitoring.recent_lines import RecentLines, shown_tail
from gglib.core.errors import LogNotFoundError, LogUnreadableError
from gglib.core.ports import ModelCatalogPort
from gglib.core.ports.logs import LogBatch, LogFile, LogsPort, LogTail
from gglib.system.files.followed_file import FollowedFile, read_tail
from gglib.system.threads import run_to_completion

POLL_INTERVAL_S = 0.2
"""Interval in which a followed log is looked at: at most five batches a second."""


class LogReader(LogsPort):
    """The logs in one directory."""

    def __init__(
        self, log_dir: Path, catalog: ModelCatalogPort, poll_interval_s: float = POLL_INTERVAL_S
    ) -> None:
        self._log_dir = log_dir
        self._catalog = catalog
        self._poll_interval_s = poll_interval_s

    async def list_logs(self) -> tuple[LogFile, ...]:
        """Return the logs that exist. Raises ``CatalogError``."""
        names = [model.name for model in await self._catalog.list_models()]
        return await asyncio.to_thread(find_logs, self._log_dir, names)

    async def read_log(self, name: str, lines: int) -> LogTail:
        """Return the last ``lines`` lines."""
        path = log_path(self._log_dir, name)

        def read() -> LogTail:
            tail = read_tail(path, lines)
            return LogTail(name=name, lines=shown_tail(tail.lines), is_cut=tail.is_cut)

        with _mapped_errors(name):
            return await run_to_completion(read)

    async def follow_log(self, name: str, lines: int) -> AsyncGenerator[LogBatch, None]:
        """Yield the last ``lines`` lines, then new ones."""
        path = log_path(self._log_dir, name)
        recent = RecentLines()
        with _mapped_errors(name), FollowedFile(path) as file:  # opening it is one system call
            if not file.is_open:
                raise LogNotFoundError(name)

            def read_new() -> LogBatch:
                for piece in file.read_new():
                    recent.feed(piece)
                shown, dropped = recent.take()
                return LogBatch(lines=shown, skipped=dropped)

            # To completion: the file is closed only when nothing reads it any more.
            yield LogBatch(lines=await run_to_completion(lambda: shown_tail(file.tail(lines).lines)))
            while True:
                await asyncio.sleep(self._poll_interval_s)
                batch = await run_to_completion(read_new)
                if batch.lines or batch.skipped:
                    yield batch


@contextmanager
def _mapped_errors(name: str) -> Iterator[None]:
    """Map the errors of reading a log to those of the port."""
    try:
        yield
    except FileNotFoundError:
        raise LogNotFoundError(name) from None
    except OSError as error:
        raise LogUnreadableError(name, error.strerror or str(error)) from error
