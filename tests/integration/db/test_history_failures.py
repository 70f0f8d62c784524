"""Failures of the history never reach requests: full disk, damaged and foreign files, a file that cannot be opened."""

# ruff: noqa: ASYNC240 - tests may block their loop

import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.waiting import LIMIT_S, until, wait_until

from gglib.core.errors import HistoryError
from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.history.requests import RequestFilter
from gglib.core.history.usage import UsageQuery
from gglib.db import SqliteHistory, SqliteHistoryReader
from gglib.db.history.local_time import local_hour
from gglib.db.history.schema import MIGRATIONS, migrate, version_of
from gglib.db.history.writing import writer as writer_module
from gglib.db.history.writing.pruning import Limits
from gglib.db.history.writing.record_queue import RecordQueue
from gglib.db.history.writing.store import HistoryStore
from gglib.db.history.writing.writer import HistoryWriter, RetryTimes

PLAIN = RequestRecord("POST", "/v1", "qwen", 200, "req", 0.5, 1.0, 2.0, 1, False, None, ended_at_s=1000.0)

FULL_DISK = """
import asyncio, logging, os, resource, sys, time
from pathlib import Path
from gglib.core.history.records import RequestRecord
from gglib.core.history.usage import UsageQuery
from gglib.db import SqliteHistory

def records(count, at_s):
    return [RequestRecord("POST", "/", "a", 200, f"req_{n}", None, None, 1.0, 1, False, None,
        error_message=f"{at_s} {n} " * 9, prompt_tokens=1, ended_at_s=at_s + n / 1500) for n in range(count)]

async def main(path):
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    async with SqliteHistory(path, max_bytes=1 << 30, max_age_s=1e12) as history:
        history.record(records(10, 1000.0))
        history.flush()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 200_000, hard))
        history.record(records(3000, 2000.0))
        while history.statistics().error is None:
            await asyncio.sleep(0.01)
        history.record(records(10, 3000.0))
        print("usage", (await history.usage(UsageQuery()))[0].requests)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        while history.statistics().error is not None:
            await asyncio.sleep(0.01)
        history.flush()
        statistics = history.statistics()
        total = (await history.usage(UsageQuery()))[0]
        print("end", statistics.recorded, statistics.lost, total.requests, total.prompt_tokens)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a history that does not exist."""
    return tmp_path / "history.db"


def opened(path: Path) -> SqliteHistory:
    """Return a history with wide limits."""
    return SqliteHistory(path, max_bytes=1 << 30, max_age_s=1e12)


async def count_of(history: SqliteHistoryReader) -> int:
    """Return the number of stored requests."""
    return len((await history.find_requests(RequestFilter(), limit=10_000)).requests)


@pytest.mark.parametrize("is_moved", [False, True])
async def test_a_file_that_is_removed_while_it_is_written(
    path: Path, caplog: pytest.LogCaptureFixture, *, is_moved: bool
) -> None:
    """A new one begins with the next request, and the log says so; a moved one is complete."""
    async with opened(path) as history:
        history.record([PLAIN])
        history.flush()
        away = path.with_name("away.db")
        if is_moved:
            path.rename(away)
        else:
            path.unlink()
        history.record([PLAIN, PLAIN])
        history.flush()
        assert await count_of(history) == 2
        assert history.statistics().lost == 0
    assert f"The request history {path} was deleted or moved: a new one begins." in caplog.text
    assert await count_of(SqliteHistoryReader(path)) == 2
    if is_moved:
        assert await count_of(SqliteHistoryReader(away)) == 1


def test_a_full_disk(path: Path) -> None:
    """Requests wait in memory and are stored once; the log says so once, and once that it is over."""
    pytest.importorskip("resource")
    output = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    ).stdout.splitlines()
    assert len(output) == 4, output
    assert output[0].startswith("WARNING The request history cannot be written: ")
    assert "of them are kept in memory" in output[0]
    assert output[1] == "usage 10"
    # The writer's thread logs, the other one prints: on a busy machine in either order.
    assert sorted(output[2:]) == [
        "INFO The request history is written again; 0 requests were lost.",
        "end 3020 0 3020 3020",
    ]


