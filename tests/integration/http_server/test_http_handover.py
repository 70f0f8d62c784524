"""One server hands its listener over to the next: streams end, accepted requests are served, new connections wait."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.integration.proxy.support import (
    MODEL,
    SSE_HEAD,
    Exchange,
    chat_body,
    chunked,
    engine_running,
    json_answer,
    runtime_for,
)

from gglib.core.models import ModelLaunchSpec
from gglib.http.server.handover import Handover
from gglib.proxy import serve
from gglib.testing import FakeCatalog, FakeRuntime

SETTLE_S = 5.0
SHORT_S = 0.05
LIMIT_S = 10.0
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
STREAM = HEAD % len(chat_body(stream=True)) + chat_body(stream=True)
CHAT = HEAD % len(chat_body()) + chat_body()


class PausedEngine:
    """Sends one event of a stream, and the rest when it is released; other responses at once."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def answer(self, exchange: Exchange) -> None:
        """Respond."""
        if b'"stream"' not in exchange.body:
            await exchange.write(json_answer({"ok": True}))
            return
        await exchange.write(SSE_HEAD + chunked(b"data: {}\n\n"))
        await self.release.wait()
        await exchange.write(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")


class SlowCatalog(FakeCatalog):
    """A catalogue that is read again for each request, and notes when it was."""

    def __init__(self, events: list[str]) -> None:
        super().__init__([MODEL])
        self._events = events

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Take two polls of the handover."""
        await asyncio.sleep(0.02)
        self._events.append("resolved")
        return await super().resolve_for_launch(name)


@asynccontextmanager
async def serving(
    listener: socket.socket, runtime: FakeRuntime, handover: Handover, catalog: FakeCatalog | None = None
) -> AsyncIterator[None]:
    """Serve on a copy of the listener, as a process does to which it was passed."""
    cancel = asyncio.Event()
    catalog = catalog or FakeCatalog([MODEL])
    task = asyncio.create_task(serve(listener.dup(), 4096, runtime, catalog, cancel, handover=handover))
    try:
        yield
    finally:
        cancel.set()
        await task


class Client:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    async def until(self, words: bytes) -> bytes:
        """Read until these bytes."""
        return await asyncio.wait_for(self.reader.readuntil(words), LIMIT_S)

    async def rest(self) -> bytes:
        """Read until the end of the connection, and close it."""
        try:
            return await asyncio.wait_for(self.reader.read(), LIMIT_S)
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def connect(listener: socket.socket) -> Client:
    """Open a connection."""
    return Client(*await asyncio.open_connection(*listener.getsockname()))


async def served(client: Client) -> None:
    """Wait until the server has accepted a connection and served a request on it."""
    client.send(HEALTH)
    await client.until(b'{"status":"ok"}')


async def test_streams_end_and_new_connections_wait_for_the_next_server() -> None:
    """None of them is refused, reset or answered by the server that stops."""
    engine, handover = PausedEngine(), Handover()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with engine_running(engine.answer) as backend:
            runtime = runtime_for(backend)
            async with serving(listener, runtime, handover):
                stream = await connect(listener)
                stream.send(STREAM)
                await stream.until(b"data: {}\n\n")
                await handover.begin(SETTLE_S)
                waiting = [await connect(listener) for _ in range(20)]
                for client in waiting:
                    client.send(CHAT)
                engine.release.set()
                assert (await stream.rest()).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
            async with serving(listener, runtime, Handover()):
                for client in waiting:
                    assert b"HTTP/1.1 200 OK" in await client.until(b'"ok"')
                    client.close()


async def test_an_accepted_connection_is_served_and_then_closed() -> None:
    """A request that arrives after the handover began gets its response, with ``Connection: close``."""
    handover = Handover()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            engine_running(PausedEngine().answer) as backend,
            serving(listener, runtime_for(backend), handover),
        ):
            new, idle, first = await connect(listener), await connect(listener), await connect(listener)
            await served(idle)
            await served(first)
            new.send(CHAT[:10])
            await served(first)  # by then the first bytes of ``new`` have been read
            begun = asyncio.create_task(handover.begin(SETTLE_S))
            assert await idle.rest() == b""
            assert await first.rest() == b""
            assert not begun.done()
            new.send(CHAT[10:])
            response = await new.rest()
            assert response.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" in response.lower()
            await asyncio.wait_for(begun, LIMIT_S)


async def test_a_request_that_arrived_last_reaches_the_runtime_before_the_handover_ends() -> None:
    """After the handover requests are refused; one that has arrived must be in flight by then."""
    events: list[str] = []
    handover = Handover()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            engine_running(PausedEngine().answer) as backend,
            serving(listener, runtime_for(backend), handover, SlowCatalog(events)),
        ):
            client, other = await connect(listener), await connect(listener)
            await served(other)  # by then ``client`` has been accepted
            begun = asyncio.create_task(handover.begin(SETTLE_S))
            client.send(CHAT)
            await asyncio.wait_for(begun, LIMIT_S)
            events.append("handed over")
            assert await other.rest() == b""
            assert b"HTTP/1.1 200 OK" in await client.rest()
    assert events == ["resolved", "handed over"]


async def test_a_connection_without_a_request_does_not_hold_the_handover() -> None:
    """It ends after the time to settle; a handover without a server ends at once."""
    handover = Handover()
    await Handover().begin(SETTLE_S)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            engine_running(PausedEngine().answer) as backend,
            serving(listener, runtime_for(backend), handover),
        ):
            silent, other = await connect(listener), await connect(listener)
            await served(other)
            await asyncio.wait_for(handover.begin(SHORT_S), LIMIT_S)
        assert await silent.rest() == await other.rest() == b""


async def test_a_handover_that_began_before_the_server_accepts_nothing() -> None:
    """A stop during the start."""
    handover = Handover()
    await handover.begin(SHORT_S)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with engine_running(PausedEngine().answer) as backend:
            async with serving(listener, runtime_for(backend), handover):
                client = await connect(listener)
                client.send(HEALTH)
                await asyncio.sleep(SHORT_S)
            async with serving(listener, runtime_for(backend), Handover()):
                await client.until(b'{"status":"ok"}')
                client.close()
