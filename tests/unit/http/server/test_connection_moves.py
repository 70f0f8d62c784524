"""The transitions of a connection follow its tables, for any sequence of events."""

import asyncio
import random
from collections.abc import Callable
from itertools import product

import pytest
from tests.unit.http.server.test_connection import GET, HEAD, LIMITS, FakeServer, Transport, turn

from gglib.http.chunked import MAX_CHUNKS_PER_CALL
from gglib.http.server import connection as connection_module
from gglib.http.server.connection import TRANSITIONS, ClientConnection, ConnectionEvent, ConnectionState
from gglib.http.server.deadlines import TRANSITIONS as PHASE_MOVES
from gglib.http.server.deadlines import Deadlines, Phase, PhaseEvent
from gglib.http.server.request import Request
from gglib.proxy.response import Response

WALKS, LEAST_WALKS, STEPS = 3000, 300, 25
BEGINNINGS = [
    GET,
    GET[:9],
    b"\r",
    GET * 3,
    GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
    HEAD + b"content-length: 4\r\n\r\nbody",
    HEAD + b"content-length: 4\r\n\r\n",
    HEAD + b"content-length: 150000\r\n\r\n" + bytes(100_000),
    HEAD + b"content-length: 9000000\r\n\r\n" + bytes(100_000),
    HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nxx\r\n",
    HEAD
    + b"transfer-encoding: chunked\r\n\r\n"
    + (b"200\r\n" + bytes(512) + b"\r\n") * 2 * MAX_CHUNKS_PER_CALL
    + b"0\r\n\r\n",
    b"\x00",
]
"""What a client may send first,"""
IN_HEAD = [GET[9:], b"\n"]
"""in the middle of a head,"""
IN_BODY = [b"body", b"bo", bytes(50_000), b"0\r\n\r\n"]
"""and in the middle of a body."""

EVENTS: dict[PhaseEvent, str] = {
    PhaseEvent.RESPONSE_COMPLETE: "become_idle",
    PhaseEvent.HEAD_STARTED: "begin_head",
    PhaseEvent.BODY_STARTED: "begin_body",
    PhaseEvent.BODY_QUEUED: "queue_body",
    PhaseEvent.REQUEST_COMPLETE: "begin_response",
    PhaseEvent.WRITE_BLOCKED: "block_write",
    PhaseEvent.WRITE_PROGRESS: "record_read",
    PhaseEvent.LINGERING_CLOSE: "begin_lingering_close",
}


class SlowTransport(Transport):
    """Has a send buffer that a test fills, and can shut down its write side."""

    unsent = 0

    def get_write_buffer_size(self) -> int:
        """Return the size that the test set."""
        return self.unsent

    def can_write_eof(self) -> bool:
        """Return True."""
        return True

    def write_eof(self) -> None:
        """Shut down the write side."""


def recorded(moves: set[tuple[Phase, PhaseEvent]]) -> type[Deadlines]:
    """Return deadlines that record their transitions."""

    def method(event: PhaseEvent, name: str) -> Callable[..., None]:
        original = getattr(Deadlines, name)

        def call(self: Deadlines, *args: float) -> None:
            moves.add((self.phase, event))
            original(self, *args)

        return call

    return type("Recorded", (Deadlines,), {name: method(event, name) for event, name in EVENTS.items()})


