"""Deadlines and the limit of connections, with timeouts of tenths of a second.

``scripts/slow_sockets.py`` is the long version, with the real ones.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.integration.proxy.support import (
    SSE_HEAD,
    Client,
    Exchange,
    ask,
    chat_body,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)
from tests.support.waiting import until

from gglib.proxy import ProxyOptions

from .cases import CHUNKED, FOLLOWER, HOST, PATH, head, length_of, post, post_raw
from .upstream import recording
from .wire import Listener, Reply, read_replies

SHORT_S = 0.3
LONG_S = 60.0
CROWD = 100
"""More than the reserve above the connection limit."""
SIPS = 60
SIP_BYTES = 2**14
"""So small that the data buffered in the proxy takes longer than the limit to read; yet reading never stops."""
OPTIONS = ProxyOptions(
    head_timeout_s=LONG_S, body_timeout_s=LONG_S, write_timeout_s=LONG_S, idle_timeout_s=LONG_S
)
"""Each test shortens one timeout, which then ends the connection."""
HEALTH = head(b"GET", b"/health", HOST)


@contextlib.asynccontextmanager
async def health_watched(port: int) -> AsyncIterator[None]:
    """Request /health repeatedly, on new connections; every response must be 200."""
    is_over = asyncio.Event()

    async def watch() -> int:
        asked = 0
        while not is_over.is_set():
            assert (await ask(port, "GET", "/health")).status == 200
            asked += 1
        return asked

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        is_over.set()
    assert await watching > 0


async def listen_for(listener: Listener, seconds: float) -> bytes:
    """Return the data received within a time, or before the connection is closed."""
    before = len(listener.data)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await listener.to_the_end()
    return listener.data[before:]


def the_only_reply(data: bytes) -> Reply:
    """Return the only response."""
    (reply,) = read_replies(data, (b"POST",))
    return reply


def check_told(data: bytes) -> None:
    """Check that the only response is a 408 in the error format, with ``Connection: close``."""
    reply = the_only_reply(data)
    assert reply.status == 408
    assert reply.says_close
    assert reply.error["code"]


@pytest.mark.parametrize("begun", [b"P", post()[:60], head(b"POST", PATH, HOST)[:-2], b"\r\n\r\nGET"])
async def test_incomplete_head_is_refused(begun: bytes) -> None:
    """A head that is not complete in time gets 408, and the connection is closed."""
    options = replace(OPTIONS, head_timeout_s=SHORT_S)
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        health_watched(proxy.port),
        await connect(proxy.port) as client,
    ):
        client.writer.write(begun)
        check_told(await Listener(client).to_the_end())
    assert upstream.requests == []


async def test_dripping_head_is_refused() -> None:
    """A byte now and then does not extend the deadline."""
    options = replace(OPTIONS, head_timeout_s=SHORT_S)
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        health_watched(proxy.port),
        await connect(proxy.port) as client,
    ):
        check_told(await drip(client, HEALTH[:-2] + b"X-A: " + b"a" * 4096))
    assert upstream.requests == []


async def drip(client: Client, data: bytes) -> bytes:
    """Send a byte at a time until the connection is closed; return the data received."""
    listener = Listener(client)
    for byte in data:
        client.writer.write(bytes([byte]))
        await listen_for(listener, SHORT_S / 20)
        if listener.is_ended:
            return listener.data
    raise AssertionError("all of it was taken")


async def test_connection_without_data_is_closed_without_a_response() -> None:
    """Without a request there is no response."""
    options = replace(OPTIONS, head_timeout_s=SHORT_S)
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        health_watched(proxy.port),
        await connect(proxy.port) as client,
    ):
        assert await Listener(client).to_the_end() == b""


async def test_second_head_is_timed_from_its_first_byte() -> None:
    """A second head on a persistent connection that is not completed gets 408."""
    options = replace(OPTIONS, head_timeout_s=SHORT_S)
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        await connect(proxy.port) as client,
    ):
        listener = Listener(client)
        client.writer.write(HEALTH)
        await listener.replies(1, (b"GET",))
        # Longer than the head may take: between requests there is no head yet.
        assert await listen_for(listener, SHORT_S * 1.5) == b""
        assert not listener.is_ended
        client.writer.write(HEALTH[:9])
        replies = read_replies(await listener.to_the_end(), ())
        assert [reply.status for reply in replies] == [200, 408]


@pytest.mark.parametrize(
    "begun",
    [post_raw(b"Content-Length: 9000", data=b"{"), post_raw(CHUNKED, data=b"2000\r\n{")],
    ids=["by length", "in chunks"],
)
async def test_dripping_body_is_refused(begun: bytes) -> None:
    """A body below the minimum rate gets 408, and is never forwarded."""
    options = replace(OPTIONS, body_timeout_s=SHORT_S)
    async with recording() as upstream, proxy_running(upstream.runtime, options=options) as proxy:
        async with health_watched(proxy.port), await connect(proxy.port) as client:
            client.writer.write(begun)
            check_told(await drip(client, b" " * 2000))
        assert proxy.runtime.admitted == []
    assert upstream.requests == []


async def test_body_that_never_begins_is_refused() -> None:
    """A body without a byte gets 408, also after 100 (Continue)."""
    options = replace(OPTIONS, body_timeout_s=SHORT_S)
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        health_watched(proxy.port),
        await connect(proxy.port) as client,
    ):
        client.writer.write(head(b"POST", PATH, HOST, b"Expect: 100-continue", b"Content-Length: 5"))
        check_told(await Listener(client).to_the_end())
    assert upstream.requests == []


async def test_slow_upload_is_served() -> None:
    """An upload at the minimum rate continues for many times the limit."""
    body = chat_body(filler="x" * 4000)
    size, times = len(body) // 40 + 1, 8
    options = replace(OPTIONS, body_timeout_s=SHORT_S, body_min_rate=len(body) // (times * 2))
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        await connect(proxy.port) as client,
    ):
        listener = Listener(client)
        client.writer.write(head(b"POST", PATH, HOST, length_of(body)))
        started_s = asyncio.get_running_loop().time()
        for start in range(0, len(body), size):
            client.writer.write(body[start : start + size])
            assert await listen_for(listener, SHORT_S * times / 40) == b"" or start + size >= len(body)
        (reply,) = await listener.replies(1, (b"POST",))
        assert asyncio.get_running_loop().time() - started_s > SHORT_S * times / 2
    assert reply.status == 200
    assert upstream.bodies == [body]


async def test_idle_connection_is_closed() -> None:
    """A persistent connection without another request is closed without a response."""
    options = replace(OPTIONS, idle_timeout_s=SHORT_S)
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        health_watched(proxy.port),
        await connect(proxy.port) as client,
    ):
        client.writer.write(post())
        assert the_only_reply(await Listener(client).to_the_end()).status == 200


async def test_connection_with_a_request_is_not_idle() -> None:
    """A response that takes longer than the idle timeout is still sent."""
    may_answer = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await may_answer.wait()
        await exchange.write(json_answer({"ok": True}))

    options = replace(OPTIONS, idle_timeout_s=SHORT_S, head_timeout_s=SHORT_S, body_timeout_s=SHORT_S)
    async with (
        engine_running(script) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        await connect(proxy.port) as client,
    ):
        listener = Listener(client)
        client.writer.write(post())
        assert await listen_for(listener, SHORT_S * 2) == b""
        may_answer.set()
        assert [reply.status for reply in await listener.replies(1, (b"POST",))] == [200]


async def endless(exchange: Exchange) -> None:
    """Stream endlessly."""
    await exchange.write(SSE_HEAD)
    while True:
        await exchange.write(chunked(b"data: " + b"x" * 16_000 + b"\n\n"))


async def test_client_that_does_not_read_is_closed() -> None:
    """The connections to the client and the upstream are closed, and the model is released."""
    options = replace(OPTIONS, write_timeout_s=SHORT_S)
    async with (
        engine_running(endless) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        health_watched(proxy.port),
        await connect(proxy.port, receive_buffer_bytes=4096) as client,
    ):
        client.stop_reading()
        client.writer.write(post(body=chat_body(stream=True)))
        await until(lambda: proxy.runtime.holds == 1)
        await until(lambda: engine.open == 0)
        await until(lambda: proxy.runtime.holds == 0)
        client.read_again()
        with pytest.raises(EOFError):
            read_replies(await Listener(client).to_the_end(), ())


async def test_slow_reader_is_not_closed() -> None:
    """A client that reads now and then keeps the stream, for many times the limit."""
    options, loop = replace(OPTIONS, write_timeout_s=SHORT_S * 2), asyncio.get_running_loop()
    async with (
        engine_running(endless) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
    ):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIP_BYTES)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", proxy.port))
            await loop.sock_sendall(client, post(body=chat_body(stream=True)))
            for _ in range(SIPS):
                assert await loop.sock_recv(client, SIP_BYTES)
                assert await listen_for_nothing(SHORT_S / 6)
            assert (engine.open, proxy.runtime.holds) == (1, 1)


async def listen_for_nothing(seconds: float) -> bool:
    """Wait while the client does not read: the delay is what is tested."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
    return True


