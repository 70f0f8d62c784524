"""Embedding and shutdown: ``serve`` with custom adapters, and its behaviour when it is stopped."""

import asyncio
import json
import logging
import signal
import socket
import time

import pytest
from tests.support.sockets import bound_socket
from tests.support.waiting import until

from gglib.core.models import ModelLaunchSpec, ModelSummary, RunningTarget
from gglib.core.ports import ModelRuntimePort
from gglib.proxy import ProxyOptions, serve
from gglib.testing import FakeCatalog, FakeRuntime

from .support import (
    SSE_HEAD,
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

EVENT = b'data: {"n":1}\n\n'


class OwnRuntime(ModelRuntimePort):
    """Implements only the abstract methods."""

    def __init__(self, target: RunningTarget | None = None) -> None:
        self.target = target

    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Return the target."""
        del model_name, num_ctx, default_ctx
        assert self.target is not None
        return self.target

    async def current_model(self) -> RunningTarget | None:
        """Return the target."""
        return self.target

    async def stop_current(self) -> None:
        """Forget the target."""
        self.target = None


class OwnCatalog:
    """Implements only the methods of the protocol."""

    async def list_models(self) -> list[ModelSummary]:
        """Return the one model."""
        return [ModelSummary(id=1, name="tiny")]

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the one model by its name."""
        return ModelSummary(id=1, name="tiny") if name == "tiny" else None

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return None: nothing is launched here."""
        del name
        return None


async def begin_stream(exchange: Exchange) -> None:
    """Send one event and no end."""
    await exchange.write(SSE_HEAD + chunked(EVENT))
    await exchange.peer_left()


async def test_embedding_with_the_least_of_adapters_and_ten_streams_open() -> None:
    """With only the abstract methods it serves, and it returns within a second while ten streams are open."""
    async with (
        engine_running(begin_stream) as engine,
        proxy_running(OwnRuntime(engine.target), OwnCatalog()) as proxy,
    ):
        assert (await ask(proxy.port, "GET", "/health")).json() == {"status": "ok"}
        assert (await ask(proxy.port, "GET", "/v1/models")).json()["data"][0]["id"] == "tiny"
        clients = [await connect(proxy.port) for _ in range(10)]
        for client in clients:
            await client.send(body=chat_body(stream=True), is_last=False)
        for client in clients:
            await client.read_until(EVENT + b"\r\n")
        assert await proxy.stop() < 1.0
        for client in clients:
            rest = await client.reader.read()
            assert rest.endswith(b"\n\n\r\n0\r\n\r\n")
            event = json.loads(rest.split(b"\r\n")[1].removeprefix(b"data: "))
            assert event["error"]["code"] == "shutting_down"
            assert b"[DONE]" not in rest
            client.leave()
        await until(lambda: engine.open == 0)


async def test_requests_that_wait_get_503_at_the_end() -> None:
    """A request that waits for a model at shutdown gets a proper status."""
    runtime = FakeRuntime(gate=asyncio.Event())
    async with proxy_running(runtime) as proxy, await connect(proxy.port) as client:
        await client.send(body=chat_body(stream=True), is_last=False)
        await until(lambda: runtime.waiting == 1)
        assert await proxy.stop() < 1.0
        reply = await client.read_reply()
    assert (reply.status, reply.error["code"]) == (503, "shutting_down")
    assert runtime.waiting == 0


async def test_answer_in_the_middle_is_broken_off_at_the_end() -> None:
    """A non-streamed response has no place for an error: it is cut off at shutdown, not ended."""

    async def begin(exchange: Exchange) -> None:
        await exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"{"))
        await exchange.peer_left()

    async with (
        engine_running(begin) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body())
        await client.read_until(b"1\r\n{")
        assert await proxy.stop() < 1.0
        assert await client.reader.read() == b"\r\n"


async def test_idle_and_half_open_connections_do_not_delay_the_end() -> None:
    """Connections that are idle, unused, or in the middle of a request's head or body are closed at once."""
    async with proxy_running(FakeRuntime(), options=ProxyOptions(shutdown_grace_s=5)) as proxy:
        clients = [await connect(proxy.port) for _ in range(4)]
        await clients[0].send("GET", "/health", is_last=False)
        assert (await clients[0].read_reply()).status == 200
        clients[1].writer.write(b"GET /health HT")
        await clients[2].send(body=b"{", headers=(("Content-Length", "9"),))
        assert await proxy.stop() < 1.0
        for client in clients:
            client.leave()


async def test_client_that_does_not_read_does_not_delay_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """A stream to a client that stopped reading is cut after the grace period, without a logged error."""
    written = [0]

    async def flood(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD)
        while True:
            await exchange.write(chunked(EVENT * 1000))
            written[0] += 1

    options = ProxyOptions(shutdown_grace_s=0.2)
    async with (
        engine_running(flood) as engine,
        proxy_running(runtime_for(engine), options=options) as proxy,
        await connect(proxy.port, receive_buffer_bytes=4096) as client,
    ):
        await client.send(body=chat_body(stream=True))
        await client.read_until(EVENT)
        client.stop_reading()
        await standing_still(lambda: written[0])
        assert await proxy.stop() < 1.0
        await until(lambda: engine.open == 0)
        assert proxy.runtime.holds == 0
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_runtime_that_will_not_let_go_does_not_delay_the_end() -> None:
    """A runtime whose release hangs is cancelled after a limited time."""

    class Clinging(OwnRuntime):
        async def ensure_model_running(
            self, model_name: str, num_ctx: int | None, default_ctx: int
        ) -> RunningTarget:
            del model_name, num_ctx, default_ctx
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.Event().wait()
            raise AssertionError

    entered = asyncio.Event()
    async with proxy_running(Clinging(), OwnCatalog()) as proxy, await connect(proxy.port) as client:
        await client.send(body=chat_body())
        await entered.wait()
        assert await proxy.stop() < 1.5


async def test_connection_of_the_engine_is_closed_at_the_end() -> None:
    """Idle connections to the engine are closed when ``serve`` returns."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({}))

    async with engine_running(answer) as engine:
        async with proxy_running(runtime_for(engine)) as proxy:
            await ask(proxy.port, body=chat_body())
            assert engine.open == 1
        async with asyncio.timeout(2):  # it would otherwise be closed after four seconds
            await until(lambda: engine.open == 0)


async def test_no_signal_handler_is_touched() -> None:
    """The program keeps its signal handlers while the proxy runs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    async with proxy_running(FakeRuntime()) as proxy:
        await ask(proxy.port, "GET", "/health")
        assert {number: signal.getsignal(number) for number in before} == before


async def test_listener_that_cannot_be_served_is_raised() -> None:
    """``serve`` raises the error and closes the listener."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with pytest.raises((ValueError, OSError)):
        await serve(listener, 4096, FakeRuntime(), FakeCatalog(), asyncio.Event())
    assert listener.fileno() == -1


async def test_cancelling_the_task_ends_it_as_well() -> None:
    """Cancelling the task instead of setting the event causes the same shutdown, and CancelledError is raised."""
    listener = bound_socket()
    port: int = listener.getsockname()[1]
    runtime = FakeRuntime(gate=asyncio.Event())
    task = asyncio.create_task(serve(listener, 4096, runtime, OwnCatalog(), asyncio.Event()))
    async with await connect(port) as client:
        await client.send(body=chat_body())
        await until(lambda: runtime.waiting == 1)
        started_s = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started_s < 1.0
        assert (await client.read_reply()).status == 503
    assert listener.fileno() == -1


async def test_event_that_is_set_before_the_start() -> None:
    """A proxy whose stop event is set before its start returns at once."""
    cancel = asyncio.Event()
    cancel.set()
    async with asyncio.timeout(1):
        await serve(bound_socket(), 4096, FakeRuntime(), FakeCatalog(), cancel)


async def test_health_touches_no_port() -> None:
    """/health succeeds even if all components behind the proxy fail; HEAD gets only the head."""

    class Broken(OwnRuntime):
        async def current_model(self) -> RunningTarget | None:
            raise AssertionError

    catalog = FakeCatalog(fails_with=AssertionError())
    async with proxy_running(Broken(), catalog) as proxy, await connect(proxy.port) as client:
        await client.send("GET", "/health", is_last=False)
        whole = await client.read_reply()
        await client.send("HEAD", "/health", is_last=False)
        head = await client.read_reply(is_head_request=True)
        await client.send("GET", "/health")
        assert (await client.read_reply()).json() == {"status": "ok"}
    assert (whole.status, whole.json()) == (200, {"status": "ok"})
    assert head.values("content-length") == whole.values("content-length")
    assert len(whole.values("x-request-id")) == 1
    assert whole.values("server") == []
