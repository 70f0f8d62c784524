"""A client that disconnects at any point: the lease ends, the engine's connection closes, and no error is logged."""

import asyncio
import logging

import pytest
from tests.support.waiting import until

from gglib.proxy import ProxyOptions
from gglib.testing import FakeRuntime

from .support import (
    SSE_HEAD,
    Engine,
    Exchange,
    Proxy,
    ask,
    chat_body,
    chunked,
    connect,
    engine_running,
    proxy_running,
    runtime_for,
    standing_still,
)

EVENT = b'data: {"n":1}\n\n'


@pytest.fixture(autouse=True)
def no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    """Collect every log record, so that a test can check that none is an error."""
    caplog.set_level(logging.DEBUG)


async def is_released(proxy: Proxy, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """Wait until no lease and no connection is left, and check that the log has a 499 and no problem."""
    await until(lambda: proxy.runtime.holds == 0 and proxy.runtime.waiting == 0)
    await until(lambda: engine.open == 0)
    await until(lambda: any(record.name == "gglib.access" for record in caplog.records))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert access_status(caplog) == "499"


def access_status(caplog: pytest.LogCaptureFixture) -> str:
    """Return the status of the only line of the access log."""
    (record,) = [record for record in caplog.records if record.name == "gglib.access"]
    return record.getMessage().partition(" status=")[2].partition(" ")[0]


async def stay_silent(exchange: Exchange) -> None:
    """Never respond."""
    await exchange.peer_left()


async def begin_stream(exchange: Exchange) -> None:
    """Send one event and no end."""
    await exchange.write(SSE_HEAD + chunked(EVENT))
    await exchange.peer_left()


async def begin_json(exchange: Exchange) -> None:
    """Send half of a body."""
    await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
    await exchange.peer_left()


async def test_leaving_in_the_middle_of_the_body(caplog: pytest.LogCaptureFixture) -> None:
    """An incomplete body is never served, even if the received part is valid: the runtime is not called."""
    async with (
        engine_running(stay_silent) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(), headers=(("Content-Length", str(len(chat_body()) + 1)),))
        client.leave()
        await is_released(proxy, engine, caplog)
        assert proxy.runtime.admitted == []


async def test_broken_chunked_body_is_never_taken_for_a_whole_one() -> None:
    """A chunked body with invalid framing is refused; the received part is not served."""
    body = b"7\r\n" + chat_body()[:7] + b"\r\nzz\r\n"
    async with (
        engine_running(stay_silent) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=body, headers=(("Transfer-Encoding", "chunked"),))
        assert (await client.read_reply()).status == 400
        assert proxy.runtime.admitted == []


@pytest.mark.parametrize("is_stream", [False, True])
async def test_leaving_while_waiting_for_admission(
    is_stream: bool,  # noqa: FBT001 - a case
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client that disconnects while queued is removed at once."""
    async with engine_running(stay_silent) as engine:
        runtime = runtime_for(engine)
        runtime.gate = asyncio.Event()
        async with proxy_running(runtime) as proxy, await connect(proxy.port) as client:
            await client.send(body=chat_body(stream=is_stream))
            await until(lambda: runtime.waiting == 1)
            client.leave()
            await is_released(proxy, engine, caplog)


async def test_leaving_after_heartbeats(caplog: pytest.LogCaptureFixture) -> None:
    """A client that disconnects after receiving comments is removed at once as well."""
    runtime = FakeRuntime(gate=asyncio.Event())
    options = ProxyOptions(heartbeat_s=0.02)
    async with (
        engine_running(stay_silent) as engine,
        proxy_running(runtime, options=options) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True))
        await client.read_until(b":\n\n")
        client.leave()
        await is_released(proxy, engine, caplog)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_leaving_before_the_first_byte(
    is_stream: bool,  # noqa: FBT001 - a case
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client that disconnects while the engine generates frees the engine."""
    async with (
        engine_running(stay_silent) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=is_stream))
        await until(lambda: len(engine.exchanges) == 1)
        assert proxy.runtime.holds == 1
        client.leave()
        await is_released(proxy, engine, caplog)


@pytest.mark.parametrize("script", [begin_stream, begin_json])
async def test_leaving_in_the_middle_of_the_answer(script: object, caplog: pytest.LogCaptureFixture) -> None:
    """A disconnect in the middle of the response closes the engine's connection, which stops the engine."""
    chosen = begin_stream if script is begin_stream else begin_json
    async with (
        engine_running(chosen) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True))
        await client.read_until(b"{")
        assert proxy.runtime.holds == 1
        client.leave()
        await is_released(proxy, engine, caplog)