async def test_longest_idle_connection_is_closed() -> None:
    """At the limit of connections, the longest idle one is closed, and the new one is served."""
    options = replace(OPTIONS, max_connections=3)
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        contextlib.AsyncExitStack() as stack,
    ):
        listeners = []
        for _ in range(3):
            client = await stack.enter_async_context(await connect(proxy.port))
            listeners.append(await asked(client))
        # The first connection is used again: now the second one has been idle the longest.
        listeners[0].client.writer.write(HEALTH)
        await listeners[0].replies(2, (b"GET", b"GET"))
        newcomer = await asked(await stack.enter_async_context(await connect(proxy.port)))
        assert len(read_replies(await listeners[1].to_the_end(), ())) == 1
        for listener, had in ((listeners[0], 2), (listeners[2], 1), (newcomer, 1)):
            listener.client.writer.write(FOLLOWER)
            replies = read_replies(await listener.to_the_end(), ())
            assert [reply.status for reply in replies] == [200] * (had + 1)


async def asked(client: Client) -> Listener:
    """Request /health on a connection, and keep it open."""
    listener = Listener(client)
    client.writer.write(HEALTH)
    (reply,) = await listener.replies(1, (b"GET",))
    assert reply.status == 200
    return listener


async def test_new_connection_is_refused_if_none_is_idle() -> None:
    """At the limit, with all connections in use, a new one gets 503; after one has ended, the next is served."""
    may_answer = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await may_answer.wait()
        await exchange.write(json_answer({"ok": True}))

    options = replace(OPTIONS, max_connections=2)
    async with engine_running(script) as engine, proxy_running(runtime_for(engine), options=options) as proxy:
        async with await connect(proxy.port) as one, await connect(proxy.port) as other:
            for client in (one, other):
                client.writer.write(post(b"Connection: close"))
            await until(lambda: len(engine.exchanges) == 2)
            async with await connect(proxy.port) as third:
                third.writer.write(HEALTH)
                reply = the_only_reply(await Listener(third).to_the_end())
            assert (reply.status, reply.error["code"]) == (503, "too_many_connections")
            assert reply.says_close
            may_answer.set()
            for client in (one, other):
                assert the_only_reply(await Listener(client).to_the_end()).status == 200
        assert (await ask(proxy.port, "GET", "/health")).status == 200


