"""Clients that do not read: how long they may block other models, and what is logged."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.integration.proxy.support import (
    MODEL,
    SSE_HEAD,
    Client,
    Engine,
    Exchange,
    Proxy,
    chat_body,
    chunked,
    connect,
    engine_running,
    proxy_running,
    standing_still,
)
from tests.support.waiting import until

from gglib.core.models import RunningTarget
from gglib.http.server.send_queue import unsent_bytes
from gglib.proxy import ProxyOptions
from gglib.testing import FakeRuntime

EVENT = chunked(b"data: " + b"x" * 16_000 + b"\n\n")


class WantedRuntime(FakeRuntime):
    """A runtime whose ``is_wanted`` is set by the test."""

    wanted = False

    def is_blocking_swap(self, target: RunningTarget) -> bool:
        """Return the test's value."""
        assert target in self.targets.values()
        return self.wanted


@asynccontextmanager
async def stalled_stream(options: ProxyOptions) -> AsyncIterator[tuple[Proxy, Client, Engine]]:
    """Run a proxy with an endless stream that a client no longer reads."""
    written = 0

    async def endless(exchange: Exchange) -> None:
        nonlocal written
        await exchange.write(SSE_HEAD)
        while True:
            await exchange.write(EVENT)
            written += 1

    async with (
        engine_running(endless) as engine,
        proxy_running(WantedRuntime({MODEL.name: engine.target}), options=options) as proxy,
        await connect(proxy.port, receive_buffer_bytes=4096) as client,
    ):
        client.stop_reading()
        await client.send(body=chat_body(stream=True))
        await standing_still(lambda: written)
        yield proxy, client, engine


def access_line(caplog: pytest.LogCaptureFixture) -> str:
    """Return the one line of the access log."""
    (line,) = [record.getMessage() for record in caplog.records if record.name == "gglib.access"]
    return line


def has_line(caplog: pytest.LogCaptureFixture) -> bool:
    """Whether the access log has a line."""
    return any(record.name == "gglib.access" for record in caplog.records)


async def test_stalled_client_is_closed_once_others_wait_for_the_model(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The stream stays open until another model needs the memory, and the log has the reason."""
    caplog.set_level(logging.INFO, "gglib.access")
    async with stalled_stream(ProxyOptions(write_timeout_s=600, stalled_client_s=0.05)) as (proxy, _, engine):
        await asyncio.sleep(0.4)  # the duration is the test: eight times the limit
        assert proxy.runtime.holds == 1
        proxy.runtime.wanted = True
        await until(lambda: proxy.runtime.holds == 0 and engine.open == 0)
        await until(lambda: has_line(caplog))
        assert " status=200 cut=client_stalled " in access_line(caplog)


async def test_client_closed_after_the_ordinary_timeout_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Also if no other request waits, the log says that gglib closed the connection."""
    caplog.set_level(logging.INFO, "gglib.access")
    async with stalled_stream(ProxyOptions(write_timeout_s=0.1)) as (proxy, _, engine):
        await until(lambda: proxy.runtime.holds == 0 and engine.open == 0)
        await until(lambda: has_line(caplog))
        assert " status=200 cut=client_stalled " in access_line(caplog)


async def test_disconnect_in_mid_stream_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The line differs from that of a complete response."""
    caplog.set_level(logging.INFO, "gglib.access")
    async with stalled_stream(ProxyOptions()) as (_, client, engine):
        client.leave()
        await until(lambda: engine.open == 0 and has_line(caplog))
        assert " status=499 cut=client_left " in access_line(caplog)


@pytest.mark.parametrize("how", ["engine dies", "engine falls silent", "shutdown"])
async def test_stream_that_gglib_ends_early_is_logged(caplog: pytest.LogCaptureFixture, how: str) -> None:
    """The line has the code of the error."""
    caplog.set_level(logging.INFO, "gglib.access")

    async def begin(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(b"data: 1\n\n"))
        if how == "engine dies":
            exchange.abort()
        await exchange.peer_left()

    options = ProxyOptions(chunk_gap_s=0.1 if how == "engine falls silent" else 60)
    async with (
        engine_running(begin) as engine,
        proxy_running(FakeRuntime({MODEL.name: engine.target}), options=options) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True))
        await client.read_until(b"data: 1\n\n")
        if how == "shutdown":
            await proxy.stop()
        await until(lambda: has_line(caplog))
    code = {
        "engine dies": "upstream_error",
        "engine falls silent": "upstream_timeout",
        "shutdown": "shutting_down",
    }
    assert f" status=200 cut={code[how]} " in access_line(caplog)


async def test_the_kernels_send_queue_shows_that_a_client_reads() -> None:
    """Reading a few bytes does not change the transport's buffer, but the kernel's queue."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, accepted)
        transport.set_write_buffer_limits(high=0)
        transport.write(b"x" * 8_000_000)
        await standing_still(lambda: unsent_bytes(transport))
        before, buffered = unsent_bytes(transport), transport.get_write_buffer_size()
        assert before > buffered
        for _ in range(4):
            client.recv(2000)
        await until(lambda: unsent_bytes(transport) < before)
        assert transport.get_write_buffer_size() == buffered
        transport.abort()
