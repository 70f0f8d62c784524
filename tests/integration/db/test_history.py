"""The request history in its file: bounds, privacy, restarts, other processes."""

# ruff: noqa: ASYNC220, ASYNC240 - tests may block their loop

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.waiting import LIMIT_S, until

from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.history.requests import RequestFilter
from gglib.core.history.usage import UsageField, UsageQuery, UsageRow
from gglib.db import SqliteHistory, SqliteHistoryReader
from gglib.db.history.writing.pruning import SLACK_BYTES
from gglib.db.history.writing.writer import COMMIT_DELAY_S

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = RequestRecord(
    "POST", "/v1", "qwen", 200, "req", 0.5, 1.0, 2.0, 1, False, None, route="/v1", prompt_tokens=2
)

RECORD_FOREVER = """
import asyncio, itertools, sys, time
from pathlib import Path
from gglib.core.history.records import RequestRecord
from gglib.db import SqliteHistory

async def main(path):
    async with SqliteHistory(path, max_bytes=1 << 30, max_age_s=1e9) as history:
        for number in itertools.count(1):
            history.record([RequestRecord("POST", "/", "a", 200, f"req_{number}", None, None, 1.0, 1, False, None,
                key_name="k", prompt_tokens=1, ended_at_s=time.time())])
            print(history.statistics().recorded, flush=True)
            await asyncio.sleep(0.002)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a history that does not exist."""
    return tmp_path / "history.db"


def opened(path: Path, max_bytes: int = 1 << 30, max_age_s: float = 1e12) -> SqliteHistory:
    """Return a history with wide limits, which stores bodies unchanged."""
    return SqliteHistory(path, max_bytes=max_bytes, max_age_s=max_age_s, redact=lambda bodies: bodies)


def records(count: int, **fields: object) -> list[RequestRecord]:
    """Return requests that end one after the other, a millisecond apart."""
    return [
        replace(PLAIN, request_id=f"req_{n}", ended_at_s=1000.0 + n / 1000, **fields)  # type: ignore[arg-type] # real fields
        for n in range(count)
    ]


async def count_of(history: SqliteHistoryReader) -> int:
    """Return the number of stored requests, at most 1,000,000."""
    return len((await history.find_requests(RequestFilter(), limit=1_000_000)).requests)


async def test_files(path: Path) -> None:
    """For the owner alone; the log is gone after closing."""
    async with opened(path / "deeper" / "history.db") as history:
        history.record(records(1))
        assert await count_of(history) == 1
        files = list((path / "deeper").iterdir())
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)
        assert history.statistics().size_bytes > 4096
    assert os.listdir(path / "deeper") == ["history.db"]  # noqa: PTH208 - names


