"""An engine that accepts a request and falls silent: the errors that follow, and what does not count as silence.

The limits are small, and the tests measure time: a test that has to outlast a limit sleeps.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.sockets import bound_socket
from tests.support.waiting import until

from gglib.core.errors import UpstreamStalledError
from gglib.core.models import RunningTarget
from gglib.http.client.pool import UpstreamPool, UpstreamRequest
from gglib.http.errors import StallError
from gglib.proxy import ProxyOptions
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
    quick,
    runtime_for,
)

LIMIT_S = 0.2
PATIENT = 60.0
EVENT = b'data: {"n":1}\n\n'
PING = b":\n\n"
END = b"0\r\n\r\n"
SAID_NOTHING = "The engine of model 'tiny' accepted the request but sent nothing for 0.2 s."
STOPPED = "The engine of model 'tiny' stopped in the middle of its response: sent nothing for 0.2 s."
REQUEST = UpstreamRequest(b"/x", b"", "r-1", b"{}")


def first_byte(limit_s: float = LIMIT_S, *, heartbeat_s: float = 0) -> ProxyOptions:
    """Return options that limit only the time to the first byte."""
    return ProxyOptions(first_byte_s=limit_s, chunk_gap_s=PATIENT, heartbeat_s=heartbeat_s)


def chunk_gap(limit_s: float = LIMIT_S) -> ProxyOptions:
    """Return options that limit only the gap between chunks."""
    return ProxyOptions(first_byte_s=PATIENT, chunk_gap_s=limit_s)


class HearingRuntime(FakeRuntime):
    """Records the exception with which each admitted block ended."""

    def __init__(self, engine: Engine) -> None:
        super().__init__({MODEL.name: engine.target})
        self.heard: list[BaseException | None] = []

    def admit(self, *args: Any, **kwargs: Any) -> AbstractAsyncContextManager[RunningTarget]:
        """Record how the block ends."""
        return self._listen(super().admit(*args, **kwargs))

    @asynccontextmanager
    async def _listen(self, hold: AbstractAsyncContextManager[RunningTarget]) -> AsyncIterator[RunningTarget]:
        async with hold as target:
            try:
                yield target
            except BaseException as error:
                self.heard.append(error)
                raise
            self.heard.append(None)


async def stay_silent(exchange: Exchange) -> None:
    """Never respond."""
    await exchange.peer_left()


async def ping_on(exchange: Exchange, times: int | None = None) -> None:
    """Send comments until the proxy disconnects, or ``times`` comments."""
    while times is None or times > 0:
        await exchange.write(chunked(PING))
        await asyncio.sleep(LIMIT_S / 10)
        times = None if times is None else times - 1


def error_of(event: bytes) -> dict[str, Any]:
    """Return the error of the last event of a stream."""
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2
    error: dict[str, Any] = json.loads(event[6:])["error"]
    return error


@pytest.mark.parametrize("is_stream", [False, True])
async def test_engine_that_never_answers_is_504(is_stream: bool) -> None:  # noqa: FBT001 - a case
    """The client gets the usual error, the runtime the cause; the connection closes; the next request is served."""

    async def first_silent(exchange: Exchange) -> None:
        if len(engine.exchanges) == 1:
            await stay_silent(exchange)
        await exchange.write(json_answer({"ok": True}))

    async with engine_running(first_silent) as engine:
        runtime = HearingRuntime(engine)
        async with proxy_running(runtime, options=first_byte()) as proxy:
            with quick():
                reply = await ask(proxy.port, body=chat_body(stream=is_stream))
            assert (reply.status, reply.error["code"]) == (504, "upstream_timeout")
            assert (reply.error["type"], reply.error["message"]) == ("upstream_error", SAID_NOTHING)
            assert reply.values("x-should-retry") == []
            assert [type(error) for error in runtime.heard] == [UpstreamStalledError]
            assert runtime.holds == 0
            await until(lambda: engine.open == 0)
            assert (await ask(proxy.port, body=chat_body())).json() == {"ok": True}
    assert (runtime.heard[1:], engine.accepted) == ([None], 2)


async def test_engine_that_never_answers_a_stream_with_heartbeats_is_one_event() -> None:
    """The proxy's heartbeats stop, and the stream ends with one error event and no [DONE]."""
    async with (
        engine_running(stay_silent) as engine,
        proxy_running(HearingRuntime(engine), options=first_byte(heartbeat_s=0.02)) as proxy,
    ):
        reply = await ask(proxy.port, body=chat_body(stream=True))
        assert [type(error) for error in proxy.runtime.heard] == [UpstreamStalledError]
        await until(lambda: engine.open == 0)
    assert (reply.status, reply.is_whole) == (200, True)
    beats, data, rest = reply.body.partition(b"data: ")
    assert beats.replace(PING, b"") == b""
    assert error_of(data + rest)["message"] == SAID_NOTHING


