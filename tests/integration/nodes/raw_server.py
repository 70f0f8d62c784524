"""A server that sends the bytes that a test gives it, whatever HTTP says."""

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.support.waiting import until

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]
STATUS, MODELS, EVENTS, FITS = "/gglib/status", "/gglib/models", "/gglib/events", "/gglib/fits"


def json_reply(content: object, status: str = "200 OK") -> Reply:
    """Return a reply with a JSON body."""
    return body_reply(json.dumps(content).encode(), status)


def body_reply(body: bytes, status: str = "200 OK", *, length: int | None = None) -> Reply:
    """Return a reply with a body; ``length`` is what its head says of it."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    return raw_reply(head.encode() + body)


def raw_reply(data: bytes) -> Reply:
    """Return a reply of these bytes."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return send


def endless_reply(head: bytes, part: bytes, *, pause_s: float = 0.0) -> Reply:
    """Return a reply that repeats ``part`` until the client leaves."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return send


def gglib_replies(version: str = "0.1.0", *models: str, instance: str = "raw") -> dict[str, Reply]:
    """Return the replies of a gglib without events, by path."""
    found = [{"id": number, "name": name} for number, name in enumerate(models, 1)]
    return {
        STATUS: json_reply({"version": version, "residents": [], "instance": instance}),
        MODELS: json_reply({"models": found}),
        FITS: json_reply({"fits": []}),
    }


@dataclass
class RawServer:
    """Listens on a loopback port; replies by path, and with 404 to others."""

    replies: dict[str, Reply]
    requests: list[str] = field(default_factory=list)
    """The path of each request."""
    sent_bytes: int = 0
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ")[1]
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                await reader.readexactly(int(length[1]) if length else 0)
                self.requests.append(path)
                await self.replies.get(path, json_reply({}, "404 Not Found"))(writer)
        writer.transport.abort()


@contextlib.asynccontextmanager
async def raw_server(
    replies: dict[str, Reply], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """Serve in the block."""
    raw = RawServer(replies, scheme="http" if tls is None else "https")
    connections: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await raw.handle(reader, writer)
        finally:
            connections.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await until(lambda: not connections)
