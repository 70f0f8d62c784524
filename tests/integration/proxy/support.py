"""Shared helpers of the proxy's tests: a scripted engine, a proxy on a free port, and clients that see every byte."""

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

from tests.support.sockets import bound_socket
from tests.support.waiting import until

from gglib.core.models import ModelSummary, RunningTarget
from gglib.core.ports import ModelCatalogPort, ModelLibraryPort, ModelRuntimePort
from gglib.core.ports.history import RequestHistoryPort
from gglib.core.ports.machine import MachinePorts
from gglib.core.ports.profiles import ProfileStorePort
from gglib.core.ports.reload import ReloadFunction
from gglib.proxy import LiveHistory, LiveOptions, ProxyOptions, SharedState, serve
from gglib.testing import FakeCatalog, FakeRuntime

DEADLINE_S = 30.0
SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHAT = "/v1/chat/completions"
MODEL = ModelSummary(id=1, name="tiny")


@dataclass(slots=True)
class Tls:
    """Both ends of HTTPS between the tests' clients and the proxy; None: HTTP."""

    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | None = None


USED_TLS = Tls()
"""Set by the tests that run other tests again over HTTPS."""


async def standing_still(read: Callable[[], int]) -> int:
    """Return a count once it has risen and then stayed the same for a hundred polls."""
    seen: list[int] = []

    def is_still() -> bool:
        seen.append(read())
        return len(seen) > 100 and seen[-1] > 0 and seen[-100] == seen[-1]

    await until(is_still, poll_s=0.001)
    return seen[-1]


def chunked(*parts: bytes) -> bytes:
    """Return parts in chunked framing, without the last chunk."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


def json_answer(content: object, status: bytes = b"200 OK", extra: bytes = b"") -> bytes:
    """Return a complete HTTP response with a JSON body."""
    body = json.dumps(content).encode()
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n"
    return head % (status, len(body), extra) + body


@dataclass
class Exchange:
    """One request that reached the engine, and methods to respond to it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def values(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]

    async def write(self, data: bytes) -> None:
        """Send raw bytes."""
        self.writer.write(data)
        await self.writer.drain()

    def abort(self) -> None:
        """Abort the connection."""
        self.writer.transport.abort()

    async def peer_left(self) -> None:
        """Return when the proxy has closed the connection."""
        with contextlib.suppress(ConnectionError):
            await self.reader.read()


Script = Callable[[Exchange], Awaitable[None]]


@dataclass
class Engine:
    """A server that handles each request with ``script`` and records the requests."""

    script: Script
    exchanges: list[Exchange] = field(default_factory=list)
    accepted: int = 0
    open: int = 0
    port: int = 0
    should_close_after: bool = False

    @property
    def target(self) -> RunningTarget:
        """The address of this engine."""
        return RunningTarget.local(self.port, MODEL.id, MODEL.name, 4096)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.accepted += 1
        self.open += 1
        try:
            while True:
                exchange = await _read_request(reader, writer)
                self.exchanges.append(exchange)
                await self.script(exchange)
                if self.should_close_after:
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    method, path, _ = first.split(" ")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    length = next(int(value) for name, value in headers if name == "content-length")
    body = await reader.readexactly(length)
    return Exchange(method, path, headers, body, reader, writer)


@contextlib.asynccontextmanager
async def engine_running(
    script: Script,
    *,
    unix_socket: str | None = None,
    limit: int = 2**16,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Engine]:
    """Run a scripted engine on a free port, or on a unix socket."""
    engine = Engine(script)
    connections: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await engine.handle(reader, writer)
        finally:
            connections.discard(task)

    if unix_socket is None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=limit, ssl=tls)
        engine.port = server.sockets[0].getsockname()[1]
    else:
        server = await asyncio.start_unix_server(handle, unix_socket, limit=limit)
    try:
        yield engine
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await until(lambda: not connections)
        await server.wait_closed()


@dataclass
class Proxy:
    """A running proxy."""

    port: int
    cancel: asyncio.Event
    task: asyncio.Task[None]
    runtime: Any
    catalog: Any

    async def stop(self) -> float:
        """Set the event and return how many seconds ``serve`` then took to return."""
        started_s = time.monotonic()
        self.cancel.set()
        async with asyncio.timeout(DEADLINE_S):
            await self.task
        return time.monotonic() - started_s