class Walk:
    """One connection with random events."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._server = FakeServer(max_bodies_bytes=1)
        self._server.listener.handle = self._handle
        self._other = ClientConnection(self._server.listener)
        self._other.connection_made(Transport())
        if self._random.random() < 0.5:  # it is the oldest upload, so that another one has to wait
            self._other.data_received(HEAD + b"content-length: 400000\r\n\r\n" + bytes(100_000))
        self.connection, self._transport = ClientConnection(self._server.listener), SlowTransport()
        self.connection.connection_made(self._transport)
        self._now_s = asyncio.get_running_loop().time()

    async def _handle(self, request: Request, connection: ClientConnection) -> None:
        response = Response(connection, method=request.method, minor_version=1, request_id=request.id)
        try:
            with request.cancel_scope:
                if self._random.random() < 0.7:
                    await request.read_body(limit_bytes=10**8)
                if self._random.random() < 0.5:
                    await response.start(200, [])
                await self._server.may_answer.wait()
                if response.is_started:
                    await response.write(b"x", is_last=self._random.random() < 0.9)
                else:
                    await response.send({})
        except Exception as error:  # noqa: BLE001 - as the app does
            await response.fail(error)

    def _piece(self) -> bytes:
        """Return what the client sends next: mostly what is valid now."""
        reader = self.connection._reader
        if self._random.random() < 0.1:
            return self._random.choice(BEGINNINGS + IN_HEAD + IN_BODY)
        return self._random.choice(
            IN_BODY if reader.is_in_body else IN_HEAD if reader.is_in_head else BEGINNINGS
        )

    async def step(self) -> None:
        """Trigger one event."""
        connection, transport, what = self.connection, self._transport, self._random.random()
        if what < 0.5:
            if transport.is_reading_now:
                connection.data_received(self._piece())
        elif what < 0.6:
            if connection.is_write_paused:
                transport.unsent = 0
                connection.resume_writing()
            else:
                transport.unsent = 5000
                connection.pause_writing()
        elif what < 0.65:
            self._now_s += self._random.choice([0.1, 1, LIMITS.body_s, LIMITS.write_s])
            connection.check(self._now_s)
        elif what < 0.7:
            self._server.may_answer.set() if self._random.random() < 0.5 else self._server.may_answer.clear()
        elif what < 0.72:
            self._other.connection_lost(None)
        else:
            await turn()

    async def end(self) -> None:
        """Close both connections, let their handlers end and raise their errors."""
        self._server.may_answer.set()
        self._other.connection_lost(None)
        self.connection.connection_lost(None)
        for connection in (self.connection, self._other):
            if connection._task is not None:
                await asyncio.wait_for(connection._task, 5)


async def test_random_events_cause_only_legal_transitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random walks make every transition of the deadlines' table, and no other, which would raise."""
    moves: set[tuple[Phase, PhaseEvent]] = set()
    monkeypatch.setattr(connection_module, "Deadlines", recorded(moves))
    for seed in range(WALKS):
        walk = Walk(seed)
        for _ in range(STEPS):
            await walk.step()
        await walk.end()
        if seed >= LEAST_WALKS and len(moves) >= len(PHASE_MOVES):
            break
    assert moves == set(PHASE_MOVES), (set(PHASE_MOVES) - moves, moves - set(PHASE_MOVES))


@pytest.mark.parametrize(("state", "event"), list(product(ConnectionState, ConnectionEvent)))
async def test_connection_transitions_follow_the_table(
    state: ConnectionState, event: ConnectionEvent
) -> None:
    """The state never moves back; a second close is illegal."""
    connection, _ = FakeServer().connect()
    connection._state = state
    if (state, event) in TRANSITIONS:
        connection._transition(event)
        assert connection._state is TRANSITIONS[state, event]
        assert list(ConnectionState).index(connection._state) >= list(ConnectionState).index(state)
    else:
        assert (state, event) == (ConnectionState.CLOSING, ConnectionEvent.CLOSE)
        with pytest.raises(RuntimeError, match="Illegal transition"):
            connection._transition(event)


@pytest.mark.parametrize("begun", [b"", GET[:9]], ids=["idle", "head"])
async def test_a_response_that_is_read_after_its_end_leaves_an_idle_connection(begun: bytes) -> None:
    """If writing pauses after the end of the response, the connection is idle once the client has read everything."""
    server = FakeServer()
    connection, transport = server.connect()
    connection.data_received(GET)
    while not transport.written or connection._request is not None:
        await turn()
    connection.pause_writing()
    assert connection.idle_order is None
    if begun:
        connection.data_received(begun)
    connection.resume_writing()
    limit_s = LIMITS.head_s if begun else LIMITS.idle_s
    now_s = asyncio.get_running_loop().time()
    assert connection.check(now_s) == pytest.approx(now_s + limit_s, abs=0.5)
    assert (connection.idle_order is None) == bool(begun)