@pytest.mark.parametrize("ping", [False, True], ids=["nothing", "comments"])
async def test_stream_that_stops_in_the_middle_ends_with_one_error_event(ping: bool) -> None:  # noqa: FBT001 - a case
    """The received part is relayed, then one error event without [DONE]; comments are relayed, not counted."""

    async def stop(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(EVENT))
        await (ping_on(exchange) if ping else stay_silent(exchange))

    async with (
        engine_running(stop) as engine,
        proxy_running(HearingRuntime(engine), options=chunk_gap()) as proxy,
    ):
        with quick():
            reply = await ask(proxy.port, body=chat_body(stream=True))
        assert [type(error) for error in proxy.runtime.heard] == [UpstreamStalledError]
        await until(lambda: engine.open == 0)
    assert (reply.status, reply.is_whole) == (200, True)
    assert reply.body.startswith(EVENT + PING if ping else EVENT)
    error = error_of(reply.body.replace(PING, b"").removeprefix(EVENT))
    assert (error["code"], error["message"]) == ("upstream_timeout", STOPPED)


async def test_json_that_stops_in_the_middle_is_never_shown_as_whole() -> None:
    """A response without events cannot carry the error, so the client's connection is aborted."""

    async def stop(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        await exchange.write(head + chunked(b'{"a":'))
        await stay_silent(exchange)

    async with (
        engine_running(stop) as engine,
        proxy_running(runtime_for(engine), options=chunk_gap()) as proxy,
    ):
        reply = await ask(proxy.port, body=chat_body())
    assert (reply.status, reply.body, reply.is_whole) == (200, b'{"a":', False)


async def test_error_of_the_engine_that_stops_in_the_middle_is_504() -> None:
    """A translated error is read completely first: its head has not been sent when it stops."""

    async def stop(exchange: Exchange) -> None:
        await exchange.write(json_answer({"error": {"message": "x"}}, b"400 Bad Request")[:-3])
        await stay_silent(exchange)

    async with (
        engine_running(stop) as engine,
        proxy_running(runtime_for(engine), options=chunk_gap()) as proxy,
    ):
        reply = await ask(proxy.port, body=chat_body())
    assert (reply.status, reply.error["message"]) == (504, STOPPED)


async def test_stream_has_not_begun_before_its_first_event() -> None:
    """llama-server sends head and comments while it computes the prompt: only the first-byte limit applies."""

    async def think(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD)
        await ping_on(exchange, times=20)  # twice the limit of a gap
        if b"for ever" in exchange.body:
            await ping_on(exchange)
        await exchange.write(chunked(EVENT) + END)
        exchange.abort()

    async with engine_running(think) as engine:
        async with proxy_running(runtime_for(engine), options=chunk_gap()) as proxy:
            reply = await ask(proxy.port, body=chat_body(stream=True))
            assert reply.is_whole
            assert reply.body.replace(PING, b"") == EVENT
        async with proxy_running(runtime_for(engine), options=first_byte()) as proxy:
            reply = await ask(proxy.port, body=chat_body(stream=True, user="for ever"))
            assert error_of(reply.body.replace(PING, b""))["message"] == SAID_NOTHING


async def test_pauses_that_are_short_enough_may_be_many() -> None:
    """A response may take far longer than its longest pause: each event restarts the timer."""

    async def trickle(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD)
        for _ in range(10):
            await asyncio.sleep(LIMIT_S / 4)
            await exchange.write(chunked(EVENT))
        await exchange.write(END)

    options = ProxyOptions(first_byte_s=LIMIT_S, chunk_gap_s=LIMIT_S)
    async with (
        engine_running(trickle) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
    ):
        reply = await ask(proxy.port, body=chat_body(stream=True))
    assert (reply.body, reply.is_whole) == (EVENT * 10, True)


async def test_slow_client_is_not_the_engines_silence() -> None:
    """While the client does not read, the engine cannot write: this is never counted as the engine's silence."""
    event, count = b"data: " + b"x" * 10_000 + b"\n\n", 2000
    written = 0

    async def flood(exchange: Exchange) -> None:
        nonlocal written
        await exchange.write(SSE_HEAD)
        for _ in range(count):
            await exchange.write(chunked(event))
            written += 1
        await exchange.write(END)

    async with (
        engine_running(flood) as engine,
        proxy_running(HearingRuntime(engine), options=chunk_gap(0.1)) as proxy,
        await connect(proxy.port, receive_buffer_bytes=4096) as client,
    ):
        client.stop_reading()
        await client.send(body=chat_body(stream=True))
        await until(lambda: written > 0)
        seen = -1
        while seen != written:  # it has stood still for three times the limit
            seen = written
            await asyncio.sleep(0.3)
        assert written < count
        client.read_again()
        reply = await client.read_reply()
        assert proxy.runtime.heard == [None]
    assert reply.is_whole
    assert reply.body == event * count


async def test_waiting_for_the_model_is_not_the_engines_silence() -> None:
    """The timer starts when the request is sent, however long the model took to load."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({"ok": True}))

    async with engine_running(answer) as engine:
        runtime = runtime_for(engine)
        runtime.gate = asyncio.Event()
        options = ProxyOptions(first_byte_s=LIMIT_S, chunk_gap_s=LIMIT_S)
        async with proxy_running(runtime, options=options) as proxy:
            asking = asyncio.create_task(ask(proxy.port, body=chat_body()))
            await until(lambda: runtime.waiting == 1)
            await asyncio.sleep(LIMIT_S * 1.5)
            runtime.gate.set()
            assert (await asking).json() == {"ok": True}


async def test_engine_that_does_not_read_the_request_is_504() -> None:
    """A large body that the engine does not read counts as silence as well, with the same limit."""

    async def accept_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        await answered.wait()
        writer.transport.abort()

    answered = asyncio.Event()
    server = await asyncio.start_server(accept_only, "127.0.0.1", 0, limit=1024)
    engine = Engine(stay_silent, port=server.sockets[0].getsockname()[1])
    async with server, proxy_running(HearingRuntime(engine), options=first_byte()) as proxy:
        with quick():
            reply = await ask(proxy.port, body=chat_body(filler="x" * 20_000_000))
        answered.set()
        assert (reply.status, reply.error["message"]) == (504, SAID_NOTHING)
        assert [type(error) for error in proxy.runtime.heard] == [UpstreamStalledError]


@pytest.mark.quiet  # it reads 10 times within the limit of 0.2 s
async def test_engine_that_reads_slowly_is_not_silent(tmp_path: Path) -> None:
    """While the engine reads parts of the request now and then, it counts as alive."""
    size_bytes = 8_000_000
    reads = 0

    async def read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reads
        await reader.readuntil(b"\r\n\r\n")
        left = size_bytes
        while left:
            left -= len(await reader.read(left))
            reads += 1
            await asyncio.sleep(LIMIT_S / 10)
        writer.write(json_answer({}))
        await writer.drain()
        writer.close()

    path = str(tmp_path / "engine.sock")  # whose kernel buffers are small
    server = await asyncio.start_unix_server(read_slowly, path, limit=32 * 1024)
    target = RunningTarget(
        base_url="http://engine", model_id=1, model_name="tiny", effective_ctx=1, unix_socket=path
    )
    pool = UpstreamPool(connect_timeout_s=5)
    large = UpstreamRequest(b"/x", b"", "r-1", b"x" * size_bytes)
    async with server, pool.post(target, replace(large, first_byte_s=LIMIT_S)) as response:
        assert [part async for part in response] == [b"{}"]
    await pool.close()
    assert reads > 20  # so it took more than twice the limit


@pytest.mark.quiet  # it measures the latency of /health
async def test_health_is_quick_while_fifty_requests_hang() -> None:
    """A hanging engine delays only its own clients, and each of those gets an error."""
    async with (
        engine_running(stay_silent) as engine,
        proxy_running(runtime_for(engine), options=first_byte(1.0)) as proxy,
    ):
        hanging = [asyncio.create_task(ask(proxy.port, body=chat_body(n=n))) for n in range(50)]
        await until(lambda: len(engine.exchanges) == 50)
        assert engine.open == 50
        for _ in range(20):
            with quick(0.5):
                assert (await ask(proxy.port, "GET", "/health")).json() == {"status": "ok"}
        with quick():
            replies = await asyncio.gather(*hanging)
        assert {(reply.status, reply.error["code"]) for reply in replies} == {(504, "upstream_timeout")}
        await until(lambda: engine.open == 0 and proxy.runtime.holds == 0)


async def test_limits_of_0_wait_for_ever() -> None:
    """With both limits off, nothing times out, and no timer remains."""
    may_go_on = asyncio.Event()

    async def take_time(exchange: Exchange) -> None:
        await asyncio.sleep(LIMIT_S)
        await exchange.write(SSE_HEAD + chunked(EVENT))
        await may_go_on.wait()
        await exchange.write(chunked(EVENT) + END)

    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(take_time) as engine:
        async with pool.post(engine.target, replace(REQUEST, first_byte_s=0, chunk_gap_s=0)) as response:
            (connection,) = pool._connections
            assert await anext(response) == EVENT
            assert connection._stall_check is None
            may_go_on.set()
            assert await anext(response) == EVENT
        options = ProxyOptions(first_byte_s=0, chunk_gap_s=0)
        async with proxy_running(runtime_for(engine), options=options) as proxy:
            assert (await ask(proxy.port, body=chat_body(stream=True))).body == EVENT * 2
        await pool.close()


async def test_one_limit_holds_without_the_other() -> None:
    """With only the chunk gap limited, a late first byte is accepted, and a pause after it ends the response."""

    async def late_then_stop(exchange: Exchange) -> None:
        await asyncio.sleep(LIMIT_S * 1.5)
        await exchange.write(SSE_HEAD + chunked(EVENT))
        await stay_silent(exchange)

    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(late_then_stop) as engine:
        async with pool.post(engine.target, replace(REQUEST, chunk_gap_s=LIMIT_S)) as response:
            assert await anext(response) == EVENT
            with quick(), pytest.raises(StallError, match="in the middle"):
                await anext(response)
            assert pool.open_count == 0 or not any(connection.is_alive for connection in pool._connections)
        await until(lambda: engine.open == 0)


async def test_connection_that_rests_is_not_silent() -> None:
    """A connection that was idle for longer than the limits is reused, and the watch stops while it is idle."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({}))

    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(answer) as engine:
        for _ in range(2):
            async with pool.post(
                engine.target, replace(REQUEST, first_byte_s=LIMIT_S, chunk_gap_s=LIMIT_S)
            ) as response:
                assert [part async for part in response] == [b"{}"]
            await asyncio.sleep(LIMIT_S * 1.5)
            assert [connection._stall_check for connection in pool._connections] == [None]
        assert (engine.accepted, pool.open_count) == (1, 1)
        await pool.close()


async def test_each_exchange_of_a_connection_has_its_own_limits() -> None:
    """A timer left from an earlier exchange does not delay the timeout of a later one."""

    async def first_only(exchange: Exchange) -> None:
        if len(engine.exchanges) > 1:
            await stay_silent(exchange)
        await exchange.write(json_answer({}))

    pool = UpstreamPool(connect_timeout_s=5)
    async with engine_running(first_only) as engine:
        async with pool.post(engine.target, replace(REQUEST, first_byte_s=PATIENT)) as response:
            assert [part async for part in response] == [b"{}"]
        (connection,) = pool._connections
        with quick(), pytest.raises(StallError, match=r"sent nothing for 0\.2 s"):
            async with pool.post(engine.target, replace(REQUEST, first_byte_s=LIMIT_S)):
                pass
        assert (engine.accepted, connection._stall_check) == (1, None)
        await until(lambda: pool.open_count == 0)


async def test_proxy_that_was_held_up_itself_does_not_blame_the_engine() -> None:
    """After a pause of the whole process, data that the engine sent meanwhile is read before the timeout is applied."""
    loop = asyncio.get_running_loop()
    pool = UpstreamPool(connect_timeout_s=5)

    async def post(target: RunningTarget) -> bytes:
        async with pool.post(target, replace(REQUEST, first_byte_s=LIMIT_S)) as response:
            return b"".join([part async for part in response])

    def answer_and_hold_everybody_up() -> None:
        """Block the loop in a callback: data sent here becomes visible only at its next poll."""
        loop.remove_reader(engine)
        assert engine.recv(65536)
        engine.send(json_answer({}))
        time.sleep(LIMIT_S * 2)

    with bound_socket() as listener:
        listener.setblocking(False)
        target = RunningTarget.local(listener.getsockname()[1], 1, "tiny", 1)
        posting = asyncio.create_task(post(target))
        engine, _ = await loop.sock_accept(listener)
        with engine:
            loop.add_reader(engine, answer_and_hold_everybody_up)
            assert await posting == b"{}"
        await pool.close()
