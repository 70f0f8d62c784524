"""Connections to an engine: reuse, and back pressure in both directions."""

import asyncio
import errno
from dataclasses import replace

import pytest
from tests.support.sockets import bound_socket
from tests.support.waiting import until

from gglib.core.models import RunningTarget
from gglib.http.client import pool as upstream_module
from gglib.http.client.connect import ProtocolFactory, ServerBusyError
from gglib.http.client.connection import QUEUE_LIMIT_BYTES
from gglib.http.client.pool import UpstreamPool, UpstreamRequest
from gglib.http.errors import ConnectError
from gglib.testing import FakeRuntime

from .support import (
    MODEL,
    SSE_HEAD,
    Engine,
    Exchange,
    ask,
    chat_body,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
    standing_still,
)

REQUEST = UpstreamRequest(b"/x", b"", "r-1", b"{}")


async def answer_ok(exchange: Exchange) -> None:
    """Send a small response to any request."""
    await exchange.write(json_answer({}))


async def post(pool: UpstreamPool, engine: Engine, request: UpstreamRequest = REQUEST) -> bytes:
    """Send a request and return the whole body."""
    async with pool.post(engine.target, request) as response:
        return b"".join([part async for part in response])


async def test_connection_is_used_again() -> None:
    """Successive requests share one connection."""
    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(answer_ok) as engine:
        for _ in range(5):
            assert await post(pool, engine) == b"{}"
        assert (engine.accepted, pool.open_count) == (1, 1)
        await pool.close()
    assert pool.open_count == 0


async def test_connections_are_kept_apart_by_target() -> None:
    """A connection to one engine is never used for another."""
    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(answer_ok) as one, engine_running(answer_ok) as other:
        for engine in (one, other, one, other):
            await post(pool, engine)
        assert (len(one.exchanges), len(other.exchanges)) == (2, 2)
        await pool.close()


async def test_idle_connection_is_closed_before_the_engine_would() -> None:
    """After the idle limit the pool closes a connection, and the next request gets a new one."""
    pool = UpstreamPool(connect_timeout_s=5, idle_timeout_s=0.01)
    async with engine_running(answer_ok) as engine:
        await post(pool, engine)
        await until(lambda: pool.open_count == 0)
        await post(pool, engine)
        assert engine.accepted == 2
        await pool.close()


async def test_connection_that_idled_too_long_is_not_used_even_when_the_timer_is_late() -> None:
    """The elapsed time decides, not whether the loop ran the timer in time."""
    pool = UpstreamPool(connect_timeout_s=5, idle_timeout_s=0)
    async with engine_running(answer_ok) as engine:
        await post(pool, engine)
        await post(pool, engine)
        assert engine.accepted == 2
        await pool.close()


async def test_connection_that_the_engine_closed_is_replaced() -> None:
    """A kept connection that the engine has closed is not used: the request goes out on a new one."""
    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(answer_ok) as engine:
        engine.should_close_after = True
        for _ in range(3):
            assert await post(pool, engine) == b"{}"
            await until(lambda: pool.open_count == 0)
        assert engine.accepted == 3