async def test_bodies_that_waited_for_the_disk_are_redacted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As others are; the log has the number of those that had no room."""

    def redact(bodies: RecordedBodies) -> RecordedBodies:
        return replace(bodies, request=bodies.request.replace(b"secret", b"[redacted]"))

    path.mkdir()  # cannot be opened as a file
    queue = RecordQueue(max_body_bytes=10)
    retries = RetryTimes(0.01, 0.01)
    writer = HistoryWriter(path, Limits(1 << 30, 1e12), redact=redact, queue=queue, retries=retries)
    writer.start(LIMIT_S)
    queue.add([replace(PLAIN, bodies=RecordedBodies(b"a secret", b"")) for _ in range(2)])
    path.rmdir()
    wait_until(lambda: writer.statistics().recorded == 2)
    writer.stop(LIMIT_S)
    assert [message for message in caplog.messages if "dropped recorded bodies, of 1 request" in message]
    reader = SqliteHistoryReader(path)
    stored = (await reader.find_requests(RequestFilter(), limit=5)).requests
    assert [request.has_bodies for request in stored] == [False, True]
    assert await reader.read_bodies(1) == RecordedBodies(b"a [redacted]", b"")
    assert not [file for file in path.parent.iterdir() if b"secret" in file.read_bytes()]


def test_a_disk_that_damages_each_file_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file is moved aside; then the writer waits before it moves the next one."""
    opened_paths: list[Path] = []

    def open_damaged(opened_path: Path, _: object) -> HistoryStore:
        opened_paths.append(opened_path)
        opened_path.write_bytes(b"no database")
        return HistoryStore(opened_path, local_hour)

    monkeypatch.setattr(writer_module, "HistoryStore", open_damaged)
    writer = HistoryWriter(path, Limits(1 << 30, 1e12))
    writer.start(LIMIT_S)
    wait_until(lambda: writer.statistics().error is not None)
    writer.stop(LIMIT_S)
    assert len(opened_paths) == 3  # the first file, the next one, and a last attempt at the end
    assert len(list(path.parent.glob("history.db.damaged-*"))) == 1


