"""A connection parses a slice per iteration of the loop: what it reads at once, what it defers, and when it resumes."""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from gglib.http.chunked import MAX_CHUNKS_PER_CALL
from gglib.http.server.budget import UNCOUNTED_BYTES
from gglib.http.server.connection import MAX_BODY_BYTES_PER_TURN, MAX_PIPELINED_BYTES, ClientConnection
from gglib.http.server.deadlines import DeadlineLimits
from gglib.http.server.http_server import HttpServer
from gglib.http.server.request import Request
from gglib.proxy.response import Response

LIMITS = DeadlineLimits(head_s=10, body_s=30, body_min_rate=1000, write_s=60, idle_s=75)
HEAD = b"POST / HTTP/1.1\r\nhost: a\r\n"
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


class NoSocket:
    """Stands for a socket whose family does not matter."""

    family = socket.AF_UNIX

    def fileno(self) -> int:
        """Return a descriptor that is never open."""
        return -1


class Transport(asyncio.Transport):
    """Records what is written, and whether reading is paused."""

    def __init__(self) -> None:
        super().__init__({"socket": NoSocket()})
        self.written = b""
        self.is_reading_now = True
        self.is_closed = False

    def write(self, data: Any) -> None:
        """Record the bytes."""
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered."""

    def get_write_buffer_size(self) -> int:
        """Nothing is buffered."""
        return 0

    def is_closing(self) -> bool:
        """Whether the transport was closed."""
        return self.is_closed

    def can_write_eof(self) -> bool:
        """Return False."""
        return False

    def pause_reading(self) -> None:
        """Pause reading."""
        assert self.is_reading_now
        self.is_reading_now = False

    def resume_reading(self) -> None:
        """Resume reading."""
        assert not self.is_reading_now
        self.is_reading_now = True

    def close(self) -> None:
        """Close the transport."""
        self.is_closed = True

    abort = close


class Watch:
    """A DisconnectWatcher whose events are triggered by the test."""

    def __init__(self) -> None:
        self.on_disconnect: Callable[[], None] | None = None

    def watch(self, descriptor: int, on_disconnect: Callable[[], None]) -> None:
        """Record the watched connection."""
        del descriptor
        self.on_disconnect = on_disconnect

    def unwatch(self, descriptor: int) -> None:
        """Drop the watched connection."""
        del descriptor
        self.on_disconnect = None


class FakeServer:
    """A listener without a socket, whose requests are served when the test allows it."""

    def __init__(self, *, max_bodies_bytes: int = 10**9) -> None:
        self.bodies: list[bytes] = []
        self.turns: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.listener = HttpServer(
            self._handle,
            limits=LIMITS,
            max_connections=100,
            max_body_bytes=10**8,
            max_bodies_bytes=max_bodies_bytes,
            on_stop=lambda: None,
            on_refusal=lambda *_: None,
        )
        self.listener.disconnect_watcher.close()
        self.watch = Watch()
        self.listener.disconnect_watcher = self.watch  # type: ignore[assignment]

    def connect(self) -> tuple[ClientConnection, Transport]:
        """Return a new connection."""
        connection, transport = ClientConnection(self.listener), Transport()
        connection.connection_made(transport)
        return connection, transport

    async def _handle(self, request: Request, connection: ClientConnection) -> None:
        response = Response(connection, method=request.method, minor_version=1, request_id=request.id)
        try:
            with request.cancel_scope:
                self.bodies.append(await request.read_body(limit_bytes=10**8))
                self.turns.append("request")
                await self.may_answer.wait()
                await response.send({})
        except Exception as error:  # noqa: BLE001 - as the app does
            await response.fail(error)


async def turn() -> None:
    """Run one iteration of the loop."""
    await asyncio.sleep(0)


async def test_small_chunks_are_parsed_in_slices() -> None:
    """However many are buffered: reading pauses meanwhile, and the body is complete at the end."""
    server = FakeServer()
    connection, transport = server.connect()
    slices, chunks = 5, 5 * MAX_CHUNKS_PER_CALL
    connection.data_received(
        HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * chunks + b"0\r\n\r\n"
    )
    sizes = []
    while not transport.is_reading_now:
        assert connection._body is not None
        sizes.append(connection._body.size_bytes)
        await turn()
    assert sizes == [MAX_CHUNKS_PER_CALL * number for number in range(1, slices + 1)]
    await turn()
    assert server.bodies == [b"x" * chunks]


async def test_one_connection_parses_a_slice_per_iteration() -> None:
    """A flood from many connections takes no more of an iteration than a flood from one."""
    server = FakeServer()
    pairs = [server.connect() for _ in range(4)]
    for connection, _ in pairs:
        connection.data_received(
            HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * MAX_CHUNKS_PER_CALL * 3
        )

    def read_slices() -> int:
        return sum(c._body.size_bytes // MAX_CHUNKS_PER_CALL for c, _ in pairs if c._body is not None)

    assert read_slices() == len(pairs)
    for number in range(1, 2 * len(pairs) + 1):
        await turn()
        assert read_slices() == len(pairs) + number
    await turn()
    assert all(transport.is_reading_now for _, transport in pairs)


async def test_pipelined_requests_are_served_one_per_iteration() -> None:
    """Other connections run between any two of them."""
    server = FakeServer()
    connection, _ = server.connect()

    async def others() -> None:
        while server.turns.count("request") < 5:
            server.turns.append("other")
            await turn()

    task = asyncio.create_task(others())
    connection.data_received(GET * 5)
    await task
    order = "".join(what[0] for what in server.turns)
    assert "rr" not in order
    assert order.count("r") == 5


async def test_pipelined_data_is_used_up_before_reading_resumes() -> None:
    """A response does not resume reading while too much pipelined data is left."""
    server = FakeServer()
    server.may_answer.clear()
    connection, transport = server.connect()
    connection.data_received(GET * (MAX_PIPELINED_BYTES // len(GET) + 20))
    assert not transport.is_reading_now
    server.may_answer.set()
    states = []
    while len(server.bodies) < 30:
        await turn()
        states.append((connection._reader.pipelined_bytes <= MAX_PIPELINED_BYTES, transport.is_reading_now))
    assert (False, False) in states
    assert (False, True) not in states
    assert states[-1] == (True, True)


async def test_a_large_body_yields_to_other_connections() -> None:
    """After ``MAX_BODY_BYTES_PER_TURN`` reading pauses for one iteration, also for a slow upload."""
    server = FakeServer()
    connection, transport = server.connect()
    connection.data_received(HEAD + b"content-length: 9000000\r\n\r\n" + bytes(200_000))
    states = []
    for part in (bytes(MAX_BODY_BYTES_PER_TURN - 200_000), b"x"):
        connection.data_received(part)
        states.append(transport.is_reading_now)
    await turn()
    states.append(transport.is_reading_now)
    connection.data_received(bytes(MAX_BODY_BYTES_PER_TURN))
    states.append(transport.is_reading_now)
    assert states == [True, False, True, True]


async def test_a_buffered_body_does_not_wait_for_memory() -> None:
    """Beyond the budget, with its end already buffered, the body deadline does not end the request."""
    server = FakeServer(max_bodies_bytes=1)
    server.may_answer.clear()
    first, _ = server.connect()
    first.data_received(HEAD + b"content-length: 400000\r\n\r\n" + bytes(100_000))
    connection, transport = server.connect()
    chunks = 2 * MAX_CHUNKS_PER_CALL
    chunk = b"200\r\n" + bytes(512) + b"\r\n"
    connection.data_received(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk * chunks + b"0\r\n\r\n")
    for _ in range(5):
        await turn()
    assert server.bodies == [bytes(512 * chunks)]
    connection.check(asyncio.get_running_loop().time() + LIMITS.body_s + 1)
    server.may_answer.set()
    for _ in range(5):
        await turn()
    assert transport.written.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" not in transport.written.lower()


async def test_beyond_the_budget_a_body_waits_until_another_is_released() -> None:
    """The oldest is read; deadlines of the others pause; the end of the first response makes room."""
    server = FakeServer(max_bodies_bytes=400_000)
    server.may_answer.clear()
    (first, first_transport), (second, second_transport) = server.connect(), server.connect()
    for connection in (first, second):
        connection.data_received(HEAD + b"content-length: 400000\r\n\r\n" + bytes(300_000))
    assert (first_transport.is_reading_now, second_transport.is_reading_now) == (True, False)
    loop = asyncio.get_running_loop()
    second.check(loop.time() + LIMITS.body_s - 0.5)
    first.data_received(bytes(100_000))
    await turn()
    await turn()
    assert server.bodies == [bytes(400_000)]
    assert second_transport.is_reading_now  # it is the oldest one now
    server.may_answer.set()
    second.data_received(bytes(100_000))
    while len(server.bodies) < 2:
        await turn()
    while server.listener.body_budget.held_bytes:
        await turn()
    assert first_transport.written.startswith(b"HTTP/1.1 200")


async def test_a_body_that_waits_too_long_gets_503() -> None:
    """Its memory is released, and a lingering close lets the client read the response."""
    server = FakeServer(max_bodies_bytes=1)
    (first, _), (second, transport) = server.connect(), server.connect()
    for connection in (first, second):
        connection.data_received(HEAD + b"content-length: 400000\r\n\r\n" + bytes(100_000))
    await turn()
    now_s = asyncio.get_running_loop().time()
    assert second.check(now_s + LIMITS.body_s + 0.1) > now_s
    while b"\r\n\r\n" not in transport.written:
        await turn()
    head = transport.written.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 5\r\n" in head
    assert b'"code":"too_many_bodies"' in transport.written
    assert server.listener.body_budget.held_bytes == 100_000 - UNCOUNTED_BYTES


async def test_a_disconnect_while_reading_is_paused_is_detected() -> None:
    """With too much pipelined data, and while the body waits for memory; not during a pause of one iteration."""
    server = FakeServer(max_bodies_bytes=1)
    server.may_answer.clear()
    ahead, ahead_transport = server.connect()
    ahead.data_received(GET * (MAX_PIPELINED_BYTES // len(GET) + 20))
    request = ahead._request
    assert request is not None
    assert server.watch.on_disconnect is not None
    server.watch.on_disconnect()
    assert (request.is_disconnected, ahead_transport.is_closed) == (True, True)
    oldest, _ = server.connect()
    waiting, waiting_transport = server.connect()
    for connection in (oldest, waiting):
        connection.data_received(HEAD + b"content-length: 400000\r\n\r\n" + bytes(100_000))
    assert server.watch.on_disconnect == waiting._on_disconnect
    server.watch.on_disconnect()
    assert waiting_transport.is_closed
    while server.listener.body_budget.held_bytes != 100_000 - UNCOUNTED_BYTES:
        await turn()


@pytest.mark.parametrize(
    "begun", [b"", GET[:10], HEAD + b"content-length: 5\r\n\r\n"], ids=["new", "head", "body"]
)
async def test_check_returns_the_next_deadline(begun: bytes) -> None:
    """So the listener checks then, and not up to a second later."""
    server = FakeServer()
    connection, _ = server.connect()
    now_s = asyncio.get_running_loop().time()
    if begun:
        connection.data_received(begun)
    limit_s = LIMITS.body_s if begun.startswith(b"POST") else LIMITS.head_s
    assert connection.check(now_s + limit_s - 0.1) == pytest.approx(now_s + limit_s, abs=0.05)


async def test_a_connection_reset_by_the_client_is_aborted_without_an_error() -> None:
    """``write_eof`` raises if the loop has not noticed the reset."""

    class ResetTransport(Transport):
        def can_write_eof(self) -> bool:
            return True

        def write_eof(self) -> None:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    server = FakeServer()
    connection, transport = ClientConnection(server.listener), ResetTransport()
    connection.connection_made(transport)
    connection.data_received(GET + b"\x00")
    while server.turns != ["request"] or connection._request is not None:
        await turn()
    assert transport.is_closed
    assert connection._task is not None
    connection.connection_lost(None)
    await connection._task
