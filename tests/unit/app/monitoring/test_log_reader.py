"""Reading and following the logs of a home."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from gglib.app.monitoring import log_reader
from gglib.app.monitoring.log_reader import LogReader
from gglib.core.errors import LogNotFoundError, LogUnreadableError
from gglib.core.models import ModelSummary
from gglib.core.ports.logs import LogBatch
from gglib.system.files.followed_file import FollowedFile
from gglib.testing import FakeCatalog


@pytest.fixture
def logs(tmp_path: Path) -> LogReader:
    """Return the reader of a directory with a log of gglib; it polls all the time."""
    (tmp_path / "gglib.log").write_text("a\nb\nc\n", encoding="utf-8")
    return LogReader(tmp_path, FakeCatalog([ModelSummary(id=1, name="Org/tiny")]), poll_interval_s=0)


def texts(batch: LogBatch) -> list[str]:
    """Return the texts of the lines."""
    return [line.text for line in batch.lines]


def append(path: Path, *lines: str) -> None:
    """Append lines to a log."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


async def test_the_end_of_a_log_is_read(logs: LogReader, tmp_path: Path) -> None:
    """Of gglib's, and of an engine's by the name of its model."""
    append(tmp_path / "gglib.log", "\x1b]52;c;x\x07<script>")
    tail = await logs.read_log("gglib", 2)
    assert [line.text for line in tail.lines] == ["c", "\\x1b]52;c;x\\x07<script>"]
    assert (tail.name, tail.is_cut) == ("gglib", True)
    (tmp_path / "engines").mkdir()
    append(tmp_path / "engines" / "Org_tiny.log", "loaded")
    tail = await logs.read_log("engine:Org/tiny", 2)
    assert ([line.text for line in tail.lines], tail.is_cut) == (["loaded"], False)
    assert [log.name for log in await logs.list_logs()] == ["gglib", "engine:Org/tiny"]


@pytest.mark.parametrize("name", ["engine:tiny", "engine:../gglib", "other", "../gglib.log"])
async def test_a_missing_log_is_not_found(logs: LogReader, name: str) -> None:
    """For readers and followers."""
    with pytest.raises(LogNotFoundError):
        await logs.read_log(name, 1)
    with pytest.raises(LogNotFoundError):
        await anext(logs.follow_log(name, 1))


async def test_a_log_that_is_no_file_is_unreadable(logs: LogReader, tmp_path: Path) -> None:
    """A FIFO is not waited for."""
    (tmp_path / "gglib.log").unlink()
    os.mkfifo(tmp_path / "gglib.log")
    for reading in (logs.read_log("gglib", 1), anext(logs.follow_log("gglib", 1))):
        with pytest.raises(LogUnreadableError, match="not a regular file"):
            await reading


async def test_new_lines_follow_the_last_ones(logs: LogReader, tmp_path: Path) -> None:
    """Also those of the next file after a rotation; an incomplete line waits for its end."""
    path = tmp_path / "gglib.log"
    async with asyncio.timeout(30), aclosing(logs.follow_log("gglib", 2)) as followed:
        assert texts(await anext(followed)) == ["b", "c"]
        path.write_text(path.read_text() + "d\ne", encoding="utf-8")
        assert texts(await anext(followed)) == ["d"]
        append(path, " end", "old")
        path.rename(tmp_path / "gglib.log.1")
        append(path, "new")
        seen: list[str] = []
        while "new" not in seen:
            seen += texts(await anext(followed))
        assert seen == ["e end", "old", "new"]


@pytest.mark.parametrize("lines", [0, 5])
async def test_following_starts_at_the_start_of_a_line(logs: LogReader, tmp_path: Path, lines: int) -> None:
    """A line that is being written is shown as a whole, when it ends."""
    path = tmp_path / "gglib.log"
    path.write_text("a\nbeg", encoding="utf-8")
    async with asyncio.timeout(30), aclosing(logs.follow_log("gglib", lines)) as followed:
        assert texts(await anext(followed)) == ["a"][:lines]
        append(path, "un", "c")
        assert texts(await anext(followed)) == ["begun", "c"]


async def test_what_a_slow_reader_misses_is_counted(logs: LogReader, tmp_path: Path) -> None:
    """The last lines of one batch stay."""
    async with asyncio.timeout(30), aclosing(logs.follow_log("gglib", 0)) as followed:
        assert await anext(followed) == LogBatch(lines=())
        append(tmp_path / "gglib.log", *map(str, range(5000)))
        seen: list[str] = []
        skipped = 0
        while "4999" not in seen:
            batch = await anext(followed)
            skipped += batch.skipped
            seen += texts(batch)
        assert skipped + len(seen) == 5000
        assert skipped >= 3000


async def test_a_reader_that_leaves_waits_for_the_thread(
    logs: LogReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is closed only when nothing reads it any more."""
    started, may_end = threading.Event(), threading.Event()
    closed_at_end: list[bool] = []

    class Slow(FollowedFile):
        def read_new(self) -> Iterator[bytes]:
            started.set()
            may_end.wait(30)
            assert self._file is not None
            closed_at_end.append(self._file.closed)
            yield from super().read_new()

    monkeypatch.setattr(log_reader, "FollowedFile", Slow)

    async def follow() -> None:
        async with aclosing(logs.follow_log("gglib", 0)) as followed:
            async for _ in followed:
                pass

    following = asyncio.create_task(follow())
    await asyncio.to_thread(started.wait, 30)
    for _ in range(2):  # also if it is cancelled again
        following.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not following.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert closed_at_end == [False]