@pytest.mark.parametrize(
    ("path", "first_words"),
    [
        ("/v1/chat/completions", b"data: "),
        ("/v1/messages", b"event: message_start"),
        ("/v1/responses", b"event: response.created"),
        ("/api/chat", b'"done":false'),
        ("/v1/completions", b"data: "),
    ],
)
async def test_leaving_in_mid_stream_is_the_same_in_every_dialect(
    path: str, first_words: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The line has 499 and why the response is incomplete; the metrics count it under that status."""

    async def begin(exchange: Exchange) -> None:
        delta = b'data: {"id":"a","model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
        message = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{}}}\n\n'
        await exchange.write(SSE_HEAD + chunked(message if exchange.path == "/v1/messages" else delta))
        await exchange.peer_left()

    async with (
        engine_running(begin) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        fields = {"input": "hi"} if path == "/v1/responses" else {"max_tokens": 9, "prompt": "hi"}
        await client.send(path=path, body=chat_body(stream=True, **fields))
        await client.read_until(first_words)
        client.leave()
        await is_released(proxy, engine, caplog)
        assert " cut=client_left " in caplog.text
        scraped = await ask(proxy.port, "GET", "/metrics")
        assert b'status="499"' in scraped.body
        assert b'gglib_first_byte_seconds_count{model="tiny",streamed="true"} 1.0' in scraped.body


async def test_leaving_after_the_last_byte_is_a_success(caplog: pytest.LogCaptureFixture) -> None:
    """The response was complete, and the connection idle."""

    async def respond(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(EVENT) + b"0\r\n\r\n")

    async with (
        engine_running(respond) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True), is_last=False)
        await client.read_until(b"\r\n0\r\n\r\n")
        client.leave()
        await until(lambda: any(record.name == "gglib.access" for record in caplog.records))
        assert access_status(caplog) == "200"


async def test_leaving_while_the_engine_does_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """A client that disconnects while the engine does not read its body frees both connections."""

    async def accept_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        engine.open += 1
        await released.wait()
        engine.open -= 1
        writer.transport.abort()

    released = asyncio.Event()
    engine = Engine(stay_silent)
    server = await asyncio.start_server(accept_only, "127.0.0.1", 0, limit=1024)
    engine.port = server.sockets[0].getsockname()[1]
    async with proxy_running(runtime_for(engine)) as proxy, await connect(proxy.port) as client:
        await client.send(body=chat_body(filler="x" * 20_000_000))
        await until(lambda: engine.open == 1 and proxy.runtime.holds == 1)
        client.leave()
        await until(lambda: proxy.runtime.holds == 0)
        released.set()
        await is_released(proxy, engine, caplog)
    server.close()
    await server.wait_closed()


async def test_leaving_while_slow_to_read(caplog: pytest.LogCaptureFixture) -> None:
    """A client that stops reading and then disconnects frees the engine, whose response was blocked."""
    written = [0]

    async def flood(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD)
        while True:
            await exchange.write(chunked(EVENT * 1000))
            written[0] += 1

    async with (
        engine_running(flood) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port, receive_buffer_bytes=4096) as client,
    ):
        await client.send(body=chat_body(stream=True))
        await client.read_until(EVENT)
        client.stop_reading()
        await standing_still(lambda: written[0])
        client.leave()
        await is_released(proxy, engine, caplog)