async def test_connections_that_come_in_one_turn_of_the_loop_do_not_share_one_place() -> None:
    """However many arrive at once, each closes an idle connection while there is one, so the limit holds.

    New connections without data are not idle: later ones get a 503.
    """
    options = replace(OPTIONS, max_connections=2)
    async with (
        recording() as upstream,
        proxy_running(upstream.runtime, options=options) as proxy,
        await connect(proxy.port) as one,
        await connect(proxy.port) as other,
    ):
        for client in (one, other):
            await asked(client)
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(socket.socket()) for _ in range(CROWD)]
            for sock in crowd:
                sock.connect(
                    ("127.0.0.1", proxy.port)
                )  # blocks: the loop accepts none before all are connected
                sock.setblocking(False)
            # Accepted last: once it has a response, all have been accepted.
            answers = [await health_on(sock) for sock in reversed(crowd)]
        statuses = Counter(
            answer[9:12] for answer in answers
        )  # beyond the reserve, the last connections are closed without a response
        assert statuses[b"200"] == options.max_connections
        assert statuses[b"200"] + statuses[b"503"] + statuses[b""] == CROWD


async def health_on(sock: socket.socket) -> bytes:
    """Request /health on a socket; b"" if it was closed."""
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(sock, HEALTH)
        return await loop.sock_recv(sock, 2**16)
    except ConnectionError:
        return b""
