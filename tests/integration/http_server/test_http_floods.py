"""Limits other than deadlines: small chunks, memory for bodies, descriptors; and disconnects meanwhile.

``python -m bench.floods`` is the long version, with times.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.proxy.support import (
    Exchange,
    ask,
    chat_body,
    connect,
    engine_running,
    proxy_running,
    runtime_for,
)
from tests.support.waiting import until

from gglib.proxy import ProxyOptions

from .cases import CHUNKED, HOST, PATH, head, length_of, post, post_raw
from .test_http_deadlines import health_watched, the_only_reply
from .upstream import recording
from .wire import Listener

KIB = 1024
LONG_S, SHORT_S = 60.0, 0.4
HEALTH = head(b"GET", b"/health", HOST)
PATIENT = ProxyOptions(
    head_timeout_s=LONG_S, body_timeout_s=LONG_S, write_timeout_s=LONG_S, idle_timeout_s=LONG_S
)


async def test_flood_of_one_byte_chunks_is_refused_and_others_are_served() -> None:
    """However many arrive in one write: 400 with a hint, and /health responds meanwhile."""
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=PATIENT) as proxy,
        health_watched(proxy.port),
        await connect(proxy.port) as client,
    ):
        client.writer.write(post_raw(CHUNKED, data=b"1\r\nx\r\n" * 200_000))
        reply = the_only_reply(await Listener(client).to_the_end())
    assert (reply.status, reply.error["code"]) == (400, "invalid_request")
    assert "in chunks of 1 KiB" in reply.error["message"]
    assert upstream.requests == []


async def test_chunks_as_a_json_encoder_writes_them_are_served() -> None:
    """A body of 60 KB in chunks of five bytes is the same body."""
    body = chat_body(filler="x" * 60_000)
    pieces = [body[at : at + 5] for at in range(0, len(body), 5)]
    data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=PATIENT) as proxy,
        await connect(proxy.port) as client,
    ):
        client.writer.write(post_raw(CHUNKED, b"Connection: close", data=data))
        assert the_only_reply(await Listener(client).to_the_end()).status == 200
    assert upstream.bodies == [body]


def unfinished(size_bytes: int) -> bytes:
    """Return a request whose body lacks its last byte."""
    return head(b"POST", PATH, HOST, length_of(bytes(size_bytes))) + b" " * (size_bytes - 1)


async def test_bodies_beyond_the_budget_wait_and_small_ones_pass() -> None:
    """While large bodies hold the budget, a small request is served; when one is released, the next completes."""
    large = chat_body(filler="x" * 400 * KIB)
    options = replace(PATIENT, max_bodies_bytes=300 * KIB)
    async with recording() as upstream, proxy_running(upstream.runtime, options=options) as proxy:
        async with await connect(proxy.port) as first, await connect(proxy.port) as second:
            listener = Listener(second)
            first.writer.write(unfinished(500 * KIB))
            await first.writer.drain()
            second.writer.write(head(b"POST", PATH, HOST, length_of(large)) + large)
            assert (await ask(proxy.port, body=chat_body())).status == 200
            first.leave()
            (reply,) = await listener.replies(1, (b"POST",))
        assert reply.status == 200
    assert sorted(upstream.bodies) == sorted([chat_body(), large])


async def test_body_that_waits_too_long_gets_503() -> None:
    """With ``Retry-After``, if the budget stays exhausted; the body that exhausts it gets 408."""
    options = replace(PATIENT, max_bodies_bytes=300 * KIB, body_timeout_s=SHORT_S, body_min_rate=10**9)
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        health_watched(proxy.port),
        contextlib.AsyncExitStack() as stack,
    ):
        clients = [await stack.enter_async_context(await connect(proxy.port)) for _ in range(3)]
        for client in clients:
            client.writer.write(unfinished(3000 * KIB))
        replies = [the_only_reply(await Listener(client).to_the_end()) for client in clients]
    responses = {reply.error["code"]: reply for reply in replies}
    assert {code: reply.status for code, reply in responses.items()} == {
        "request_timeout": 408,
        "too_many_bodies": 503,
    }
    assert responses["too_many_bodies"].values("retry-after") == ["5"]
    assert upstream.requests == []


async def test_disconnect_behind_pipelined_data_is_detected() -> None:
    """Even with more data than is read: the engine's connection is closed and the model released, at once."""
    asked = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        asked.set()
        await exchange.reader.read()

    async with engine_running(script) as engine, proxy_running(runtime_for(engine), options=PATIENT) as proxy:
        client = await connect(proxy.port)
        client.writer.write(post() + HEALTH * 20_000)
        await asked.wait()
        await until(lambda: engine.open == 1)
        client.leave()
        await until(lambda: engine.open == 0)
        await until(lambda: proxy.runtime.holds == 0)
        await client.writer.wait_closed()