async def test_a_file_that_others_can_read_becomes_private(path: Path) -> None:
    """At the next start."""
    async with opened(path):
        pass
    path.chmod(0o644)
    async with opened(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_commit_follows_without_a_reader(path: Path) -> None:
    """Within half a second and the time of the commit."""
    assert COMMIT_DELAY_S < 0.5
    async with opened(path) as history:
        history.record(records(3))
        await until(lambda: history.statistics().recorded == 3)


async def test_a_restart_continues(path: Path) -> None:
    """Numbers, blocks and names of before."""
    async with opened(path) as history:
        history.record(records(700, key_name="a"))
    async with opened(path) as history:
        history.record(records(3, key_name="b"))
        history.record(records(2, key_name="a"))
        page = await history.find_requests(RequestFilter(key="b"), limit=9)
        assert [request.id for request in page.requests] == [703, 702, 701]
        page = await history.find_requests(RequestFilter(key="a"), limit=3)
        assert [(request.id, request.request_id) for request in page.requests] == [
            (705, "req_1"),
            (704, "req_0"),
            (700, "req_699"),
        ]
        (total,) = await history.usage(UsageQuery(key="a"))
        assert total.requests == 702


async def test_closing_stores_what_is_queued(path: Path) -> None:
    """And a reader of another process needs no server."""
    async with opened(path) as history:
        history.record(records(5))
    reader = SqliteHistoryReader(path)
    assert await count_of(reader) == 5
    assert (await reader.usage(UsageQuery()))[0].requests == 5


async def test_a_missing_history_is_empty(path: Path) -> None:
    """A reader creates no file; nor does it mind an empty one, which a server is about to fill."""
    reader = SqliteHistoryReader(path)
    for _ in range(2):
        assert await count_of(reader) == 0
        assert await reader.find_request("1") is None
        assert await reader.read_bodies(1) is None
        assert await reader.usage(UsageQuery()) == (UsageRow(),)
        assert await reader.usage(UsageQuery(by=(UsageField.KEY,))) == ()
        assert await reader.recent_use(0.0) == ()
        assert not list(path.parent.glob("*-*"))
        path.touch()


async def test_no_content_is_stored(path: Path) -> None:
    """What clients put into paths and query strings is neither in the file nor in its log."""
    marker = "MARKER-prompt-4711"
    async with opened(path) as history:
        history.record(records(600, path=f"/v1/{marker}?key={marker}", method=marker))
        assert await count_of(history) == 600
        contents = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert b"qwen" in contents
        assert marker.encode() not in contents
    assert marker.encode() not in path.read_bytes()


async def test_bodies_are_redacted_before_they_are_stored(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If that fails, they are dropped and the request stays; the log quotes no body."""

    def redact(bodies: RecordedBodies) -> RecordedBodies:
        if b"unreadable" in bodies.request:
            raise ValueError(bodies.request)
        return replace(bodies, request=bodies.request.replace(b"SECRET", b"***"))

    async with SqliteHistory(path, max_bytes=1 << 30, max_age_s=1e12, redact=redact) as history:
        history.record([replace(PLAIN, bodies=RecordedBodies(b"a SECRET", b"b"))])
        history.record([replace(PLAIN, bodies=RecordedBodies(b"unreadable SECRET", b"b"))])
        assert await history.read_bodies(1) == RecordedBodies(b"a ***", b"b")
        assert await history.read_bodies(2) is None
        assert await count_of(history) == 2
    assert "its bodies cannot be redacted and are not stored (ValueError)" in caplog.text
    assert "SECRET" not in caplog.text


async def test_secrets_are_removed_unless_another_function_does(path: Path) -> None:
    """A program that embeds the history need not know of it."""
    async with SqliteHistory(path, max_bytes=1 << 30, max_age_s=1e12) as history:
        history.record([replace(PLAIN, bodies=RecordedBodies(b"sk-0123456789abcdefABCDEF", b"b"))])
        assert await history.read_bodies(1) == RecordedBodies(b"[redacted: API key]", b"b")


async def test_texts_of_clients_are_bounded(path: Path) -> None:
    """Names and request ids, whatever they consist of."""
    async with opened(path) as history:
        long = replace(PLAIN, requested_model="ä" * 5000, request_id="x" * 5000, error_message="y" * 5000)
        history.record([long, replace(PLAIN, requested_model="\ud800\0", request_id="a\nb")])
        odd, stored = (await history.find_requests(RequestFilter(), limit=9)).requests
        assert stored.requested_model == "ä" * 200
        assert stored.request_id == "x" * 200
        assert stored.error_message == "y" * 500
        assert (odd.requested_model, odd.request_id) == ("?", "a b")


async def test_values_that_cannot_be_stored(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Numbers are bounded; a record with a wrong type is lost alone."""
    async with opened(path) as history:
        wrong = replace(PLAIN, prompt_tokens=b"x")  # type: ignore[arg-type] # on purpose
        history.record([PLAIN, replace(PLAIN, prompt_tokens=10**30), wrong, PLAIN])
        found = (await history.find_requests(RequestFilter(), limit=9)).requests
        assert [request.prompt_tokens for request in found] == [2, 2**40, 2]
        statistics = history.statistics()
        assert (statistics.recorded, statistics.lost, statistics.error) == (3, 1, None)
    assert "1 requests have values that cannot be stored" in caplog.text


async def test_a_burst_is_aggregated(path: Path) -> None:
    """Beyond 2,000 rows in a second; usage counts each request."""
    async with opened(path) as history:
        for _ in range(5):
            history.record([replace(PLAIN, ended_at_s=5000.0, key_name="k")] * 1000)
            await history.usage(UsageQuery())
        found = (await history.find_requests(RequestFilter(), limit=5000)).requests
        assert sum(request.count for request in found) == 5000
        assert 2000 < len(found) < 2010
        assert history.statistics().aggregated == 3000
        (total,) = await history.usage(UsageQuery(key="k"))
        assert (total.requests, total.prompt_tokens) == (5000, 10_000)
        assert total.busy_s == pytest.approx(7500.0)
        uses = await history.recent_use(0.0)
        assert sum(use.requests for use in uses) == 5000
        assert sum(use.tokens for use in uses) == 10_000


async def test_the_size_is_bounded(path: Path) -> None:
    """The oldest go first, with their bodies; usage stays, and names that are in use."""
    limit = 1 << 20
    async with opened(path, max_bytes=limit) as history:
        for number in range(8):
            first_s = 1000.0 + number * 5
            history.record(
                [
                    replace(
                        PLAIN, key_name=f"key-{number}", program=f"p{number}", ended_at_s=first_s + n / 900
                    )
                    for n in range(4000)
                ]
            )
            history.record(
                [replace(PLAIN, bodies=RecordedBodies(os.urandom(50_000), b""), ended_at_s=first_s + 4.9)]
            )
            await history.usage(UsageQuery())
            assert history.statistics().size_bytes < limit + 8 * SLACK_BYTES
        await until(lambda: is_pruned(path, limit))
        found = (await history.find_requests(RequestFilter(), limit=100_000)).requests
        assert 2000 < len(found) < 32_000
        assert found[0].key is None
        assert [request.id for request in found] == list(range(32_008, 32_008 - len(found), -1))
        (total,) = await history.usage(UsageQuery())
        assert total.requests == 32_008
        assert (await history.usage(UsageQuery(key="key-0")))[0].requests == 4000


def names_of(path: Path) -> set[str]:
    """Return the stored names."""
    with closing(sqlite3.connect(path)) as connection:
        return {text for (text,) in connection.execute("SELECT text FROM names")}


def is_pruned(path: Path, limit: int) -> bool:
    """Whether pages in use are within the limit."""
    with closing(sqlite3.connect(path)) as connection:
        pages, free, page = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return bool((pages - free) * page <= limit)


async def test_a_lower_limit_shrinks_the_file(path: Path) -> None:
    """While the server runs."""
    async with opened(path) as history:
        history.record(
            [replace(request, bodies=RecordedBodies(os.urandom(100_000), b"")) for request in records(60)]
        )
        await until(lambda: history.statistics().recorded == 60)  # a slow machine compresses for seconds
        assert history.statistics().size_bytes > 5_000_000
        history.reconfigure(max_bytes=1 << 20)
        await until(lambda: is_pruned(path, 1 << 20))
        await until(lambda: path.stat().st_size <= (1 << 20) + 2 * SLACK_BYTES)
        assert await count_of(history) == 60
        page = await history.find_requests(RequestFilter(), limit=60)
        kept = [request.id for request in page.requests if request.has_bodies]
        assert kept == list(range(60, 60 - len(kept), -1))
    assert path.stat().st_size <= (1 << 20) + 2 * SLACK_BYTES


async def test_old_requests_are_deleted(path: Path) -> None:
    """Also from a block that has younger ones; their texts go, the numbers continue, and usage stays."""
    now = time.time()
    async with opened(path) as history:
        history.record(
            [replace(PLAIN, request_id=f"old_{n}", key_name="old", ended_at_s=now - 9000) for n in range(600)]
        )
        history.record(
            [replace(PLAIN, request_id=f"new_{n}", key_name="new", ended_at_s=now) for n in range(3)]
        )
        assert await count_of(history) == 603
        history.reconfigure(max_age_s=5000)
        found: list[str] = []
        while found != ["new_2", "new_1", "new_0"]:
            page = await history.find_requests(RequestFilter(), limit=1000)
            found = [request.request_id for request in page.requests]
        assert await history.find_request("old_599") is None
        assert [request.id for request in page.requests] == [603, 602, 601]
        assert (await history.find_requests(RequestFilter(text="old_"), limit=9)).requests == ()
        history.record([replace(PLAIN, request_id="newer", key_name="new", ended_at_s=now + 1)])
        request = await history.find_request("newer")
        assert request is not None
        assert request.id == 604
        (total,) = await history.usage(UsageQuery(key="old"))
        assert total.requests == 600
        history.reconfigure(max_age_s=-5000)
        while await count_of(history):
            pass
    async with opened(path) as history:
        history.record([PLAIN])
        request = await history.find_request("605")
        assert request is not None


async def test_names_that_nothing_refers_to_are_deleted(path: Path) -> None:
    """Those of usage and of younger requests stay."""
    async with opened(path) as history:
        gone = replace(PLAIN, key_name="in-usage", profile="gone", client="192.0.2.1", model="both")
        history.record([replace(gone, ended_at_s=1000.0 + n / 1000) for n in range(511)])
        history.record([replace(PLAIN, profile="kept", model="both", ended_at_s=time.time())])
        assert await count_of(history) == 512
        assert {"gone", "192.0.2.1"} <= names_of(path)
        history.reconfigure(max_age_s=5000)
        await until(lambda: history.statistics().error or "gone" not in names_of(path))
        assert {"in-usage", "kept", "both", "/v1"} <= names_of(path)
        assert "192.0.2.1" not in names_of(path)
        history.record([replace(gone, ended_at_s=time.time())])
        page = await history.find_requests(RequestFilter(profile="gone"), limit=9)
        assert [request.address for request in page.requests] == ["192.0.2.1"]


async def test_readers_see_whole_batches_while_the_server_writes(path: Path) -> None:
    """Rows and usage of one state, from a connection of its own."""
    async with opened(path) as history:
        reader = SqliteHistoryReader(path)
        seen = [0]
        for number in range(40):
            history.record(records(50))
            if number % 8 == 0:
                await history.usage(UsageQuery())
            seen.append(await count_of(reader))
        assert seen == sorted(seen)
        assert seen[-1] >= 33 * 50  # those before the last call of usage
        assert all(count % 50 == 0 for count in seen)
        results = await asyncio.gather(*(count_of(history) for _ in range(8)))
        assert results == [2000] * 8


async def test_kill_9_loses_nothing_that_was_stored(path: Path) -> None:
    """A commit survives its process, and the next one continues."""
    process = subprocess.Popen(
        [sys.executable, "-c", RECORD_FOREVER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    stored = 0
    while stored < 400:
        stored = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    left = process.stdout.read().split()
    process.wait(LIMIT_S)
    process.stdout.close()
    stored = max([stored, *(int(line) for line in left[:-1])])
    assert await count_of(SqliteHistoryReader(path)) >= stored
    async with opened(path) as history:
        found = (await history.find_requests(RequestFilter(), limit=1_000_000)).requests
        assert len(found) >= stored
        assert [request.request_id for request in reversed(found)] == [
            f"req_{n + 1}" for n in range(len(found))
        ]
        (total,) = await history.usage(UsageQuery(key="k"))
        assert total.requests == len(found)
        history.record([PLAIN])
        assert await count_of(history) == len(found) + 1


@pytest.mark.parametrize("break_name", ["a\x00b", "\ud800"])
async def test_odd_names_in_filters_find_nothing(path: Path, break_name: str) -> None:
    """And raise nothing."""
    async with opened(path) as history:
        history.record(records(1))
        wanted: list[Callable[[], RequestFilter]] = [
            lambda: RequestFilter(key=break_name),
            lambda: RequestFilter(text=break_name),
            lambda: RequestFilter(request_id=break_name),
        ]
        for make in wanted:
            assert (await history.find_requests(make(), limit=9)).requests == ()
        assert await history.usage(UsageQuery(by=(UsageField.KEY,), key=break_name)) == ()