@contextlib.asynccontextmanager
async def proxy_running(
    runtime: ModelRuntimePort,
    catalog: ModelCatalogPort | None = None,
    *,
    options: ProxyOptions | LiveOptions | None = None,
    default_ctx: int = 4096,
    library: ModelLibraryPort | None = None,
    profiles: ProfileStorePort | None = None,
    reload: ReloadFunction | None = None,
    history: RequestHistoryPort | LiveHistory | None = None,
    machine: MachinePorts | None = None,
    shared: SharedState | None = None,
) -> AsyncIterator[Proxy]:
    """Serve on a free port for a block, and check that no task or connection is left afterwards."""
    catalog = catalog or FakeCatalog([MODEL])
    options = options or ProxyOptions()
    if USED_TLS.server is not None and isinstance(options, ProxyOptions):
        options = replace(options, tls=USED_TLS.server)
    before = asyncio.all_tasks()
    listener, cancel = bound_socket(), asyncio.Event()
    port: int = listener.getsockname()[1]
    task = asyncio.create_task(
        serve(
            listener,
            default_ctx,
            runtime,
            catalog,
            cancel,
            options=options,
            library=library,
            profiles=profiles,
            reload=reload,
            history=history,
            machine=machine,
            shared=shared,
        )
    )
    proxy = Proxy(port, cancel, task, runtime, catalog)
    try:
        yield proxy
    finally:
        await proxy.stop()
    assert not [task for task in asyncio.all_tasks() - before if _is_ours(task)]
    assert listener.fileno() == -1


def _is_ours(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "gglib/proxy" in code.co_filename


def runtime_for(engine: Engine) -> FakeRuntime:
    """Return a runtime whose only model is served by the engine."""
    return FakeRuntime({MODEL.name: engine.target})


@dataclass
class Reply:
    """A response as received; ``is_whole`` is False if its framing was cut short."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    is_whole: bool

    def values(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error of the body; its format is checked."""
        error: dict[str, Any] = self.json()["error"]
        assert list(error)[:4] == ["message", "type", "param", "code"]
        assert set(list(error)[4:]) <= {"n_prompt_tokens", "n_ctx"}
        assert self.json() == {"error": error}
        assert self.values("content-type") == ["application/json"]
        return error


class Client:
    """A connection to the proxy that shows every byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(
        self,
        method: str = "POST",
        path: str = CHAT,
        *,
        body: bytes | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        is_last: bool = True,
    ) -> None:
        """Write a request."""
        lines = [f"{method} {path} HTTP/1.1"]
        given = {name.lower() for name, _ in headers}
        if "host" not in given:
            lines.append("Host: 127.0.0.1")
        if is_last and "connection" not in given:
            lines.append("Connection: close")
        if body is not None and not given & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers]
        self.writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        await self.writer.drain()

    async def read_until(self, end: bytes) -> bytes:
        """Return the received bytes up to and including ``end``."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readuntil(end)

    async def read_reply(self, *, is_head_request: bool = False) -> Reply:
        """Return one complete response; reads to the end of the connection if the framing is cut short."""
        head = (await self.read_until(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
        named = dict(headers)
        body, is_whole = bytearray(), True
        async with asyncio.timeout(DEADLINE_S):
            try:
                if is_head_request:
                    pass
                elif "content-length" in named:
                    body += await self.reader.readexactly(int(named["content-length"]))
                elif named.get("transfer-encoding") == "chunked":
                    async for part in self.chunks():
                        body += part
            except asyncio.IncompleteReadError as error:
                body += error.partial
                is_whole = False
            except ConnectionError:
                is_whole = False
        return Reply(int(first.split(" ")[1]), headers, bytes(body), is_whole)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the chunks of a chunked body until the last chunk."""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            part = await self.reader.readexactly(size + 2)
            yield part[:-2]
        assert await self.reader.readexactly(2) == b"\r\n"

    def stop_reading(self) -> None:
        """Stop reading, so that received data is buffered."""
        self._transport.pause_reading()

    def read_again(self) -> None:
        """Resume reading."""
        self._transport.resume_reading()

    @property
    def _transport(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self.writer.transport)

    def leave(self) -> None:
        """Close the connection at once."""
        self.writer.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def connect(port: int, *, receive_buffer_bytes: int | None = None) -> Client:
    """Open a connection to the proxy."""
    sock = socket.socket(proto=socket.IPPROTO_TCP)
    if receive_buffer_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    if USED_TLS.client is None:
        return Client(*await asyncio.open_connection(sock=sock))
    return Client(*await asyncio.open_connection(sock=sock, ssl=USED_TLS.client, server_hostname="localhost"))


async def ask(
    port: int,
    method: str = "POST",
    path: str = CHAT,
    *,
    body: bytes | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Reply:
    """Send one request on a new connection and return the response."""
    async with await connect(port) as client:
        await client.send(method, path, body=body, headers=headers)
        return await client.read_reply(is_head_request=method == "HEAD")


def chat_body(*, model: str = MODEL.name, **fields: object) -> bytes:
    """Return the body of a chat request."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}).encode()


@contextlib.contextmanager
def quick(limit_s: float = 5.0) -> Iterator[None]:
    """Fail if the block takes longer than a generous limit."""
    started_s = time.monotonic()
    yield
    assert time.monotonic() - started_s < limit_s