async def test_half_close_behind_pipelined_data_is_detected() -> None:
    """EOF behind unread data is detected, too."""
    asked = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        asked.set()
        await exchange.reader.read()

    async with (
        engine_running(script) as engine,
        proxy_running(runtime_for(engine), options=PATIENT) as proxy,
        await connect(proxy.port) as client,
    ):
        client.writer.write(post() + HEALTH * 4_000)
        await asked.wait()
        await client.writer.drain()
        client.writer.write_eof()
        await until(lambda: engine.open == 0)
        await until(lambda: proxy.runtime.holds == 0)


async def test_all_pipelined_requests_are_served() -> None:
    """Many times what is read ahead: in order, none lost, whatever waits in between."""
    count = 3_000
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=PATIENT) as proxy,
        await connect(proxy.port) as client,
    ):
        client.writer.write(HEALTH * count + head(b"GET", b"/nowhere", HOST, b"Connection: close"))
        data = await Listener(client).to_the_end()
    assert data.count(b"HTTP/1.1 200 OK\r\n") == count
    assert data.count(b"HTTP/1.1 404 ") == 1


SERVED = """
import asyncio, resource, socket, sys, threading
import uvloop
from gglib.proxy import ProxyOptions, serve
from gglib.testing import FakeCatalog, FakeRuntime

async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    cancel, loop = asyncio.Event(), asyncio.get_running_loop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(cancel.set))).start()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (80, hard))
    print(listener.getsockname()[1], flush=True)
    await serve(listener, 4096, FakeRuntime({}), FakeCatalog([]), cancel, options=ProxyOptions(idle_timeout_s=1))

(uvloop.run if sys.argv[1] == "uvloop" else asyncio.run)(main())
"""


@contextlib.contextmanager
def proxy_with_few_descriptors(loop: str, log: Path) -> Iterator[int]:
    """Run a proxy that may open 80 files in another process; yield its port."""
    command = [sys.executable, "-c", SERVED, loop]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def health_over(sock: socket.socket) -> bytes:
    """Request /health, and return the status line; raises if there is none."""
    sock.sendall(HEALTH)
    data = b""
    while b"\r\n" not in data:
        part = sock.recv(2**16)
        if not part:
            raise ConnectionError("closed without a word")
        data += part
    return data.partition(b"\r\n")[0]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_clients_get_503_when_out_of_descriptors(loop: str, tmp_path: Path) -> None:
    """Every client is served or gets 503, however long it lasts; once descriptors are free, all are served."""
    log = tmp_path / "errors"
    with proxy_with_few_descriptors(loop, log) as port, contextlib.ExitStack() as stack:
        # Their requests have begun: none of them is idle and can be closed for another.
        busy = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(120)]
        for sock in busy:
            sock.sendall(b"GET /health HTTP/1.1\r\n")
        responses = []
        for _ in range(40):
            with socket.create_connection(("127.0.0.1", port), 10) as sock:
                responses.append(health_over(sock))
        assert set(responses) == {b"HTTP/1.1 503 Service Unavailable"}
        statuses = [finish(sock) for sock in busy]
        assert set(statuses) == {b"HTTP/1.1 200 OK", b"HTTP/1.1 503 Service Unavailable"}
        for sock in busy:
            sock.close()
        with socket.create_connection(("127.0.0.1", port), 10) as sock:
            assert health_over(sock) == b"HTTP/1.1 200 OK"
    assert log.read_text() == ""


def finish(sock: socket.socket) -> bytes:
    """Complete a partial head, and return the status line of the response."""
    with contextlib.suppress(ConnectionError):  # refused, and closed since: its response can still be read
        sock.sendall(b"Host: 127.0.0.1\r\n\r\n")
    return sock.recv(2**16).partition(b"\r\n")[0]