def test_requests_beyond_the_queue_are_lost_and_counted(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The number is in the statistics and in the log."""
    caplog.set_level(logging.INFO)
    path.mkdir()  # cannot be opened as a file
    writer = HistoryWriter(path, Limits(1 << 30, 1e12), queue=RecordQueue(5), retries=RetryTimes(0.01, 0.01))
    writer.start(LIMIT_S)
    writer.queue.add([PLAIN] * 3)
    writer.queue.add([PLAIN] * 4)
    writer.flush(LIMIT_S)
    statistics = writer.statistics()
    assert (statistics.recorded, statistics.lost) == (0, 2)
    assert statistics.error is not None
    path.rmdir()
    wait_until(lambda: writer.statistics().recorded == 5)
    wait_until(lambda: writer.statistics().error is None)
    writer.stop(LIMIT_S)
    messages = [record.getMessage() for record in caplog.records if record.name == "gglib.history"]
    assert len(messages) == 2
    assert "cannot be written" in messages[0]
    assert messages[1] == "The request history is written again; 2 requests were lost."
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT sum(requests) FROM usage").fetchone() == (5,)


def test_what_cannot_be_stored_until_the_end_is_lost(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server ends in time also with a history that cannot be written."""
    path.mkdir()
    writer = HistoryWriter(path, Limits(1 << 30, 1e12))
    writer.start(LIMIT_S)
    writer.queue.add([PLAIN] * 3)
    writer.stop(LIMIT_S)
    assert writer.statistics().lost == 3
    assert "ends without the last 3 requests" in caplog.text


def test_a_bug_loses_one_batch(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The next one is stored."""

    class Broken(str):
        __slots__ = ()

        def __getitem__(self, _: object) -> str:
            raise RuntimeError("broken")

    writer = HistoryWriter(path, Limits(1 << 30, 1e12))
    writer.start(LIMIT_S)
    writer.queue.add([PLAIN, replace(PLAIN, model=Broken("x"))])
    writer.flush(LIMIT_S)
    writer.queue.add([PLAIN])
    writer.flush(LIMIT_S)
    statistics = writer.statistics()
    assert (statistics.recorded, statistics.lost, statistics.error) == (1, 2, None)
    assert "2 requests cannot be stored" in caplog.text
    writer.stop(LIMIT_S)
    writer.queue.add([PLAIN])
    assert writer.statistics().lost == 3


def test_a_failed_batch_is_not_counted_twice(path: Path) -> None:
    """Rows, names and usage are one transaction: the next attempt begins anew."""
    writer = HistoryWriter(path, Limits(1 << 30, 1e12), retries=RetryTimes(0.01, 0.01))
    writer.start(LIMIT_S)
    writer.queue.add([replace(PLAIN, key_name="first")])
    writer.flush(LIMIT_S)
    store = writer._store
    assert store is not None
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    many = [replace(PLAIN, key_name=f"key-{n}" * 20, ended_at_s=2000.0 + n / 1000) for n in range(2000)]
    writer.queue.add(many)
    wait_until(lambda: writer.statistics().error)
    assert writer.statistics().error == "the disk is full: free some space"
    assert writer.statistics().recorded == 1
    store.connection.execute("PRAGMA max_page_count = 100000")
    wait_until(lambda: writer.statistics().recorded == 2001)
    writer.stop(LIMIT_S)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT sum(requests) FROM usage").fetchone() == (2001,)
        assert connection.execute("SELECT count(*), max(id) FROM requests").fetchone() == (2001, 2001)
        assert connection.execute("SELECT count(*) FROM names WHERE text LIKE 'key-%'").fetchone() == (2000,)


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"SQLite format 3\0" + b"\xff" * 9000])
async def test_a_damaged_file_is_moved_aside(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept; a new history begins."""
    path.write_bytes(content)
    async with opened(path) as history:
        history.record([PLAIN])
        assert await count_of(history) == 1
        assert history.statistics().error is None
    (damaged,) = path.parent.glob("history.db.damaged-*")
    assert damaged.read_bytes() == content
    assert f"it is {damaged.name} now" in caplog.text


async def test_a_file_that_is_damaged_while_it_is_open(path: Path) -> None:
    """What is queued goes to the new one."""
    async with opened(path) as history:
        history.record(
            [replace(PLAIN, request_id=f"req_{n}", ended_at_s=1000.0 + n / 1000) for n in range(3000)]
        )
        assert await count_of(history) == 3000
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    async with opened(path) as history:
        history.record([PLAIN])
        await until(lambda: history.statistics().recorded == 1)
        assert await count_of(history) == 1
    assert len(list(path.parent.glob("history.db.damaged-*"))) == 1


async def test_few_damaged_files_are_kept(path: Path) -> None:
    """A failing disk does not fill up with them."""
    for year in (2020, 2021, 2022):
        path.with_name(f"history.db.damaged-{year}0101T000000").touch()
    path.write_bytes(b"x" * 5000)
    async with opened(path):
        pass
    names = sorted(file.name for file in path.parent.glob("history.db.damaged-*"))
    assert len(names) == 2
    assert names[0] == "history.db.damaged-20220101T000000"


async def test_a_file_of_another_program_stays(path: Path) -> None:
    """Requests go on, and a reader says what to do."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine');")
    content = path.read_bytes()
    async with opened(path) as history:
        history.record([PLAIN])
        assert "another program" in (history.statistics().error or "")
        with pytest.raises(HistoryError, match="move it away"):
            await history.usage(UsageQuery())
    assert path.read_bytes() == content


async def test_a_newer_format_stays(path: Path) -> None:
    """An older gglib neither reads nor changes it."""
    async with opened(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    content = path.read_bytes()
    async with opened(path) as history:
        history.record([PLAIN])
        assert "newer gglib" in (history.statistics().error or "")
        with pytest.raises(HistoryError, match="upgrade gglib"):
            await history.find_requests(RequestFilter(), limit=1)
    assert path.read_bytes() == content
    with pytest.raises(HistoryError, match="upgrade gglib"):
        await SqliteHistoryReader(path).find_request("1")


def test_a_migration_that_fails_changes_nothing() -> None:
    """Each is one transaction with its number."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        version = version_of(connection)
        assert version == len(MIGRATIONS)
        with pytest.raises(sqlite3.Error):
            migrate(connection, (*MIGRATIONS, "CREATE TABLE extra (a); CREATE TABLE names (b)"))
        assert version_of(connection) == version
        assert not connection.in_transaction
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'extra'").fetchone() is None


async def test_damaged_bodies(path: Path) -> None:
    """An error of the history, not of the server."""
    async with opened(path) as history:
        history.record([PLAIN])
        assert await count_of(history) == 1
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO bodies VALUES (1, x'00', x'00', 0, 0)")
    with pytest.raises(HistoryError, match="are damaged"):
        await SqliteHistoryReader(path).read_bodies(1)