@pytest.mark.parametrize(
    "raw",
    [
        json_answer({}, extra=b"Connection: close\r\n"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        json_answer({}) + json_answer({}),
        json_answer({}) + b"rubbish",
        # llama-server closes after a chunked response, although its head says Keep-Alive.
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["close", "HTTP/1.0", "two answers", "rubbish behind", "chunked"],
)
async def test_connection_that_cannot_be_trusted_is_not_used_again(raw: bytes) -> None:
    """The response is accepted, but its connection is not kept if the engine closes it or sent too much."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(raw)

    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(answer) as engine:
        for _ in range(2):
            assert await post(pool, engine) == b"{}"
        assert engine.accepted == 2
        await pool.close()


async def test_a_server_that_keeps_its_word_is_reused_after_chunks() -> None:
    """A node is a gglib: its connections stay open after streams, too."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"

    async def answer(exchange: Exchange) -> None:
        await exchange.write(chunked)

    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(answer) as engine:
        for _ in range(3):
            assert await post(pool, engine, replace(REQUEST, reuses_after_chunks=True)) == b"{}"
        assert engine.accepted == 1
        await pool.close()


async def test_rubbish_on_an_idle_connection_spoils_it() -> None:
    """Unexpected bytes on an idle connection prevent its reuse."""
    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(answer_ok) as engine:
        await post(pool, engine)
        await engine.exchanges[0].write(json_answer({"not": "yours"}))
        await until(lambda: not any(c.may_be_reused() for c in pool._connections))
        assert await post(pool, engine) == b"{}"
        assert engine.accepted == 2
        await pool.close()


async def test_block_that_ends_early_closes_the_connection() -> None:
    """A response that was not read to its end closes its connection."""

    async def endless(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(b"x"))
        await exchange.peer_left()

    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(endless) as engine:
        async with pool.post(engine.target, REQUEST) as response:
            assert await anext(response) == b"x"
        await until(lambda: engine.open == 0 and pool.open_count == 0)


async def test_early_answer_ends_the_sending() -> None:
    """The response of an engine that refuses a large body early is read, and its connection is not kept."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(json_answer({}, b"413 Too Large"))
        await writer.drain()
        await done.wait()
        writer.transport.abort()

    done = asyncio.Event()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=1024)
    target = RunningTarget.local(server.sockets[0].getsockname()[1], 1, "tiny", 1)
    pool = UpstreamPool(connect_timeout_s=5)
    async with pool.post(target, UpstreamRequest(b"/x", b"", "r-1", b"x" * 30_000_000)) as response:
        assert response.head.status == 413
        assert [part async for part in response] == [b"{}"]
        (connection,) = pool._connections
        assert connection.unsent_bytes <= (1024 + 64) * 1024  # a slice, and the rest of the previous one
    done.set()
    await pool.close()
    server.close()
    await server.wait_closed()


async def test_slow_engine_slows_the_sending_down() -> None:
    """While an engine does not read, a large body is not copied into the transport."""

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await may_read.wait()
        await reader.readexactly(size_bytes)
        await Exchange("POST", "/x", [], b"", reader, writer).write(json_answer({}))
        writer.close()

    size_bytes = 30_000_000
    may_read = asyncio.Event()
    server = await asyncio.start_server(ignore, "127.0.0.1", 0, limit=1024)
    engine = Engine(answer_ok, port=server.sockets[0].getsockname()[1])
    pool = UpstreamPool(connect_timeout_s=5)
    posting = asyncio.create_task(post(pool, engine, UpstreamRequest(b"/x", b"", "r-1", b"x" * size_bytes)))
    await until(lambda: any(connection.unsent_bytes > 0 for connection in pool._connections))
    (connection,) = pool._connections
    assert connection.unsent_bytes <= (1024 + 64) * 1024  # a slice, and the rest of the previous one
    may_read.set()
    assert await posting == b"{}"
    await pool.close()
    server.close()
    await server.wait_closed()


async def test_connect_timeout_is_an_upstream_error() -> None:
    """A remote target that does not accept in time counts as unreachable."""
    pool = UpstreamPool(connect_timeout_s=0)
    with bound_socket() as listener:
        # An address that is not loopback, but resolves to it: no packet leaves the machine.
        target = replace(
            RunningTarget.local(1, 1, "m", 1), base_url=f"http://0.0.0.0:{listener.getsockname()[1]}"
        )
        with pytest.raises(ConnectError, match="cannot be reached"):
            async with pool.post(target, REQUEST):
                pass
        assert pool.open_count == 0


async def test_slow_client_slows_the_engine_down() -> None:
    """While a client does not read, the engine's writing stops after a limited amount, and nothing is lost."""
    event = b"data: " + b"x" * 10_000 + b"\n\n"
    count = 3000
    written = 0

    async def flood(exchange: Exchange) -> None:
        nonlocal written
        await exchange.write(SSE_HEAD)
        for _ in range(count):
            await exchange.write(chunked(event))
            written += len(event)
        await exchange.write(b"0\r\n\r\n")

    async with (
        engine_running(flood) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port, receive_buffer_bytes=4096) as client,
    ):
        client.stop_reading()
        await client.send(body=chat_body(stream=True))
        # The written data is in the kernel's buffers, several MB of them.
        assert await standing_still(lambda: written) < count * len(event) / 2
        client.read_again()
        reply = await client.read_reply()
    assert reply.is_whole
    assert reply.body == event * count


async def test_queue_of_unread_parts_is_bounded() -> None:
    """The proxy buffers at most the limit and one read from the socket for a reader."""

    async def flood(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD)
        while True:
            await exchange.write(chunked(b"x" * 5000))

    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(flood) as engine:
        async with pool.post(engine.target, REQUEST) as response:
            (connection,) = pool._connections
            await until(lambda: connection._is_reading_paused)
            first = await anext(response)
            assert QUEUE_LIMIT_BYTES < len(first) <= QUEUE_LIMIT_BYTES + 256 * 1024
            assert not connection._is_reading_paused
            assert await anext(response)
        await pool.close()


class FullSink:
    """Accepts one part and is full from then on."""

    def __init__(self) -> None:
        self.relayed = b""
        self.is_ended = False

    def try_write(self, part: bytes, *, is_last: bool = False) -> bool:
        """Accept the first part only."""
        if self.relayed:
            return False
        self.relayed, self.is_ended = part, is_last
        return True

    async def drain(self) -> None:
        """Wait forever once a part was accepted."""
        if self.relayed:
            await asyncio.Event().wait()

    async def write(self, part: bytes, *, is_last: bool = False) -> None:
        """Keep it."""
        await self.drain()
        self.relayed = part
        self.is_ended = is_last


async def test_answer_that_was_poured_to_its_end_holds_nothing() -> None:
    """A client that still reads a completely relayed response holds neither the connection nor the model."""
    is_poured = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        await is_poured.wait()
        await exchange.write(b"body")

    pool, sink = UpstreamPool(connect_timeout_s=5), FullSink()
    async with engine_running(script) as engine:
        async with asyncio.timeout(5), pool.post(engine.target, REQUEST) as response:
            asyncio.get_running_loop().call_soon(is_poured.set)
            await response.relay_to(sink)
        assert (sink.relayed, sink.is_ended) == (b"body", True)
        await pool.close()


async def test_many_requests_at_once() -> None:
    """Forty parallel clients each get their own response."""

    async def echo(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(exchange.body)
        await exchange.write(head + exchange.body)

    async with engine_running(echo) as engine, proxy_running(runtime_for(engine)) as proxy:
        bodies = [chat_body(n=n, filler="x" * n * 100) for n in range(40)]
        replies = await asyncio.gather(*(ask(proxy.port, body=body) for body in bodies))
    assert [reply.body for reply in replies] == bodies
    assert proxy.runtime.holds == 0


async def test_without_a_descriptor_for_the_engine_the_response_is_503_with_retry_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine is not at fault: 503, which clients retry, instead of 502."""

    async def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(upstream_module, "connect", refuse)
    async with proxy_running(FakeRuntime({MODEL.name: RunningTarget.local(1, 1, MODEL.name, 1)})) as proxy:
        reply = await ask(proxy.port, body=chat_body())
    assert (reply.status, reply.error["code"]) == (503, "too_many_connections")


async def test_one_request_at_a_time_tries_to_connect_to_a_busy_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request that arrives while another has its turn waits, also after a turn that was waited for."""
    seen: set[object] = set()
    attempts: list[asyncio.Event] = []

    async def busy_at_first(
        _: RunningTarget, factory: ProtocolFactory, *, connect_timeout_s: float, tls: object
    ) -> None:
        del connect_timeout_s, tls
        connection = factory()
        if connection not in seen:
            seen.add(connection)
            raise ServerBusyError
        attempts.append(asyncio.Event())
        await attempts[-1].wait()

    monkeypatch.setattr(upstream_module, "connect", busy_at_first)
    pool = UpstreamPool(connect_timeout_s=5)
    target = RunningTarget.local(1, 1, "m", 4096)
    requests = [asyncio.create_task(pool.connect(target)) for _ in range(2)]
    await until(lambda: len(seen) == 2)
    attempts[0].set()
    await until(lambda: len(attempts) == 2)
    requests.append(asyncio.create_task(pool.connect(target)))
    await until(lambda: len(seen) == 3)
    await asyncio.sleep(0)
    assert len(attempts) == 2
    attempts[1].set()
    await until(lambda: len(attempts) == 3)
    attempts[2].set()
    await asyncio.gather(*requests)
    assert len(pool._connect_locks) == 0
    await pool.close()
