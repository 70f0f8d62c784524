"""A stopped engine with a full backlog is busy, not absent: requests wait for it."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.waiting import until

from gglib.core.models import RunningTarget
from gglib.proxy import ProxyOptions
from gglib.testing import FakeRuntime

from .support import (
    MODEL,
    Engine,
    Exchange,
    Reply,
    ask,
    chat_body,
    connect,
    json_answer,
    proxy_running,
    quick,
)

BACKLOG = 4
REQUESTS = 24


async def answer_ok(exchange: Exchange) -> None:
    """Send a small response to any request."""
    await exchange.write(json_answer({"ok": True}))


class StoppedEngine:
    """Listens with a small backlog and accepts nothing until ``go_on``, as a stopped process does."""

    def __init__(self, directory: Path | None) -> None:
        self.engine = Engine(answer_ok)
        if directory is None:
            self.listener = socket.socket(proto=socket.IPPROTO_TCP)
            self.listener.bind(("127.0.0.1", 0))
            self.target = RunningTarget.local(self.listener.getsockname()[1], MODEL.id, MODEL.name, 4096)
        else:
            path = str(directory / "e.sock")
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.target = unix_target(path)
        self.listener.listen(BACKLOG)
        self._server: asyncio.Server | None = None

    @property
    def runtime(self) -> FakeRuntime:
        """A runtime whose only model is this engine."""
        return FakeRuntime({MODEL.name: self.target})

    async def go_on(self) -> None:
        """Accept connections from now on."""
        if self.target.unix_socket is not None:
            self._server = await asyncio.start_unix_server(
                self.engine.handle, sock=self.listener, backlog=BACKLOG
            )
        else:
            self._server = await asyncio.start_server(self.engine.handle, sock=self.listener, backlog=BACKLOG)

    async def close(self) -> None:
        """Close the listener and all connections."""
        if self._server is not None:
            self._server.close()
        self.listener.close()


@contextlib.asynccontextmanager
async def stopped_engine(directory: Path | None) -> AsyncIterator[StoppedEngine]:
    """Run a stopped engine for a block, on a unix socket or a port."""
    engine = StoppedEngine(directory)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.mark.parametrize("transport", ["unix", "tcp"])
async def test_no_request_fails_while_the_engine_is_stopped(transport: str, tmp_path: Path) -> None:
    """More requests than the backlog holds wait for a stopped engine, and all succeed when it continues."""
    directory = tmp_path if transport == "unix" else None
    async with stopped_engine(directory) as engine, proxy_running(engine.runtime) as proxy:
        asked = [asyncio.create_task(ask(proxy.port, body=chat_body())) for _ in range(REQUESTS)]
        # Longer than the four attempts for a request to an absent engine.
        done, _ = await asyncio.wait(asked, timeout=0.8, return_when=asyncio.FIRST_COMPLETED)
        assert not done
        await engine.go_on()
        replies: list[Reply] = await asyncio.gather(*asked)
        assert [reply.status for reply in replies] == [200] * REQUESTS
        assert len(engine.engine.exchanges) == REQUESTS


async def test_stream_that_waits_for_a_stopped_engine_is_kept_alive(tmp_path: Path) -> None:
    """Heartbeats are sent while the engine accepts no connection."""
    options = ProxyOptions(heartbeat_s=0.01)
    async with stopped_engine(tmp_path) as engine, proxy_running(engine.runtime, options=options) as proxy:
        fill_backlog(engine)
        async with await connect(proxy.port) as client:
            await client.send(body=chat_body(stream=True))
            assert b" 200 OK\r\n" in await client.read_until(b"\r\n\r\n")
            assert b":\n\n" in await client.read_until(b":\n\n")


@pytest.mark.parametrize("transport", ["unix", "tcp"])
async def test_wait_for_a_stopped_engine_is_bounded(transport: str, tmp_path: Path) -> None:
    """A request without a connection within ``first_byte_s`` gets the error of a silent engine."""
    directory = tmp_path if transport == "unix" else None
    options = ProxyOptions(first_byte_s=0.3, connect_timeout_s=0.1)
    async with stopped_engine(directory) as engine, proxy_running(engine.runtime, options=options) as proxy:
        fill_backlog(engine)
        with quick():
            reply = await ask(proxy.port, body=chat_body())
        assert reply.status == 504
        assert reply.error["code"] == "upstream_timeout"
        assert reply.error["message"] == "The engine of model 'tiny' accepted no connection for 0.3 s."


async def test_engine_that_dies_while_it_is_waited_for_is_not_waited_for_any_longer(tmp_path: Path) -> None:
    """Once nothing listens any more, the request fails as for an absent engine."""
    async with stopped_engine(tmp_path) as engine, proxy_running(engine.runtime) as proxy:
        fill_backlog(engine)
        asked = asyncio.create_task(ask(proxy.port, body=chat_body()))
        await until(lambda: len(proxy.runtime.admitted) == 1)
        await engine.close()
        with quick():
            reply = await asked
        assert (reply.status, reply.error["code"]) == (502, "upstream_error")


async def test_client_that_leaves_while_it_waits_for_a_stopped_engine_is_forgotten(tmp_path: Path) -> None:
    """The lease ends when the client disconnects, although the engine is still stopped."""
    async with stopped_engine(tmp_path) as engine, proxy_running(engine.runtime) as proxy:
        fill_backlog(engine)
        async with await connect(proxy.port) as client:
            await client.send(body=chat_body())
            await until(lambda: proxy.runtime.holds == 1)
            client.leave()
            await until(lambda: proxy.runtime.holds == 0)


async def test_absent_engine_is_reported_at_once(tmp_path: Path) -> None:
    """A request for a socket that does not exist fails without waiting."""
    target = unix_target(str(tmp_path / "no.sock"))
    started_s = time.monotonic()
    async with proxy_running(FakeRuntime({MODEL.name: target})) as proxy:
        reply = await ask(proxy.port, body=chat_body())
        assert (reply.status, reply.error["code"]) == (502, "upstream_error")
        assert time.monotonic() - started_s < 5


def fill_backlog(engine: StoppedEngine) -> None:
    """Connect until the backlog is full."""
    family = engine.listener.family
    for _ in range(BACKLOG + 4):
        sock = socket.socket(family)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(engine.listener.getsockname())
        _FILLERS.append(sock)


_FILLERS: list[socket.socket] = []


@pytest.fixture(autouse=True)
def no_fillers_left() -> Iterator[None]:
    """Close the connections that filled a backlog."""
    yield
    while _FILLERS:
        _FILLERS.pop().close()


def unix_target(path: str) -> RunningTarget:
    """Return the target of an engine on a unix socket."""
    return RunningTarget(
        base_url="http://engine",
        model_id=MODEL.id,
        model_name=MODEL.name,
        effective_ctx=4096,
        unix_socket=path,
    )
