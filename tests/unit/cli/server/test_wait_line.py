"""The wait line of a request: what it follows, what it shows, and when it is empty."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gglib.cli.server import wait_line
from gglib.cli.server.wait_line import StatusWatcher, _in_background
from gglib.cli.terminal.status_line import FirstStatusLine
from gglib.core.errors import GglibError, UpstreamError

STOPPING = {"residents": [{"model_name": "big", "state": "stopping", "in_flight": 0}], "waiting": []}
LOADING = {"residents": [{"model_name": "small", "state": "loading", "in_flight": 0}], "waiting": []}
BEGUN = {
    "residents": [
        {
            "model_name": "small",
            "state": "loading",
            "in_flight": 0,
            "loading_for_s": 30.0,
            "expected_load_s": 50.0,
        }
    ],
    "waiting": [],
}

Stream = list[Mapping[str, Any] | Exception]


class RecordedLine:
    """Records the shown sentences, without repetitions."""

    def __init__(self) -> None:
        self.shown: list[str | None] = []

    def show(self, words: str | None) -> None:
        """Record the sentence."""
        if self.shown[-1:] != [words]:
            self.shown.append(words)

    def close(self) -> None:
        """Do nothing."""


class Server:
    """Offers one stream of statuses after another; the last one stays open after all were sent."""

    def __init__(self, *streams: Stream) -> None:
        self.all_sent = asyncio.Event()
        self.opened = 0
        self._streams = list(streams)

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        """Open the next stream; raise if it begins with an error."""
        self.opened += 1
        stream = self._streams.pop(0)
        if stream and isinstance(stream[0], Exception):
            if not self._streams:
                self.all_sent.set()
            raise stream[0]
        yield self._send(stream)

    async def _send(self, stream: Stream) -> AsyncIterator[Mapping[str, Any]]:
        for status in stream:
            if isinstance(status, Exception):
                raise status
            yield status
        if not self._streams:
            self.all_sent.set()
            await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable pauses."""
    for name in ("REDRAW_S", "RECONNECT_S", "REPORT_AFTER_S"):
        monkeypatch.setattr(wait_line, name, 0)


async def watched(server: Server) -> list[str | None]:
    """Watch until the server has sent all, and a little longer; return the shown sentences."""
    line = RecordedLine()
    task = asyncio.create_task(StatusWatcher(server.follow, "small", line).live())
    await server.all_sent.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    return line.shown


async def test_each_status_becomes_its_sentence() -> None:
    """The line follows the status until the response begins."""
    assert await watched(Server([STOPPING, LOADING])) == [
        None,
        "Unloading 'big', then loading 'small': 0 s",
        "Loading 'small' ...",
    ]


async def test_elapsed_time_grows_between_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """One status is enough: the seconds of a load grow with this program's own clock."""
    start_s, steps = time.monotonic(), iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: start_s + next(steps))
    server = Server([BEGUN])
    shown = [words for words in await watched(server) if words is not None]
    assert shown[0].startswith("Loading 'small': 3")
    assert all(words.endswith(" of about 50 s") for words in shown[:5])
    assert len(set(shown)) >= 5
    assert server.opened == 1


async def test_ended_stream_is_followed_again() -> None:
    """A connection that breaks, or is refused for now, clears the line, and the next one restores it."""
    server = Server([STOPPING, UpstreamError("It is gone.")], [UpstreamError("It is gone.")], [], [LOADING])
    assert await watched(server) == [
        None,
        "Unloading 'big', then loading 'small': 0 s",
        None,
        "Loading 'small' ...",
    ]
    assert server.opened == 4


async def test_server_without_events_is_not_asked_again() -> None:
    """A permanent refusal: nothing is shown, and no further request is sent."""
    server = Server([GglibError("There is no such route.")], [LOADING])
    line = RecordedLine()
    task = asyncio.create_task(StatusWatcher(server.follow, "small", line).live())
    for _ in range(20):
        await asyncio.sleep(0)
    assert (line.shown, server.opened, task.done()) == ([None], 1, False)
    task.cancel()


@pytest.mark.parametrize("status", [{}, {"residents": None}, {"residents": [{}], "waiting": []}])
async def test_invalid_status_clears_the_line(status: Mapping[str, Any]) -> None:
    """The response of another version clears the line, and the next status restores it."""
    assert await watched(Server([status, LOADING])) == [None, "Loading 'small' ..."]


async def test_redirected_output_gets_one_sentence() -> None:
    """One status is read from the stream; a wait that has ended by then reads none."""
    server, line = Server([LOADING, STOPPING]), RecordedLine()
    await StatusWatcher(server.follow, "small", line).once()
    assert (line.shown, server.opened) == (["Loading 'small' ..."], 1)
    refused = RecordedLine()
    await StatusWatcher(Server([GglibError("No.")]).follow, "small", refused).once()
    assert refused.shown == []


def test_background_work_ends_with_its_block() -> None:
    """The work is cancelled at the end of the block, and has cleaned up soon after."""
    done: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            done.append("cancelled")

    with _in_background(work()):
        assert done == []
    deadline_s = time.monotonic() + 10
    while not done and time.monotonic() < deadline_s:
        time.sleep(0.001)
    assert done == ["cancelled"]


def test_plain_line_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The first sentence is a line on stderr; later ones, and those after the end, are not printed."""
    line = FirstStatusLine()
    for words in (None, "first", "second"):
        line.show(words)
    closed = FirstStatusLine()
    closed.close()
    closed.show("too late")
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "first\n")
